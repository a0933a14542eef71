#include "cli/demo_story.hpp"

#include "base/error.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMentionsPerPost = 10;  // more in one post are not heard

hubapi::HubRequest demo_call(std::string method, std::string path, json::value body) {
  return {.method = std::move(method),
          .path = std::move(path),
          .body = std::move(body),
          .endpoint = "demo"};
}

// The example that is out of money: a limit of a cent, and two cents spent.
Task<> spend_budget_of(System& system, std::string agent) {
  const auto deadline = Deadline::in(10s);
  const auto path = "/system/budgets/agents/" + agent;
  co_await system.admin().request({.method = "PUT",
                                   .path = path,
                                   .body = json::value{{"daily_limit_usd", 0.01}},
                                   .endpoint = "demo"},
                                  deadline);
  co_await system.hub().request({.method = "POST",
                                 .path = "/system/consumption",
                                 .body = json::value{{"agent_id", agent},
                                                     {"tokens_input", 1000},
                                                     {"tokens_output", 1000},
                                                     {"cost_usd", 0.02}},
                                 .endpoint = "demo"},
                                deadline);
}

std::string question(const std::vector<std::string>& agents) {
  std::string text = "Hello everybody!";
  for (const auto& agent : agents)
    text += " @" + agent;
  return text + " what would you tell somebody who runs their first agent today?";
}

/// Work for one of the examples that the offline model can do word by word, one tool call after the
/// other.
struct ExampleWork {
  std::string_view agent;
  std::string_view text;
};
constexpr std::array<ExampleWork, 2> kWork{{
    {"bookkeeper",
     R"(what did the pens, the ink and the paper cost, and on which day did we buy them?
First use tool mcp_desk_weekday {"date": "2026-07-28"}
then use tool mcp_desk_add_numbers {"numbers": [19.9, 4.5, 12]})"},
    {"toolsmith", R"(please keep a shopping list for me.
First use tool Write {"file_path": "list.md", "content": "- ink\n- paper\n- a stappler\n"}
then correct it: use tool Edit {"file_path": "list.md", "old_text": "stappler", "new_text": "stapler"}
count it: use tool Bash {"command": "wc -l list.md"}
and show me what stands there now: use tool Read {"file_path": "list.md"})"},
}};

// Results by agent, newest first: what came of the agent that did not answer.
const queue::ActivationResult* last_result(const std::vector<queue::ActivationResult>& results,
                                           const std::string& agent) {
  const auto found = std::find_if(results.begin(), results.end(), [&](const auto& result) {
    return result.agent_name == agent && result.task_type == queue::TaskType::inbox &&
           !result.success;
  });
  return found == results.end() ? nullptr : &*found;
}

// A run that failed is not a reason but a fault: the demo is to show it, not to wait for the
// retries.
void explain_silence(MentionOutcome& mention, const queue::ActivationResult* result,
                     const ListedAgent* listed) {
  const bool failed = result && (result->status == "failure" || result->status == "timeout");
  if (result)
    mention.reason = result->error.value_or(result->status);
  else if (listed)
    mention.reason = listed->problem;
  // Of several reasons the one that no later day will change.
  if (result && !failed && listed && !listed->may_write)
    mention.reason = "missing grant hub:write: it can read, but not post";
  mention.outcome = failed ? "failed" : mention.reason.empty() ? "missing" : "skipped";
}

void fill_in(DemoThread& thread, const hubapi::Post& post,
             const std::vector<queue::ActivationResult>& results,
             const std::vector<ListedAgent>& agents) {
  for (auto& mention : thread.mentioned) {
    mention.answers = 0;
    for (const auto& comment : post.comments) {
      if (comment.author.name != mention.agent) continue;
      ++mention.answers;
      mention.outcome = "answered";
      mention.reason.clear();
      mention.comment_id = comment.id;
      mention.text = comment.content;
    }
    if (mention.answers > 0) continue;
    const auto listed = std::find_if(agents.begin(), agents.end(), [&](const auto& agent) {
      return agent.name == mention.agent;
    });
    explain_silence(mention, last_result(results, mention.agent),
                    listed == agents.end() ? nullptr : &*listed);
  }
}

bool settled(const DemoThread& thread) {
  return std::none_of(thread.mentioned.begin(), thread.mentioned.end(),
                      [](const auto& mention) { return mention.outcome == "missing"; });
}

json::value or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

// A machine that cannot keep programs in, such as most containers, is no failure: the agent with
// tools answers what it was refused.
std::string sandbox_note(const DemoStory& story) {
  if (story.sandbox == "bwrap") return "";
  const auto lost = story.sandbox == "landlock" ? "agents have files but no shell"
                                                : "agents have neither files nor a shell";
  return fmt::format("Sandbox: {} here, so {} ({}).",
                     story.sandbox.empty() ? "not known yet" : story.sandbox, lost,
                     story.sandbox_reason);
}

}  // namespace

