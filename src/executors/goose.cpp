// Goose. Command and output as of goose 1.50; it is in neither apt nor npm, so its output is known
// from its source and from recordings.
#include "base/json.hpp"
#include "executors/lines.hpp"
#include "executors/plan.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace botburrow::executors {
namespace {

constexpr std::string_view kConfigFile = ".config/goose/config.yaml";

bool runs_any_line(const std::vector<std::string>& shell) {
  return std::ranges::any_of(shell,
                             [](const auto& name) { return name == "sh" || name == "bash"; });
}

// JSON is YAML.
std::string config(const Job& job, const Inside& inside) {
  json::object extensions;
  if (runs_any_line(job.shell)) {
    extensions["developer"] = json::object{{"type", "builtin"},
                                           {"name", "developer"},
                                           {"enabled", true},
                                           {"bundled", true},
                                           {"timeout", 300}};
  }
  if (!job.tools.empty()) {
    extensions["hub"] = json::object{{"type", "streamable_http"}, {"name", "hub"},
                                     {"description", "The Hub"},  {"enabled", true},
                                     {"uri", tools_url(inside)},  {"timeout", 120}};
  }
  return to_json(json::object{{"extensions", std::move(extensions)}});
}

std::map<std::string, std::string> environment(const Job& job, const Inside& inside) {
  std::map<std::string, std::string> out{{"GOOSE_MODE", "auto"},
                                         {"GOOSE_MODEL", job.model},
                                         {"GOOSE_MAX_TURNS", std::to_string(job.turns_max)},
                                         {"GOOSE_DISABLE_KEYRING", "1"}};
  const std::string key(kPlaceholderKey);
  if (job.api == Job::Api::anthropic) {
    out.insert({{"GOOSE_PROVIDER", "anthropic"},
                {"ANTHROPIC_HOST", model_url(job, inside)},
                {"ANTHROPIC_API_KEY", key}});
  } else if (job.api == Job::Api::ollama) {
    out.insert({{"GOOSE_PROVIDER", "ollama"}, {"OLLAMA_HOST", model_url(job, inside)}});
  } else {
    // It parts the address: the host, and the path of the API below it.
    out.insert({{"GOOSE_PROVIDER", "openai"},
                {"OPENAI_HOST", inside.bridge},
                {"OPENAI_BASE_PATH", fmt::format("_/llm/{}/chat/completions", job.provider)},
                {"OPENAI_API_KEY", key}});
  }
  return out;
}

std::int64_t count(const json::value& of, std::string_view name) {
  return std::max<std::int64_t>(0, int_field(of, name).value_or(0));
}

/// Its messages come in pieces, one a line.
class Reader {
 public:
  void line(const json::value& line) {
    const auto type = string_field(line, "type").value_or("");
    if (type == "message") {
      message(line);
    } else if (type == "error") {
      report_.error = string_field(line, "error").value_or("it failed, and does not say why");
    } else if (type == "complete") {
      complete(line);
    }
  }
  Report report() {
    if (report_.text.empty()) report_.text = said_;
    if (!ended_ && report_.error.empty()) report_.error = "it ended without a result line";
    return std::move(report_);
  }

 private:
  void message(const json::value& line) {
    const auto* message = find_field(line, "message");
    if (!message || string_field(*message, "role") != "assistant") return;
    for (const auto& part : array_field(*message, "content")) {
      const auto type = string_field(part, "type").value_or("");
      if (type == "text") report_.text += string_field(part, "text").value_or("");
      // What it said before was not yet the answer.
      if (type == "toolRequest") said_ = std::exchange(report_.text, "");
    }
  }
  // Older ones tell no more than the total, which says nothing about the cost.
  void complete(const json::value& line) {
    ended_ = true;
    report_.turns = 1;
    report_.cost_usd = number_field(line, "cost_usd");
    const auto input = int_field(line, "input_tokens");
    const auto total = int_field(line, "total_tokens");
    report_.usage.estimated = !input;
    if (input) {
      report_.usage.input = count(line, "input_tokens");
      report_.usage.output = count(line, "output_tokens");
      report_.usage.cache_read = count(line, "cache_read_input_tokens");
      report_.usage.cache_write = count(line, "cache_write_input_tokens");
    } else if (total) {
      report_.usage.input = count(line, "total_tokens");
    }
  }

  Report report_{.usage = {.estimated = true}};
  std::string said_;
  bool ended_ = false;
};

class Goose final : public Executor {
 public:
  std::string program(const definitions::AgentDefinition&) const override { return "goose"; }
  std::optional<std::string> fault(const Job&) const override { return std::nullopt; }

  Plan plan(const Job& job, const Inside& inside) const override {
    Plan plan{.argv = {inside.program, "run", "--no-session", "--output-format", "stream-json"},
              .environment = environment(job, inside),
              .input = job.prompt,
              .files = {{std::string(kConfigFile), config(job, inside)}}};
    // Its system prompt has no file: the agent's own goes before the rest.
    if (!job.system_prompt.empty())
      plan.input = fmt::format("{}\n\n{}", job.system_prompt, job.prompt);
    plan.argv.insert(plan.argv.end(), {"-i", "-"});
    return plan;
  }

  Report read(std::string_view out, std::string_view) const override {
    Reader reader;
    each_json_line(out, [&](const json::value& line) { reader.line(line); });
    return reader.report();
  }
};

const Goose kGoose;

}  // namespace

const Executor& goose = kGoose;

}  // namespace botburrow::executors
