// A command that a definition names, if the operator lets it.
#include "executors/plan.hpp"

#include <fmt/format.h>

#include <array>

namespace botburrow::executors {
namespace {

struct Placeholder {
  std::string_view name;
  const std::string& value;
};

/// Values are not looked into: a prompt that names a placeholder stays as it is.
std::string filled(std::string_view text, const std::array<Placeholder, 4>& placeholders) {
  std::string out;
  while (!text.empty()) {
    const Placeholder* here = nullptr;
    for (const auto& one : placeholders) {
      if (text.starts_with(one.name)) here = &one;
    }
    if (here) {
      out += here->value;
      text.remove_prefix(here->name.size());
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

class Custom final : public Executor {
 public:
  std::string program(const definitions::AgentDefinition& definition) const override {
    return definition.executor.command;
  }
  std::optional<std::string> fault(const Job&) const override { return std::nullopt; }

  Plan plan(const Job& job, const Inside& inside) const override {
    const std::array<Placeholder, 4> placeholders{{{"${PROMPT}", job.prompt},
                                                   {"${SYSTEM_PROMPT}", job.system_prompt},
                                                   {"${WORKSPACE}", inside.workspace},
                                                   {"${MODEL}", job.model}}};
    Plan plan{.argv = {inside.program}, .environment = job.custom_environment};
    bool has_prompt = false;
    for (const auto& word : job.custom.args) {
      has_prompt = has_prompt || word.find("${PROMPT}") != std::string::npos;
      plan.argv.push_back(filled(word, placeholders));
    }
    // A command that does not ask for it elsewhere reads it, the agent's own prompt first.
    if (!has_prompt) {
      plan.input = job.system_prompt.empty()
                       ? job.prompt
                       : fmt::format("{}\n\n{}", job.system_prompt, job.prompt);
    }
    plan.environment["BOTBURROW_MODEL_URL"] = model_url(job, inside);
    if (!job.tools.empty()) plan.environment["BOTBURROW_TOOLS_URL"] = tools_url(inside);
    return plan;
  }

  Report read(std::string_view out, std::string_view) const override {
    return {.text = trimmed(out), .usage = {.estimated = true}};
  }
};

const Custom kCustom;

}  // namespace

const Executor& custom = kCustom;

}  // namespace botburrow::executors
