// Aider. Command and output as of aider 0.86; it is in neither apt nor npm, so its output is known
// from its source and from recordings. It speaks no MCP: its answer is its text.
#include "base/json.hpp"
#include "executors/lines.hpp"
#include "executors/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace botburrow::executors {
namespace {

constexpr std::string_view kMessageFile = "message.md";

std::string model_name(const Job& job) {
  if (job.api == Job::Api::ollama) return "ollama_chat/" + job.model;
  if (job.provider == "deepseek") return "deepseek/" + job.model;
  if (job.api == Job::Api::anthropic) return "anthropic/" + job.model;
  return "openai/" + job.model;
}

std::map<std::string, std::string> environment(const Job& job, const Inside& inside) {
  std::map<std::string, std::string> out{{"AIDER_NO_AUTO_COMMITS", "1"},
                                         {"AIDER_ANALYTICS", "false"}};
  const auto url = model_url(job, inside);
  const std::string key(kPlaceholderKey);
  if (job.api == Job::Api::ollama)
    out["OLLAMA_API_BASE"] = url;
  else if (job.provider == "deepseek")
    out.insert({{"DEEPSEEK_API_BASE", url}, {"DEEPSEEK_API_KEY", key}});
  else if (job.api == Job::Api::anthropic)
    out.insert({{"ANTHROPIC_API_BASE", url}, {"ANTHROPIC_API_KEY", key}});
  else
    out.insert({{"OPENAI_API_BASE", url}, {"OPENAI_API_KEY", key}});
  return out;
}

bool starts_with_one_of(std::string_view line, std::initializer_list<std::string_view> openings) {
  for (const auto opening : openings) {
    if (line.starts_with(opening)) return true;
  }
  return false;
}

// What it says about itself, before the model speaks and after.
bool is_its_own(std::string_view line) {
  return starts_with_one_of(
      line, {"Aider v", "Model: ", "Main model: ", "Weak model: ", "Git repo: ", "Repo-map: ",
             "Added ", "Tokens: ", "Cost: ", "Applied edit to ", "Use /help",
             "Warning: ", "Warning for ", "https://aider.chat/", "Skipped ", "Creating empty file ",
             "Newer aider version", "Run this command:", "Note: in-chat filenames"});
}

/// The number before `word` in a line such as `Tokens: 4.2k sent, 1.1k cache hit, 312 received.`
std::int64_t counted(std::string_view line, std::string_view word) {
  const auto at = line.find(word);
  if (at == std::string_view::npos) return 0;
  auto head = line.substr(0, at);
  const auto begin = head.find_last_of(' ');
  if (begin != std::string_view::npos) head.remove_prefix(begin + 1);
  return human_number(head);
}

std::optional<double> message_cost(std::string_view line) {
  const auto at = line.find("Cost: $");
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + 7);
  double value = 0;
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  return value;
}

/// A report for each exchange with the model; the cost stands on the same line or the next.
void add_tokens(Report& report, std::string_view line) {
  ++report.turns;
  const auto read = counted(line, " cache hit");
  const auto written = counted(line, " cache write");
  report.usage += {.input = counted(line, " sent"),
                   .output = counted(line, " received"),
                   .cache_read = read,
                   .cache_write = written};
}

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1));
}

std::string fault_in(std::string_view said) {
  constexpr std::size_t kShownBytes = 300;
  if (said.size() > kShownBytes) said.remove_prefix(said.size() - kShownBytes);
  auto end = valid_utf8(said);
  std::ranges::replace_if(end, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return fmt::format("it had no answer of its model{}{}",
                     end.empty() ? "" : "; its output ends: ", end);
}

class Aider final : public Executor {
 public:
  std::string program(const definitions::AgentDefinition&) const override { return "aider"; }
  std::optional<std::string> fault(const Job&) const override { return std::nullopt; }

  Plan plan(const Job& job, const Inside& inside) const override {
    const auto message = job.system_prompt.empty()
                             ? job.prompt
                             : fmt::format("{}\n\n{}", job.system_prompt, job.prompt);
    return {
        .argv = {inside.program, "--message-file", fmt::format("{}/{}", inside.home, kMessageFile),
                 "--yes-always", "--no-git", "--no-stream", "--no-pretty", "--no-auto-commits",
                 "--no-check-update", "--no-show-model-warnings", "--edit-format", "diff",
                 "--map-tokens", "2048", "--model", model_name(job)},
        .environment = environment(job, inside),
        .files = {{std::string(kMessageFile), message}}};
  }

  Report read(std::string_view out, std::string_view) const override {
    Report report;
    std::string text;
    each_line(out, [&](std::string_view line) {
      if (line.starts_with("Tokens: ")) add_tokens(report, line);
      if (const auto cost = message_cost(line))
        report.cost_usd = report.cost_usd.value_or(0) + *cost;
      if (!is_its_own(line)) text.append(line).append("\n");
    });
    report.text = trimmed(text);
    report.usage.estimated = report.turns == 0;
    // It ends well whatever its model said, and its complaint would pass for an answer. After each
    // exchange it counts tokens.
    if (report.turns == 0) report.error = fault_in(report.text);
    return report;
  }
};

const Aider kAider;

}  // namespace

const Executor& aider = kAider;

}  // namespace botburrow::executors
