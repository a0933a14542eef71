#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "llm/model.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::net {
class HttpClient;
}

namespace botburrow::llm {

/// The protocol spoken with a provider.
enum class Api { anthropic, openai, ollama, offline };

/// LLM_MODE. `automatic` is spelled `auto`.
enum class LlmMode { vendor, automatic, offline };

/// "vendor", "auto", "offline"; nothing for other words.
std::optional<LlmMode> parse_llm_mode(std::string_view text);

/// Everything needed to talk to one model.
struct ProviderConfig {
  Api api = Api::offline;
  std::string provider;  ///< as the agent names it, e.g. `deepseek`
  std::string model;
  std::string api_base;                        ///< without a trailing slash
  Secret key;                                  ///< may be empty where none is needed
  std::string key_name;                        ///< the variable that holds it, for messages
  std::chrono::milliseconds timeout{120'000};  ///< of one request
  std::chrono::milliseconds idle_timeout{
      0};  ///< silence that ends a stream; 0 = the protocol's own
  int max_retries = 2;
  std::chrono::milliseconds first_retry_wait{500};  ///< doubled each time, at most 8 s
};

/// What an agent's definition says: `brain.*`.
struct Brain {
  std::string provider = "anthropic";
  std::string model;
  std::optional<std::string> api_base;
  std::optional<std::string> api_key_env;
};

/// What the settings say. Empty strings are unset.
struct ProviderSettings {
  LlmMode mode = LlmMode::vendor;
  /// The value of a key variable, empty where unset. Asked only for names that are allowed.
  std::function<Secret(std::string_view name)> key;
  std::string ollama_host = "http://127.0.0.1:11434";  ///< OLLAMA_HOST; host, host:port or URL
  std::string anthropic_base_url;                      ///< ANTHROPIC_BASE_URL
  std::string openai_base_url;                         ///< OPENAI_BASE_URL
  std::string default_api_base;                        ///< DEFAULT_API_BASE
  std::string default_api_style;                       ///< DEFAULT_API_STYLE: `anthropic` or empty
  std::vector<std::string> agent_key_env_allow;        ///< AGENT_KEY_ENV_ALLOW
  std::vector<std::string> model_hosts_allow;          ///< MODEL_HOSTS_ALLOW
  std::chrono::milliseconds timeout{120'000};          ///< LLM_TIMEOUT
  int max_retries = 2;                                 ///< LLM_MAX_RETRIES
};

/// Where an agent's calls go by the rules of vendors, and whether a key is missing for it.
struct ProviderChoice {
  ProviderConfig config;
  bool key_missing = false;
};

/// The rule without the fall-backs of mode `auto`. Throws Error{definition_invalid} for a provider
/// that needs an api_base, an unusable URL, an `api_key_env` that is not on the allow-list (keys of
/// providers and AGENT_KEY_ENV_ALLOW), or a key that may not go to that URL. Here key and URL meet,
/// for models that we call and for those that programs call through us.
ProviderChoice choose_provider(const Brain& brain, const ProviderSettings& settings);

/// A vendor's key that would go where it may not.
struct KeyRefusal {
  std::string field;    ///< `brain.api_base`, or the field that leads there
  std::string message;  ///< names the value and the key's variable
  std::string fix;
  /// The definition names the variable. Else it is its provider's, which may be unset: then nothing
  /// is sent, and nothing refused.
  bool named = false;
};
/// By the definition and the operator's hosts alone, whether the variable is set or not. Nothing
/// for what choose_provider() refuses for another reason.
std::optional<KeyRefusal> find_key_refusal(const Brain& brain, const ProviderSettings& settings);

/// The models a local Ollama offers; nothing where none answers.
using OllamaModels = std::optional<std::vector<std::string>>;

/// True where resolve_provider() needs to know whether Ollama answers.
bool needs_ollama_probe(const Brain& brain, const ProviderSettings& settings);

/// The whole rule. Mode `vendor`: as chosen, and a missing key is Error{model_auth} such as
/// `anthropic: no key; set ANTHROPIC_API_KEY`. Mode `auto`: as chosen where a key is there or none
/// is needed, else Ollama if it offers a model (the agent's, else its first), else offline.
ProviderConfig resolve_provider(const Brain& brain, const ProviderSettings& settings,
                                const OllamaModels& ollama);

/// `host`, `host:port` or a URL as a URL without trailing slash; port 11434 where none is given.
std::string ollama_url(std::string_view host);

/// A model over `http`, which must outlive it. `metrics` may be null.
std::unique_ptr<Model> make_model(ProviderConfig config, net::HttpClient& http, Random& random,
                                  Log log, Metrics* metrics);

/// Where the models of agents come from.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  /// Throws as resolve_provider() does.
  virtual Task<std::shared_ptr<Model>> model_for(Brain brain) = 0;
};

/// Models by the settings of this process. Equal configurations share one model; whether Ollama
/// answers is asked at most every 30 s, within 1 s, and only where the answer decides.
class ConfiguredModels final : public ModelSource {
 public:
  ConfiguredModels(ProviderSettings settings, net::HttpClient& http, Random& random, Log log,
                   Metrics* metrics);
  Task<std::shared_ptr<Model>> model_for(Brain brain) override;

 private:
  Task<OllamaModels> probe_ollama();
  std::shared_ptr<Model> made(ProviderConfig config);

  ProviderSettings settings_;
  net::HttpClient& http_;
  Random& random_;
  Log log_;
  Metrics* metrics_;
  OllamaModels ollama_;
  std::optional<Instant> probed_at_;
  std::map<std::string, std::shared_ptr<Model>> models_;
};

/// The models an Ollama server at `url` offers, asked within `wait`.
Task<OllamaModels> find_ollama_models(net::HttpClient& http, std::string url,
                                      std::chrono::milliseconds wait);

}  // namespace botburrow::llm