bool DemoStory::complete() const {
  return !threads.empty() && std::all_of(threads.begin(), threads.end(), [](const auto& thread) {
    return std::all_of(thread.mentioned.begin(), thread.mentioned.end(), [](const auto& mention) {
      return mention.outcome == "skipped" ||
             (mention.outcome == "answered" && mention.answers == 1);
    });
  });
}

Task<DemoStory> tell_demo_story(System& system, std::chrono::seconds patience) {
  const auto deadline = Deadline::in(patience);
  std::vector<std::string> names;
  for (const auto& agent : system.agents())
    names.push_back(agent.name);
  if (names.empty())
    throw Error(errc::bad_input,
                "the definitions folder holds no agents; see: botburrow validate DIR");
  if (std::find(names.begin(), names.end(), "frugal") != names.end())
    co_await spend_budget_of(system, "frugal");

  const AgentId reader(names.front());
  std::vector<DemoThread> asked;
  for (const auto& work : kWork) {
    if (std::erase(names, work.agent) == 0) continue;
    asked.push_back({.author = "owner",
                     .content = fmt::format("@{} {}", work.agent, work.text),
                     .mentioned = {{.agent = std::string(work.agent)}}});
  }
  for (std::size_t at = 0; at < names.size(); at += kMentionsPerPost) {
    const std::vector<std::string> some(
        names.begin() + static_cast<std::ptrdiff_t>(at),
        names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), at + kMentionsPerPost)));
    DemoThread thread{.author = "owner", .content = question(some)};
    for (const auto& name : some)
      thread.mentioned.push_back({.agent = name});
    asked.push_back(std::move(thread));
  }
  DemoStory story;
  for (auto& thread : asked) {
    const auto answer = co_await system.owner().request(
        demo_call("POST", "/posts", {{"content", thread.content}, {"community", "general"}}),
        deadline);
    thread.post_id = string_field(answer.body, "id").value_or("");
    for (auto& mention : thread.mentioned)
      mention.outcome = "missing";
    story.threads.push_back(std::move(thread));
  }
  for (auto& thread : story.threads) {
    while (!settled(thread) && !deadline.passed()) {
      const auto post = co_await system.hub().thread(reader, thread.post_id, deadline);
      if (post) fill_in(thread, *post, co_await system.view().results(200), system.agents());
      if (!settled(thread)) co_await sleep_for(20ms);
    }
  }
  if (const auto* const sandbox = system.sandbox()) {
    story.sandbox = sandbox::name_of(sandbox->tier);
    story.sandbox_reason = sandbox->reason;
  }
  co_return story;
}

json::value to_document(const DemoStory& story) {
  json::array threads;
  for (const auto& thread : story.threads) {
    json::array mentioned;
    for (const auto& mention : thread.mentioned) {
      mentioned.push_back({{"agent", mention.agent},
                           {"outcome", mention.outcome},
                           {"reason", or_null(mention.reason)},
                           {"comment_id", or_null(mention.comment_id)}});
    }
    threads.push_back({{"post_id", thread.post_id}, {"mentioned", std::move(mentioned)}});
  }
  return {
      {"sandbox", {{"tier", or_null(story.sandbox)}, {"reason", or_null(story.sandbox_reason)}}},
      {"threads", std::move(threads)}};
}

void print_story(const Output& out, const DemoStory& story, const std::string& definitions) {
  for (const auto& thread : story.threads) {
    out.line();
    out.line(out.styled(Style::bold, thread.author) +
             out.styled(Style::dim, "  " + thread.post_id));
    out.line(printable(thread.content));
    for (const auto& mention : thread.mentioned) {
      out.line();
      if (mention.outcome == "answered") {
        out.line("  " + out.styled(Style::accent, mention.agent));
        std::string text = "  " + printable(mention.text);
        for (std::size_t at = text.find('\n'); at != std::string::npos;
             at = text.find('\n', at + 1))
          text.insert(at + 1, "  ");
        out.line(text);
        if (mention.answers > 1)
          out.line("  " +
                   out.styled(Style::bad, fmt::format("answered {} times", mention.answers)));
      } else {
        out.line("  " + out.styled(Style::dim, mention.agent + " did not answer: ") +
                 (mention.outcome == "missing"  ? out.styled(Style::bad, "no word from it in time")
                  : mention.outcome == "failed" ? out.styled(Style::bad, printable(mention.reason))
                                                : printable(mention.reason)));
      }
    }
  }
  out.line();
  if (const auto note = sandbox_note(story); !note.empty())
    out.line(out.styled(Style::warning, printable(note)));
  out.line(
      story.complete()
          ? out.styled(Style::good, "Every agent that may answer has answered exactly once.")
          : out.styled(Style::bad, "Something is missing; run with LOG_LEVEL=info to see why."));
  out.line(fmt::format("Next: botburrow up --definitions {}, then open the link it prints.",
                       printable(definitions)));
}

}  // namespace botburrow::cli
