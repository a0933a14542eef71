// Claude Code. Command and output as of @anthropic-ai/claude-code 2.1.197.
#include "base/json.hpp"
#include "executors/lines.hpp"
#include "executors/plan.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace botburrow::executors {
namespace {

constexpr std::string_view kPromptFile = "system-prompt.md";
constexpr std::string_view kServersFile = "mcp.json";
constexpr std::array<std::string_view, 5> kFileTools{"Read", "Write", "Edit", "Glob", "Grep"};

bool runs_any_line(const std::vector<std::string>& shell) {
  return std::ranges::any_of(shell,
                             [](const auto& name) { return name == "sh" || name == "bash"; });
}

std::string built_in_tools(const Job& job) {
  auto text = fmt::format("{}", fmt::join(kFileTools, ","));
  return job.shell.empty() ? text : text + ",Bash";
}

std::string allowed_tools(const Job& job) {
  std::vector<std::string> allowed(kFileTools.begin(), kFileTools.end());
  if (runs_any_line(job.shell)) {
    allowed.emplace_back("Bash");
  } else {
    for (const auto& name : job.shell)
      allowed.push_back(fmt::format("Bash({}:*)", name));
  }
  for (const auto& tool : job.tools)
    allowed.push_back("mcp__hub__" + tool);
  return fmt::format("{}", fmt::join(allowed, ","));
}

std::string servers_file(const Job& job, const Inside& inside) {
  json::object servers;
  if (!job.tools.empty())
    servers["hub"] = json::object{{"type", "http"}, {"url", tools_url(inside)}};
  return to_json(json::object{{"mcpServers", std::move(servers)}});
}

std::int64_t count(const json::value& of, std::string_view name) {
  return std::max<std::int64_t>(0, int_field(of, name).value_or(0));
}

// Of every model that it and its own agents used.
llm::Usage usage_of(const json::value& result) {
  llm::Usage usage;
  const auto* models = find_field(result, "modelUsage");
  if (models && models->is_object() && !models->get_object().empty()) {
    for (const auto& [name, model] : models->get_object()) {
      const auto read = count(model, "cacheReadInputTokens");
      const auto written = count(model, "cacheCreationInputTokens");
      usage += {.input = count(model, "inputTokens") + read + written,
                .output = count(model, "outputTokens"),
                .cache_read = read,
                .cache_write = written};
    }
    return usage;
  }
  const auto* all = find_field(result, "usage");
  if (!all) return {.estimated = true};
  const auto read = count(*all, "cache_read_input_tokens");
  const auto written = count(*all, "cache_creation_input_tokens");
  return {.input = count(*all, "input_tokens") + read + written,
          .output = count(*all, "output_tokens"),
          .cache_read = read,
          .cache_write = written};
}

std::string error_of(const json::value& result, const std::string& text) {
  const auto subtype = string_field(result, "subtype").value_or("");
  const bool failed = bool_field(result, "is_error").value_or(false);
  if (subtype == "error_max_turns") return "Exceeded maximum iterations";
  if (subtype == "error_max_budget_usd") return "Budget used up";
  if (!failed && (subtype == "success" || subtype.empty())) return "";
  if (!text.empty()) return text;
  return subtype.empty() ? "it failed, and does not say why" : subtype;
}

class ClaudeCode final : public Executor {
 public:
  std::string program(const definitions::AgentDefinition&) const override { return "claude"; }

  std::optional<std::string> fault(const Job& job) const override {
    if (job.api == Job::Api::anthropic) return std::nullopt;
    return fmt::format("claude-code speaks to models of anthropic only, and brain.provider is {}",
                       job.provider);
  }

  Plan plan(const Job& job, const Inside& inside) const override {
    const auto in_home = [&](std::string_view name) {
      return fmt::format("{}/{}", inside.home, name);
    };
    Plan plan{.argv = {inside.program, "-p", "--output-format", "stream-json", "--verbose",
                       "--model", job.model, "--max-turns", std::to_string(job.turns_max)},
              .input = job.prompt,
              .files = {{std::string(kPromptFile), job.system_prompt},
                        {std::string(kServersFile), servers_file(job, inside)}}};
    const auto add = [&](std::initializer_list<std::string> words) {
      plan.argv.insert(plan.argv.end(), words);
    };
    if (job.budget_usd > 0) add({"--max-budget-usd", fmt::format("{:.6f}", job.budget_usd)});
    add({"--setting-sources", "user", "--no-session-persistence", "--append-system-prompt-file",
         in_home(kPromptFile), "--mcp-config", in_home(kServersFile), "--strict-mcp-config",
         "--tools", built_in_tools(job), "--allowedTools", allowed_tools(job)});
    plan.environment = {{"ANTHROPIC_API_KEY", std::string(kPlaceholderKey)},
                        {"ANTHROPIC_BASE_URL", model_url(job, inside)},
                        {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"},
                        {"DISABLE_AUTOUPDATER", "1"}};
    return plan;
  }

  Report read(std::string_view out, std::string_view) const override {
    Report report{.error = "it ended without a result line", .usage = {.estimated = true}};
    each_json_line(out, [&](const json::value& line) {
      if (string_field(line, "type") != "result") return;
      report.text = string_field(line, "result").value_or("");
      report.error = error_of(line, report.text);
      report.usage = usage_of(line);
      report.cost_usd = number_field(line, "total_cost_usd");
      report.turns = static_cast<int>(count(line, "num_turns"));
    });
    return report;
  }
};

const ClaudeCode kClaudeCode;

}  // namespace

const Executor& claude_code = kClaudeCode;

}  // namespace botburrow::executors
