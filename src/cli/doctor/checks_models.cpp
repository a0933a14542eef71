#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"

#include <fmt/format.h>

#include <optional>

namespace botburrow::cli::doctor {
namespace {

std::optional<Verdict> nothing_used(const Facts& facts) {
  if (!facts.models_trouble.empty()) return unknown(facts.models_trouble);
  if (facts.models.empty())
    return nothing_there(fmt::format("LLM_MODE {}: no provider is called", facts.llm_mode));
  return std::nullopt;
}

template <class Wrong>
Verdict of_models(const Facts& facts, const char* fine, Wrong wrong) {
  if (auto verdict = nothing_used(facts)) return *verdict;
  std::vector<std::string> found, used;
  for (const auto& model : facts.models) {
    used.push_back(model.provider);
    if (const std::string what = wrong(model); !what.empty())
      found.push_back(fmt::format("{} (for {}): {}", model.provider, model.agents, what));
  }
  return found.empty() ? good(fmt::format("{}: {}", fine, few(used))) : fault(few(found, 3));
}

Verdict configured(const Facts& facts) {
  return of_models(facts, "addresses are good",
                   [](const ModelFacts& model) { return model.trouble; });
}

Verdict keys(const Facts& facts) {
  return of_models(facts, "keys are set or not needed", [](const ModelFacts& model) {
    return model.key_missing ? fmt::format("{} is not set", model.key_name) : std::string();
  });
}

Verdict reached(const Facts& facts) {
  return of_models(facts, "reached", [&](const ModelFacts& model) -> std::string {
    if (model.key_missing || !model.trouble.empty()) return "";
    if (!facts.machine.proxy_trouble.empty()) return "";
    if (!model.reach_trouble.empty()) return model.reach_trouble;
    return model.status >= 500 ? fmt::format("answers {}", model.status) : "";
  });
}

Verdict accepted(const Facts& facts) {
  return of_models(facts, "keys are not refused", [](const ModelFacts& model) -> std::string {
    return model.status == 401 || model.status == 403
               ? fmt::format("Invalid API key ({}): {} from {}", model.key_name, model.status,
                             model.url)
               : "";
  });
}

}  // namespace

const std::vector<Check>& model_checks() {
  static const std::vector<Check> checks = {
      {"model.address", "Model addresses are good", "a definition names a provider that needs more",
       "correct brain.* in config.yaml", configured},
      {"model.key", "Model keys are set", "the provider's key is not in the runner's environment",
       "set it for the runners, or LLM_MODE=auto or offline", keys},
      {"model.reach", "Models are reached",
       "no network to the provider (proxy, NetworkPolicy), or "
       "its address is wrong",
       "`curl -sv URL` from a runner; DEFAULT_API_BASE, brain.api_base, HTTPS_PROXY", reached},
      {"model.accepts", "Models take their keys", "the key is wrong, expired or revoked",
       "make a new key at the provider, set it, restart the runners", accepted}};
  return checks;
}

}  // namespace botburrow::cli::doctor
