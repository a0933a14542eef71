#include "base/json.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "base/version.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/hub_text.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"
#include "hub/mentions.hpp"
#include "hubapi/client.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace botburrow::cli {
namespace {

using hubapi::HubRequest;

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::seconds kMentionsTime{5};
constexpr std::size_t kTextBytesMax = 1u << 20;
constexpr std::size_t kAgentsMax = 10'000;
constexpr std::size_t kCommentsMax = 10'000;

struct HubFlags {
  std::shared_ptr<LocateFlags> where;
  std::string as;
  bool as_json = false;
};

/// --as, --json, --data, --hub-url: every command of this file has them.
std::shared_ptr<HubFlags> add_hub_flags(CLI::App& command) {
  auto flags = std::make_shared<HubFlags>();
  flags->where = add_locate_flags(command);
  command.add_option("--as", flags->as, "Agent to act for, or owner (default)")->type_name("NAME");
  command.add_flag("--json", flags->as_json, "Machine-readable answer");
  return flags;
}

/// One conversation with the Hub, as somebody.
class HubSession {
 public:
  HubSession(const boost::asio::any_io_executor& executor, HubLocation location, Log log)
      : location_(std::move(location)),
        http_(executor, {.user_agent = fmt::format("botburrow-cli/{}", version())}),
        client_(http_, {location_.url, location_.key, location_.agent_keys}, system_random(),
                std::move(log), metrics_) {}

  Task<json::value> call(HubRequest request) {
    request.acting = location_.acting;
    if (request.method == "GET" && !location_.acting.empty())
      request.query.emplace_back("agent_id", location_.acting);
    if (request.body && !location_.acting.empty())
      request.body->as_object()["agent_id"] = location_.acting;
    // A random key: it only keeps a retry of this one act from acting twice.
    if (request.method == "POST") request.guard.idempotency_key = system_random().uuid4();
    auto answer = co_await client_.request(std::move(request), Deadline::in(kPatience));
    co_return std::move(answer.body);
  }

  /// False only where the Hub says that it knows nobody of that name.
  Task<bool> knows(std::string name, Deadline deadline) {
    try {
      co_return (co_await client_.agent(std::move(name), deadline)).has_value();
    } catch (const Error&) {
      // It does not tell.
    }
    co_return true;
  }

  const HubLocation& location() const { return location_; }

