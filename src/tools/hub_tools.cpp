#include "tools/hub_tools.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "tools/arguments.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::tools {
namespace {

constexpr std::size_t kPreviewBytes = 200;
constexpr std::size_t kTitleBytes = 300;
constexpr int kSearchMax = 50;
constexpr int kNotificationsMax = 100;
constexpr std::string_view kWritten = " successfully. ID: ";

json::value count_property(std::string_view description, int standard) {
  return {{"type", "integer"}, {"description", description}, {"default", standard}};
}

const llm::ToolSpec& post_spec() {
  static const llm::ToolSpec spec{
      .name = "hub_post",
      .description =
          "Post to the Hub: a comment when reply_to names a post or comment, else a new post.",
      .input_schema = object_schema(
          {{"content", text_property("The text, Markdown.")},
           {"reply_to", text_property("Id of the post or comment to answer.")},
           {"community", text_property("Community of a new post, such as m/general.")},
           {"title", text_property("Title of a new post.")}},
          {"content"})};
  return spec;
}

const llm::ToolSpec& search_spec() {
  static const llm::ToolSpec spec{
      .name = "hub_search",
      .description = "Search posts on the Hub.",
      .input_schema =
          object_schema({{"query", text_property("What to look for.")},
                         {"community", text_property("Only in this community, such as m/general.")},
                         {"author", text_property("Only by this author.")},
                         {"limit", count_property("At most this many results.", 10)}},
                        {"query"})};
  return spec;
}

const llm::ToolSpec& get_thread_spec() {
  static const llm::ToolSpec spec{
      .name = "hub_get_thread",
      .description = "Read a post with its comments.",
      .input_schema = object_schema({{"post_id", text_property("Id of the post.")}}, {"post_id"})};
  return spec;
}

const llm::ToolSpec& get_notifications_spec() {
  static const llm::ToolSpec spec{
      .name = "hub_get_notifications",
      .description = "List your unread notifications.",
      .input_schema = object_schema({{"limit", count_property("At most this many.", 20)}}, {})};
  return spec;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

/// Of ids and names, which models like to surround with blanks.
std::string word(const json::value& arguments, std::string_view name) {
  return trimmed(text_argument(arguments, name));
}

int bounded(const json::value& arguments, std::string_view name, int standard, int max) {
  return static_cast<int>(
      std::clamp<std::int64_t>(int_field(arguments, name).value_or(standard), 1, max));
}

/// On one line, so that a text cannot pass for further lines of a list.
std::string one_line(std::string_view text, std::size_t bytes) {
  const auto cut = utf8_prefix(text, bytes);
  std::string line(cut);
  std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return cut.size() < text.size() ? line + "..." : line;
}

std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out.push_back(c);
    if (c == '\n') out += "> ";
  }
  return out;
}

/// Specs are the same for all agents: made once, and held by reference.
class HubTool : public Tool {
 public:
  HubTool(hubapi::HubClient& hub, AgentId agent, const llm::ToolSpec& spec)
      : hub_(hub), agent_(std::move(agent)), spec_(spec) {}
  const llm::ToolSpec& spec() const override { return spec_; }

 protected:
  hubapi::HubClient& hub_;
  AgentId agent_;

 private:
  const llm::ToolSpec& spec_;
};

class HubPost final : public HubTool {
 public:
  HubPost(hubapi::HubClient& hub, AgentId agent, HubWriter& writer)
      : HubTool(hub, std::move(agent), post_spec()), writer_(writer) {}

  bool has_effects() const override { return true; }

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    const auto content = text_argument(arguments, "content");
    const auto reply_to = word(arguments, "reply_to");
    if (trimmed(content).empty()) {
      co_return ToolOutput::failed("Failed to post: content is empty");
    }
    WriteOutcome outcome;
    if (reply_to.empty()) {
      hubapi::NewPost post{.content = content,
                           .title = word(arguments, "title"),
                           .community = word(arguments, "community")};
      outcome = co_await writer_.post(std::move(post), deadline);
    } else {
      outcome = co_await writer_.comment(reply_to, content, deadline);
    }
    if (!outcome.done) co_return ToolOutput::refused("Failed to post: " + outcome.refusal->text);
    co_return ToolOutput::ok(fmt::format(
        "{}{}{}", reply_to.empty() ? "Post created" : "Comment posted", kWritten, outcome.id));
  }

  // One that was refused has no number.
  void made_before(const json::value&, std::string_view result) override {
    const auto at = result.find(kWritten);
    if (at == std::string_view::npos) return;
    const auto id = result.substr(at + kWritten.size());
    writer_.made_before(std::string(id.substr(0, id.find('\n'))));
  }

 private:
  HubWriter& writer_;
};

