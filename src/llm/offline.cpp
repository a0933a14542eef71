#include "llm/offline.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/metrics.hpp"
#include "llm/offline_prompt.hpp"
#include "llm/transcript.hpp"
#include "llm/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::size_t kQuoteBytes = 160;
constexpr std::size_t kResultBytes = 600;
constexpr double kSureOfQuestion = 0.8;
constexpr double kSureOfTalk = 0.6;
constexpr std::string_view kNothing = "No response needed.";
constexpr std::string_view kNothingFound = "Nothing to engage with right now.";

std::string quoted(std::string_view text, std::size_t bytes = kQuoteBytes) {
  std::string line = without_mentions(text);
  std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  const std::string kept(utf8_prefix(line, bytes));
  return fmt::format("\"{}{}\"", kept, kept.size() < line.size() ? "..." : "");
}

/// What is known when an answer is decided.
struct Scene {
  Persona persona;
  std::string newest;  ///< the newest user message, whole
  Asked asked;         ///< what somebody wrote in it
  std::string thread_title;
  std::vector<ToolCall> calls;      ///< made since that message, in order
  std::vector<ToolResult> results;  ///< of the newest calls
  bool skip_offered = false;
};

Scene scene_of(const ModelRequest& request) {
  Scene scene;
  std::string system;
  for (const auto& message : request.messages) {
    switch (message.role) {
      case Role::system:
        system += message.text + "\n";
        break;
      case Role::user:
        if (is_blank(message.text)) break;
        scene.newest = message.text;
        scene.calls.clear();
        scene.results.clear();
        if (auto title = thread_title_in(message.text); !title.empty())
          scene.thread_title = std::move(title);
        break;
      case Role::assistant:
        scene.calls.insert(scene.calls.end(), message.tool_calls.begin(), message.tool_calls.end());
        break;
      case Role::tool:
        scene.results = message.tool_results;
        break;
    }
  }
  scene.persona = persona_of(system);
  scene.asked = asked_in(scene.newest);
  scene.skip_offered = scene.newest.find("No response needed") != std::string::npos;
  return scene;
}

bool offers(const ModelRequest& request, std::string_view tool) {
  return request.may_call_tools &&
         std::ranges::find(request.tools, tool, &ToolSpec::name) != request.tools.end();
}

/// Builds one answer.
class Composer {
 public:
  explicit Composer(const ModelRequest& request)
      : request_(request), scene_(scene_of(request)), first_call_(calls_in(request.messages) + 1) {}

  ModelAnswer compose() {
    if (is_discovery(scene_.newest))
      explore();
    else
      answer_somebody();
    return std::move(answer_);
  }

 private:
  void say(std::string text) {
    answer_.text = std::move(text) + "\n\n" + std::string(kOfflineLabel);
  }

  void call(std::string tool, std::string_view arguments, std::string_view doing) {
    ToolCall call{.id = fmt::format("call_{}", first_call_), .name = std::move(tool)};
    set_arguments_text(call, arguments);
    say(std::string(doing));
    answer_.tool_calls.push_back(std::move(call));
  }

  void answer_somebody() {
    const auto& asked = scene_.asked.text;
    const auto directives = tool_directives_in(asked);
    if (scene_.calls.size() < directives.size()) return use_tool(directives[scene_.calls.size()]);
    if (!directives.empty()) return report();
    if (const auto exact = say_directive_in(asked)) return say(*exact);
    if (const auto query = search_directive_in(asked)) return search(*query);
    if (asks_to_skip(asked)) return say("SKIP");
    if (scene_.skip_offered && asks_for_nothing(asked)) return say(std::string(kNothing));
    chat();
  }

  void use_tool(const ToolDirective& directive) {
    if (offers(request_, directive.tool)) {
      return call(directive.tool, directive.arguments, fmt::format("Using {}.", directive.tool));
    }
    if (!scene_.results.empty()) return report();
    say(fmt::format("{} I was asked to use the tool {}, but it is not offered to me here.",
                    greeting(), directive.tool));
  }

  void search(const std::string& query) {
    if (!scene_.results.empty()) return report();
    if (offers(request_, "hub_search")) {
      return call("hub_search", to_json(json::object{{"query", query}}), "Searching the Hub.");
    }
    say(fmt::format("{} I would search for {}, but searching is not among my tools.", greeting(),
                    quoted(query)));
  }

  void report() {
    std::string text = greeting();
    for (const auto& result : scene_.results) {
      const std::string kept(utf8_prefix(result.content, kResultBytes));
      text +=
          fmt::format("\n\n{} {}:\n{}{}", result.tool_name, result.is_error ? "failed" : "answered",
                      kept, kept.size() < result.content.size() ? "..." : "");
    }
    if (scene_.results.empty()) text += " No tool has answered.";
    say(std::move(text));
  }

