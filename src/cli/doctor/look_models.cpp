#include "base/deadline.hpp"
#include "base/error.hpp"
#include "cli/doctor/look.hpp"
#include "llm/providers.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli::doctor {
namespace {

using namespace std::chrono_literals;

constexpr auto kOneTime = 4000ms;
constexpr std::size_t kModelsMost = 20;

/// A call that costs nothing and that a wrong key is refused at.
net::HttpRequest question_of(const llm::ProviderConfig& config) {
  net::HttpRequest request{.total_timeout = kOneTime, .connect_timeout = kOneTime};
  const auto& base = config.api_base;
  switch (config.api) {
    case llm::Api::anthropic:
      request.url = base + (base.ends_with("/v1") ? "/models" : "/v1/models");
      request.headers = {{"x-api-key", config.key.reveal()}, {"anthropic-version", "2023-06-01"}};
      break;
    case llm::Api::ollama:
      request.url = base + "/api/tags";
      break;
    case llm::Api::openai:
    case llm::Api::offline:
      request.url = base + "/models";
      if (!config.key.empty())
        request.headers = {{"Authorization", "Bearer " + config.key.reveal()}};
      break;
  }
  return request;
}

Task<> ask(net::HttpClient& http, llm::ProviderConfig config, ModelFacts& model) {
  try {
    model.status = (co_await http.send(question_of(config))).status;
  } catch (const Error& error) {
    model.reach_trouble = error.message();
  }
}

struct Asked {
  llm::ProviderConfig config;
  ModelFacts facts;
};

/// One entry for each address and key; who uses it rides along.
void add(std::vector<Asked>& all, Asked one) {
  const auto same = std::ranges::find_if(all, [&](const Asked& other) {
    return other.facts.provider == one.facts.provider && other.facts.url == one.facts.url &&
           other.facts.key_name == one.facts.key_name && other.facts.trouble == one.facts.trouble;
  });
  if (same == all.end())
    all.push_back(std::move(one));
  else
    same->facts.agents += ", " + one.facts.agents;
}

}  // namespace

Task<> look_at_models(const Ground& ground, const std::vector<llm::Brain>& brains,
                      const std::vector<std::string>& names, std::vector<ModelFacts>& models) {
  const auto settings = provider_settings(ground.environment, ground.settings);
  if (settings.mode == llm::LlmMode::offline) co_return;
  std::vector<Asked> all;
  for (std::size_t i = 0; i < brains.size() && all.size() < kModelsMost; ++i) {
    Asked one{.config = {}, .facts = {.provider = brains[i].provider, .agents = names[i]}};
    try {
      auto choice = llm::choose_provider(brains[i], settings);
      // Mode auto falls back to Ollama or the offline model: nothing is missing then.
      if (choice.key_missing && settings.mode == llm::LlmMode::automatic) continue;
      one.facts.url = choice.config.api_base;
      one.facts.key_name = choice.config.key_name;
      one.facts.key_missing = choice.key_missing;
      one.config = std::move(choice.config);
    } catch (const Error& error) {
      one.facts.trouble = error.message();
    }
    add(all, std::move(one));
  }
  net::HttpClient http(ground.executor, {.user_agent = "botburrow-doctor"});
  TaskGroup asking(ground.executor);
  for (auto& one : all) {
    if (one.facts.key_missing || !one.facts.trouble.empty()) continue;
    asking.spawn("model", [&http, &one] { return ask(http, one.config, one.facts); });
  }
  co_await asking.join();
  for (auto& one : all)
    models.push_back(std::move(one.facts));
}

}  // namespace botburrow::cli::doctor
