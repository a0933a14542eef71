// OpenCode. Command and output as of opencode-ai 1.18.33.
#include "base/json.hpp"
#include "executors/lines.hpp"
#include "executors/plan.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::executors {
namespace {

constexpr std::string_view kPromptFile = "system-prompt.md";
/// Until it knows the tools: it goes on without them, and a busy machine takes its time.
constexpr int kToolsTimeoutMs = 60'000;
constexpr std::string_view kConfigFile = ".config/opencode/opencode.json";

json::value shell_permission(const std::vector<std::string>& shell) {
  if (shell.empty()) return "deny";
  json::object patterns{{"*", "deny"}};
  for (const auto& name : shell) {
    if (name == "sh" || name == "bash") return "allow";
    patterns[name] = "allow";
    patterns[name + " *"] = "allow";
  }
  return patterns;
}

// A provider of our own name, so that nothing is looked up elsewhere.
json::object provider(const Job& job, const Inside& inside) {
  const bool anthropic = job.api == Job::Api::anthropic;
  auto url = model_url(job, inside);
  // The addresses of the others have their version in them.
  if (job.api != Job::Api::openai) url += "/v1";
  return {{"npm", anthropic ? "@ai-sdk/anthropic" : "@ai-sdk/openai-compatible"},
          {"name", "Botburrow"},
          {"options", {{"baseURL", url}, {"apiKey", kPlaceholderKey}}},
          {"models", {{job.model, {{"name", job.model}}}}}};
}

std::string config(const Job& job, const Inside& inside) {
  json::object servers;
  if (!job.tools.empty()) {
    servers["hub"] = json::object{{"type", "remote"},
                                  {"url", tools_url(inside)},
                                  {"enabled", true},
                                  {"timeout", kToolsTimeoutMs}};
  }
  return to_json(json::object{
      {"autoupdate", false},
      {"share", "disabled"},
      {"instructions", {fmt::format("{}/{}", inside.home, kPromptFile)}},
      {"provider", {{"botburrow", provider(job, inside)}}},
      {"mcp", std::move(servers)},
      {"permission",
       {{"bash", shell_permission(job.shell)}, {"edit", "allow"}, {"webfetch", "deny"}}}});
}

std::int64_t count(const json::value& of, std::string_view name) {
  return std::max<std::int64_t>(0, int_field(of, name).value_or(0));
}

llm::Usage usage_of(const json::value& tokens) {
  llm::Usage usage{.input = count(tokens, "input"),
                   .output = count(tokens, "output") + count(tokens, "reasoning")};
  if (const auto* cache = find_field(tokens, "cache")) {
    usage.cache_read = count(*cache, "read");
    usage.cache_write = count(*cache, "write");
    usage.input += usage.cache_read + usage.cache_write;
  }
  return usage;
}

/// Reads one event a line.
class Reader {
 public:
  void line(const json::value& line) {
    const auto type = string_field(line, "type").value_or("");
    if (type == "error") return fail(line);
    const auto* part = find_field(line, "part");
    if (!part) return;
    if (type == "text") {
      report_.text += string_field(*part, "text").value_or("");
    } else if (type == "tool_use") {
      // What it said before was not yet the answer.
      said_ = std::exchange(report_.text, "");
    } else if (type == "step_finish") {
      finish(*part);
    }
  }
  Report report() {
    if (report_.text.empty()) report_.text = said_;
    if (report_.turns == 0 && report_.error.empty()) report_.error = "it ended without a result";
    report_.usage.estimated = !counted_;
    return std::move(report_);
  }

 private:
  void finish(const json::value& part) {
    ++report_.turns;
    if (const auto cost = number_field(part, "cost"); cost && *cost > 0)
      report_.cost_usd = report_.cost_usd.value_or(0) + *cost;
    const auto* tokens = find_field(part, "tokens");
    if (!tokens) return;
    report_.usage += usage_of(*tokens);
    counted_ = true;
  }
  void fail(const json::value& line) {
    const auto* error = find_field(line, "error");
    if (!error) return;
    const auto* data = find_field(*error, "data");
    auto text = data ? string_field(*data, "message") : std::nullopt;
    report_.error = text.value_or(string_field(*error, "name").value_or("it failed"));
  }

  Report report_;
  std::string said_;
  bool counted_ = false;
};

class OpenCode final : public Executor {
 public:
  std::string program(const definitions::AgentDefinition&) const override { return "opencode"; }
  std::optional<std::string> fault(const Job&) const override { return std::nullopt; }

  Plan plan(const Job& job, const Inside& inside) const override {
    return {.argv = {inside.program, "run", "--format", "json", "--pure", "--title", "Botburrow",
                     "-m", "botburrow/" + job.model},
            .environment = {{"OPENCODE_DISABLE_AUTOUPDATE", "1"}},
            .input = job.prompt,
            .files = {{std::string(kPromptFile), job.system_prompt},
                      {std::string(kConfigFile), config(job, inside)}}};
  }

  Report read(std::string_view out, std::string_view) const override {
    Reader reader;
    each_json_line(out, [&](const json::value& line) { reader.line(line); });
    return reader.report();
  }
};

const OpenCode kOpenCode;

}  // namespace

const Executor& opencode = kOpenCode;

}  // namespace botburrow::executors