  std::string greeting() const {
    const auto& from = scene_.asked.from;
    const std::string hello = from.empty() ? "Hello!" : fmt::format("Hello {}!", from);
    return scene_.persona.name.empty() ? hello
                                       : fmt::format("{} {} here.", hello, scene_.persona.name);
  }

  void chat() {
    const auto asked = without_mentions(scene_.asked.text);
    std::string text = greeting();
    if (asked.empty()) return say(text + " You called, but left no words; what can I do for you?");
    const bool question = asked.find('?') != std::string::npos;
    text += fmt::format(" You {}: {}", question ? "asked" : "wrote", quoted(asked));
    if (!scene_.thread_title.empty())
      text += fmt::format(" (in {})", quoted(scene_.thread_title, 80));
    text += ".";
    const auto words = key_words(asked, 3);
    if (!words.empty())
      text += fmt::format(" As I read it, this is about {}.", fmt::join(words, ", "));
    if (!scene_.persona.role.empty())
      text += fmt::format(" I look at it as {}.", scene_.persona.role);
    text +=
        question
            ? " I run without a language model here, so take this as a sign that your question "
              "arrived, "
              "not as its answer."
            : " I run without a language model here, so I can acknowledge it, but not add to it.";
    say(std::move(text));
  }

  static std::string answer_to(const ListedPost& post, const Persona& persona) {
    const auto& subject = post.title.empty() ? post.text : post.title;
    std::string text =
        fmt::format("{}{}this caught my eye: {}.", post.author.empty() ? "" : post.author + ", ",
                    persona.name.empty() ? "" : persona.name + " here; ", quoted(subject, 120));
    const auto words = key_words(post.text.empty() ? post.title : post.text, 3);
    if (!words.empty()) text += fmt::format(" It seems to turn on {}.", fmt::join(words, ", "));
    return text + " What have you tried so far?\n\n" + std::string(kOfflineLabel);
  }

  void explore() {
    if (!scene_.calls.empty()) {
      const bool failed = std::ranges::any_of(scene_.results, &ToolResult::is_error);
      return say(failed ? "I could not post: " + quoted(scene_.results.front().content)
                        : "I have answered one post.");
    }
    const auto posts = posts_in(scene_.newest);
    const auto is_question = [](const ListedPost& post) {
      return (post.title + post.text).find('?') != std::string::npos;
    };
    auto chosen = std::ranges::find_if(posts, is_question);
    const double sure = chosen != posts.end() ? kSureOfQuestion : kSureOfTalk;
    if (chosen == posts.end()) chosen = posts.begin();
    if (posts.empty() || sure < confidence_asked(scene_.newest))
      return say(std::string(kNothingFound));
    if (!offers(request_, "hub_post")) {
      return say(
          fmt::format("Confidence: {}\nI would answer post {}, but posting is not among my tools.",
                      sure, chosen->id));
    }
    const auto text = answer_to(*chosen, scene_.persona);
    call("hub_post", to_json(json::object{{"content", text}, {"reply_to", chosen->id}}),
         fmt::format("Confidence: {}\nAnswering post {}.", sure, chosen->id));
  }

  const ModelRequest& request_;
  Scene scene_;
  std::size_t first_call_;
  ModelAnswer answer_;
};

class OfflineModel final : public Model {
 public:
  OfflineModel(std::string model, Metrics* metrics) : model_(std::move(model)), metrics_(metrics) {}

  Task<ModelAnswer> complete(const ModelRequest& request, Deadline deadline) override {
    // Takes its turn like a model that is waited for, so that a loop of calls starves nobody.
    co_await yield_once();
    if (deadline.passed()) throw Error(errc::timeout, "offline: timed out");
    auto answer = offline_answer(request);
    answer.model = request.model.empty() ? model_ : request.model;
    metrics_.count("offline", answer.model, "success");
    co_return answer;
  }
  std::string_view provider() const override { return "offline"; }

 private:
  std::string model_;
  LlmMetrics metrics_;
};

}  // namespace

ModelAnswer offline_answer(const ModelRequest& request) {
  auto answer = Composer(request).compose();
  answer.provider = "offline";
  answer.model = request.model.empty() ? "offline" : request.model;
  answer.offline = true;
  const auto bytes_max = static_cast<std::size_t>(std::max(1, request.max_tokens)) * 4;
  if (answer.tool_calls.empty() && answer.text.size() > bytes_max) {
    const std::string body(utf8_prefix(answer.text, bytes_max));
    answer.text = body + "...\n\n" + std::string(kOfflineLabel);
    answer.stop = StopReason::max_tokens;
  }
  settle(answer, estimated_tokens(request.messages, request.tools));
  return answer;
}

std::unique_ptr<Model> make_offline_model(std::string model, Metrics* metrics) {
  return std::make_unique<OfflineModel>(std::move(model), metrics);
}

}  // namespace botburrow::llm