 private:
  HubLocation location_;
  Metrics metrics_;
  net::HttpClient http_;
  hubapi::HubClient client_;
};

/// What a command does with the Hub's answer; its own words go into `request`.
using Show = std::function<void(const Output&, const json::value&)>;

Task<json::value> ask(HubLocation location, Log log, HubRequest request) {
  HubSession session(co_await boost::asio::this_coro::executor, std::move(location),
                     std::move(log));
  co_return co_await session.call(std::move(request));
}

/// Whom a text mentions in vain: an answer would be waited for that never comes.
struct Untold {
  std::vector<std::string> strangers;  ///< slips of the pen
  std::vector<std::string> too_many;   ///< behind as many as one text may tell
};

/// Writes, then looks whom the text mentions that is told nothing.
Task<json::value> write(HubLocation location, Log log, HubRequest request, Untold& untold) {
  HubSession session(co_await boost::asio::this_coro::executor, std::move(location),
                     std::move(log));
  const auto text = string_field(*request.body, "content").value_or("");
  auto answer = co_await session.call(std::move(request));
  const auto deadline = Deadline::in(kMentionsTime);
  std::size_t told = 0;
  for (const auto& name : hub::parse_mentions(text)) {
    if (told == hub::kMentionsToldMax)
      untold.too_many.push_back(name);
    else if (co_await session.knows(name, deadline))
      ++told;
    else
      untold.strangers.push_back(name);
  }
  co_return answer;
}

/// "Connection refused" alone does not say what to do about it.
Error explained(const Error& error, const HubLocation& location) {
  if (error.code() != errc::http_unavailable) return error;
  return Error(error.code(), fmt::format("Hub {} ({}) cannot be reached: {}; is it running?",
                                         location.url, location.from, error.message()));
}

/// Runs a coroutine that needs a session, with errors in the words of a terminal.
int with_hub(const Context& context, const HubFlags& flags,
             std::function<Task<json::value>(HubLocation, Log)> body, const Show& show) {
  const HubLocation location = locate_hub(context, *flags.where, flags.as);
  const Log log = Log::none();
  json::value answer;
  // The lambda's captures live in this frame, which outlasts run_command().
  const int code = run_command([&]() -> Task<int> {
    std::exception_ptr failure;
    try {
      answer = co_await body(location, log);
      co_return exit_code::kDone;
    } catch (const Error& error) {
      failure = std::make_exception_ptr(explained(error, location));
    }
    std::rethrow_exception(failure);
  });
  if (code != exit_code::kDone) return code;
  const Output output(context.environment);
  if (flags.as_json)
    output.json(answer);
  else
    show(output, answer);
  return code;
}

int one_call(const Context& context, const HubFlags& flags, const HubRequest& request,
             const Show& show) {
  return with_hub(
      context, flags,
      [&request](HubLocation location, Log log) {
        return ask(std::move(location), std::move(log), request);
      },
      show);
}

int write_call(const Context& context, const HubFlags& flags, const HubRequest& request,
               const Show& show) {
  Untold untold;
  const int code = with_hub(
      context, flags,
      [&](HubLocation location, Log log) {
        return write(std::move(location), std::move(log), request, untold);
      },
      show);
  if (!untold.too_many.empty()) {
    std::fprintf(stderr,
                 "warning: only the first %zu mentions are told: nobody was told of %s; write to "
                 "them in a post of its own\n",
                 hub::kMentionsToldMax,
                 printable(fmt::format("@{}", fmt::join(untold.too_many, ", @"))).c_str());
  }
  for (const auto& name : untold.strangers) {
    std::fprintf(stderr,
                 "warning: the Hub knows no \"%s\": nobody was told of that mention; see "
                 "botburrow hub agents\n",
                 printable(name).c_str());
  }
  return code;
}

/// The argument itself, or standard input for `-`.
std::string text_of(const std::string& argument) {
  std::string text = argument;
  if (argument == "-") {
    text.clear();
    char buffer[16384];
    while (true) {
      const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        throw Error(errc::io,
                    fmt::format("standard input cannot be read: {}", std::strerror(errno)));
      if (got == 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
      if (text.size() > kTextBytesMax)
        throw Error(errc::bad_input,
                    fmt::format("the text is longer than {} bytes", kTextBytesMax));
    }
    while (text.ends_with('\n'))
      text.pop_back();
  }
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    throw Error(errc::usage,
                "the text is empty; give it as an argument, or `-` to read it from standard input");
  return valid_utf8(text);
}

/// Ids come from people; a path must not.
std::string id_in_path(const std::string& id) {
  if (id.empty()) throw Error(errc::usage, "the id is empty");
  return net::url_encode(id);
}

struct PostFlags {
  std::string text, title, community, link;
  std::vector<std::string> tags;
};

void add_post(CLI::App& hub, Context& context) {
  CLI::App* command = hub.add_subcommand("post", "Write a post; @name mentions an agent");
  auto flags = add_hub_flags(*command);
  auto post = std::make_shared<PostFlags>();
  command->add_option("text", post->text, "The text, or - for standard input")
      ->type_name("TEXT")
      ->required();
  command->add_option("--title", post->title, "Title")->type_name("TEXT");
  command->add_option("--community", post->community, "Community (default general)")
      ->type_name("NAME");
  command->add_option("--link", post->link, "Link")->type_name("URL");
  command->add_option("--tag", post->tags, "Tag; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  on_run(*command, context, [&context, flags, post] {
    json::object body = {{"content", text_of(post->text)}};
    if (!post->title.empty()) body["title"] = valid_utf8(post->title);
    body["community"] = valid_utf8(post->community.empty() ? "general" : post->community);
    if (!post->link.empty()) body["link_url"] = valid_utf8(post->link);
    for (const std::string& tag : post->tags) {
      if (!body.contains("tags")) body["tags"] = json::array();
      body["tags"].as_array().emplace_back(valid_utf8(tag));
    }
    return write_call(context, *flags,
                      {.method = "POST", .path = "/posts", .body = body, .endpoint = "create_post"},
                      show_post_written);
  });
}

void add_reply(CLI::App& hub, Context& context) {
  CLI::App* command = hub.add_subcommand("reply", "Answer a post or a comment");
  auto flags = add_hub_flags(*command);
  auto id = std::make_shared<std::string>();
  auto text = std::make_shared<std::string>();
  auto parent = std::make_shared<std::string>();
  command->add_option("id", *id, "Post or comment to answer")->type_name("ID")->required();
  command->add_option("text", *text, "The text, or - for standard input")
      ->type_name("TEXT")
      ->required();
  command->add_option("--parent", *parent, "Comment to answer, where ID is the post")
      ->type_name("ID");
  on_run(*command, context, [&context, flags, id, text, parent] {
    json::object body = {{"content", text_of(*text)}};
    if (!parent->empty()) body["parent_id"] = valid_utf8(*parent);
    return write_call(context, *flags,
                      {.method = "POST",
                       .path = fmt::format("/posts/{}/comments", id_in_path(*id)),
                       .body = body,
                       .endpoint = "create_comment"},
                      show_comment_written);
  });
}

/// The first answer holds the oldest 500; the rest comes by pages.
Task<json::value> whole_thread(HubLocation location, Log log, std::string id) {
  HubSession session(co_await boost::asio::this_coro::executor, std::move(location),
                     std::move(log));
  HubRequest first{.path = fmt::format("/posts/{}", id_in_path(id)),
                   .query = {{"include_comments", "true"}},
                   .body = {},
                   .endpoint = "thread"};
  json::value thread = co_await session.call(std::move(first));
  const auto root = string_field(thread, "id").value_or("");
  const auto total = int_field(thread, "comment_count").value_or(0);
  auto* comments = thread.is_object() ? thread.as_object().if_contains("comments") : nullptr;
  if (!comments || !comments->is_array() || root.empty()) co_return thread;
  auto& all = comments->as_array();
  while (static_cast<std::int64_t>(all.size()) < total && all.size() < kCommentsMax) {
    HubRequest next{
        .path = fmt::format("/posts/{}/comments", id_in_path(root)),
        .query = {{"sort", "old"}, {"limit", "100"}, {"offset", std::to_string(all.size())}},
        .body = {},
        .endpoint = "comments"};
    json::value page;
    try {
      page = co_await session.call(std::move(next));
    } catch (const Error& error) {
      // A Hub without pages of comments has given what it gives.
      if (error.status() != 404 && error.status() != 405 && error.status() != 501) throw;
    }
    const json::array& rows = array_field(page, "comments");
    if (rows.empty()) break;
    all.insert(all.end(), rows.begin(), rows.end());
  }
  co_return thread;
}

void add_thread(CLI::App& hub, Context& context) {
  CLI::App* command = hub.add_subcommand("thread", "Show a post with its comments");
  auto flags = add_hub_flags(*command);
  auto id = std::make_shared<std::string>();
  command->add_option("id", *id, "Post, or one of its comments")->type_name("ID")->required();
  on_run(*command, context, [&context, flags, id] {
    return with_hub(
        context, *flags,
        [id](HubLocation location, Log log) {
          return whole_thread(std::move(location), std::move(log), *id);
        },
        show_thread);
  });
}

void add_inbox(CLI::App& hub, Context& context) {
  CLI::App* command = hub.add_subcommand("inbox", "Show unread notifications");
  auto flags = add_hub_flags(*command);
  auto all = std::make_shared<bool>(false);
  auto limit = std::make_shared<int>(25);
  command->add_flag("--all", *all, "Read ones too");
  command->add_option("--limit", *limit, "How many")->check(CLI::Range(1, 100))->type_name("N");
  on_run(*command, context, [&context, flags, all, limit] {
    hubapi::Query query = {{"limit", std::to_string(*limit)}};
    if (!*all) query.emplace_back("unread", "true");
    return one_call(
        context, *flags,
        {.path = "/notifications", .query = query, .body = {}, .endpoint = "notifications"},
        show_inbox);
  });
}

Task<json::value> all_agents(HubLocation location, Log log) {
  HubSession session(co_await boost::asio::this_coro::executor, std::move(location),
                     std::move(log));
  json::array agents;
  while (agents.size() < kAgentsMax) {
    HubRequest request{.path = "/agents",
                       .query = {{"limit", "100"}, {"offset", std::to_string(agents.size())}},
                       .body = {},
                       .endpoint = "agents"};
    const json::value page = co_await session.call(std::move(request));
    const json::array& rows = array_field(page, "agents");
    agents.insert(agents.end(), rows.begin(), rows.end());
    const auto total = int_field(page, "total");
    if (rows.empty() || !total || static_cast<std::int64_t>(agents.size()) >= *total) break;
  }
  co_return json::object{{"agents", std::move(agents)}};
}

void add_agents(CLI::App& hub, Context& context) {
  CLI::App* command = hub.add_subcommand("agents", "List the agents of the Hub");
  auto flags = add_hub_flags(*command);
  on_run(*command, context,
         [&context, flags] { return with_hub(context, *flags, all_agents, show_agents); });
}

}  // namespace

void add_hub(CLI::App& app, Context& context) {
  CLI::App* hub = app.add_subcommand("hub", "Run the Hub; or post, reply and read on one");
  hub->require_subcommand(0, 1);
  add_post(*hub, context);
  add_reply(*hub, context);
  add_thread(*hub, context);
  add_inbox(*hub, context);
  add_agents(*hub, context);
  add_hub_server(*hub, context);
}

}  // namespace botburrow::cli
