// Makes models, and remembers them and whether Ollama answers.
#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "llm/http_model.hpp"
#include "llm/offline.hpp"
#include "llm/providers.hpp"
#include "net/http_client.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::chrono::seconds kProbeKept{30};
constexpr std::chrono::milliseconds kProbeWait{1'000};
constexpr std::size_t kModelsKept = 256;
constexpr std::size_t kTagsBytesMax = 1u << 20;

std::string_view name_of(Api api) {
  switch (api) {
    case Api::anthropic:
      return "anthropic";
    case Api::openai:
      return "openai";
    case Api::ollama:
      return "ollama";
    case Api::offline:
      return "offline";
  }
  return "";
}

std::unique_ptr<Protocol> protocol_of(const ProviderConfig& config) {
  switch (config.api) {
    case Api::anthropic:
      return anthropic_protocol(config);
    case Api::openai:
      return openai_protocol(config);
    default:
      return ollama_protocol(config);
  }
}

}  // namespace

std::unique_ptr<Model> make_model(ProviderConfig config, net::HttpClient& http, Random& random,
                                  Log log, Metrics* metrics) {
  if (config.api == Api::offline) {
    return make_offline_model(config.model.empty() ? "offline" : config.model, metrics);
  }
  auto protocol = protocol_of(config);
  return std::make_unique<HttpModel>(std::move(config), std::move(protocol), http, random,
                                     std::move(log), LlmMetrics(metrics));
}

Task<OllamaModels> find_ollama_models(net::HttpClient& http, std::string url,
                                      std::chrono::milliseconds wait) {
  net::HttpRequest request{.method = "GET", .url = url + "/api/tags"};
  request.total_timeout = wait;
  request.connect_timeout = wait;
  request.response_bytes_max = kTagsBytesMax;
  OllamaModels models;
  try {
    const auto response = co_await http.send(std::move(request));
    const auto body = response.ok() ? try_parse_json(response.body) : std::nullopt;
    if (body && find_field(*body, "models") != nullptr) {
      models.emplace();
      for (const auto& model : array_field(*body, "models")) {
        if (auto name = string_field(model, "name")) models->push_back(*std::move(name));
      }
    }
  } catch (const Error&) {
    // Nobody answers there, or somebody else does: no Ollama.
  }
  co_return models;
}

ConfiguredModels::ConfiguredModels(ProviderSettings settings, net::HttpClient& http, Random& random,
                                   Log log, Metrics* metrics)
    : settings_(std::move(settings)),
      http_(http),
      random_(random),
      log_(std::move(log)),
      metrics_(metrics) {
  LlmMetrics(metrics_).begin();
}

Task<OllamaModels> ConfiguredModels::probe_ollama() {
  const auto now = BootClock::now();
  if (probed_at_ && now - *probed_at_ < kProbeKept) co_return ollama_;
  auto found = co_await find_ollama_models(http_, ollama_url(settings_.ollama_host), kProbeWait);
  ollama_ = std::move(found);
  probed_at_ = BootClock::now();
  co_return ollama_;
}

Task<std::shared_ptr<Model>> ConfiguredModels::model_for(Brain brain) {
  OllamaModels ollama;
  if (needs_ollama_probe(brain, settings_)) ollama = co_await probe_ollama();
  auto config = resolve_provider(brain, settings_, ollama);
  if (config.provider != brain.provider) {
    log_.debug("llm_provider_replaced", {{"provider", brain.provider},
                                         {"model", brain.model},
                                         {"used", config.provider},
                                         {"used_model", config.model}});
  }
  co_return made(std::move(config));
}

std::shared_ptr<Model> ConfiguredModels::made(ProviderConfig config) {
  const auto id =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", name_of(config.api), config.provider, config.model,
                  config.api_base, config.key_name, sha256_hex(config.key.reveal()));
  if (const auto found = models_.find(id); found != models_.end()) return found->second;
  // Calls under way keep their model; only what was learnt about the servers is learnt anew.
  if (models_.size() >= kModelsKept) models_.clear();
  std::shared_ptr<Model> model = make_model(std::move(config), http_, random_, log_, metrics_);
  models_.emplace(id, model);
  return model;
}

}  // namespace botburrow::llm