class HubSearch final : public HubTool {
 public:
  HubSearch(hubapi::HubClient& hub, AgentId agent)
      : HubTool(hub, std::move(agent), search_spec()) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    hubapi::SearchQuery query{.q = text_argument(arguments, "query"),
                              .community = word(arguments, "community"),
                              .author = word(arguments, "author"),
                              .limit = bounded(arguments, "limit", 10, kSearchMax)};
    const auto posts = co_await hub_.search(agent_, std::move(query), deadline);
    if (posts.empty()) co_return ToolOutput::ok("No results found.");
    std::string text;
    for (const auto& post : posts) {
      text += fmt::format("- **{}** by {}\n  ID: {}\n  {}\n",
                          post.title.empty() ? "(No title)" : one_line(post.title, kTitleBytes),
                          one_line(post.author.name, kTitleBytes), post.id,
                          one_line(post.content, kPreviewBytes));
    }
    co_return ToolOutput::ok(std::move(text));
  }
};

class HubGetThread final : public HubTool {
 public:
  HubGetThread(hubapi::HubClient& hub, AgentId agent, HubWriter& writer)
      : HubTool(hub, std::move(agent), get_thread_spec()), writer_(writer) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    const auto id = word(arguments, "post_id");
    if (id.empty()) co_return ToolOutput::failed("post_id is empty");
    const auto thread = co_await hub_.thread(agent_, id, deadline);
    if (!thread) co_return ToolOutput::failed(fmt::format("there is no post {}", id));
    writer_.know_thread(*thread);
    const auto title =
        thread->title.empty() ? std::string() : one_line(thread->title, kTitleBytes) + "\n";
    std::string text =
        fmt::format("**{}**: {}{}\n\nComments:\n", one_line(thread->author.name, kTitleBytes),
                    title, thread->content);
    const auto shown = thread->comments.size();
    if (thread->comments_total > shown) {
      text += fmt::format("({} older ones are left out)\n", thread->comments_total - shown);
    }
    for (const auto& comment : thread->comments) {
      text += fmt::format("> **{}** (ID: {}): {}\n", one_line(comment.author.name, kTitleBytes),
                          comment.id, quoted(comment.content));
    }
    if (thread->comments.empty()) text += "(none)\n";
    co_return ToolOutput::ok(std::move(text));
  }

 private:
  HubWriter& writer_;
};

class HubGetNotifications final : public HubTool {
 public:
  HubGetNotifications(hubapi::HubClient& hub, AgentId agent)
      : HubTool(hub, std::move(agent), get_notifications_spec()) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    const int limit = bounded(arguments, "limit", 20, kNotificationsMax);
    const auto list = co_await hub_.unread(agent_, limit, deadline);
    json::array items;
    for (const auto& item : list) {
      items.push_back({{"id", item.id},
                       {"type", item.type},
                       {"from", item.from.name},
                       {"content", std::string(utf8_prefix(item.content, kPreviewBytes))},
                       {"post_id", item.post_id ? json::value(*item.post_id) : json::value()}});
    }
    const auto count = items.size();
    co_return ToolOutput::ok(
        to_pretty_json(json::value{{"notifications", std::move(items)}, {"count", count}}));
  }
};

}  // namespace

std::vector<std::unique_ptr<Tool>> make_hub_tools(hubapi::HubClient& hub, HubWriter& writer,
                                                  AgentId agent) {
  std::vector<std::unique_ptr<Tool>> tools;
  tools.push_back(std::make_unique<HubSearch>(hub, agent));
  tools.push_back(std::make_unique<HubGetThread>(hub, agent, writer));
  tools.push_back(std::make_unique<HubGetNotifications>(hub, agent));
  tools.push_back(std::make_unique<HubPost>(hub, agent, writer));
  return tools;
}

}  // namespace botburrow::tools
