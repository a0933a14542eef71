// Which model an agent's calls go to: the rule.
#include "llm/providers.hpp"

#include "base/error.hpp"
#include "llm/key_hosts.hpp"
#include "net/http_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace botburrow::llm {
namespace {

struct Vendor {
  std::string_view provider;
  std::string_view key_name;
  std::string_view api_base;
};

// The vendors that have a base URL and a key variable of their own.
constexpr std::array<Vendor, 4> kVendors{{
    {"anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com"},
    {"openai", "OPENAI_API_KEY", "https://api.openai.com/v1"},
    {"google", "GOOGLE_API_KEY", "https://generativelanguage.googleapis.com/v1beta/openai"},
    {"deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"},
}};

const Vendor* vendor_of(std::string_view provider) {
  const auto found = std::ranges::find(kVendors, provider, &Vendor::provider);
  return found != kVendors.end() ? &*found : nullptr;
}

std::string without_slash(std::string_view url) {
  while (url.ends_with('/'))
    url.remove_suffix(1);
  return std::string(url);
}

std::string checked_url(std::string_view url, std::string_view field) {
  try {
    const auto parts = net::parse_url(url);
    if (parts.query.empty()) return without_slash(url);
  } catch (const Error&) {
    // Said below with the name of the field.
  }
  throw Error(errc::definition_invalid,
              fmt::format("{}: \"{}\" is not an http(s) URL without a query", field, url));
}

bool is_local(std::string_view provider) {
  return provider == "ollama" || provider == "local";
}

// A base URL and where it was found, for messages.
struct Base {
  std::string url;
  std::string_view field;
  bool of_vendor = false;
};

// The default base speaks one protocol. Agents of Anthropic use it when it is theirs, or when their
// model is none of Anthropic's: then nothing else can be meant.
bool default_base_applies(const Brain& brain, const ProviderSettings& settings) {
  if (settings.default_api_base.empty()) return false;
  const bool for_anthropic = settings.default_api_style == "anthropic";
  if (brain.provider != "anthropic") return !for_anthropic;
  return for_anthropic || !brain.model.starts_with("claude");
}

Base base_of(const Brain& brain, const ProviderSettings& settings) {
  if (brain.api_base && !brain.api_base->empty()) return {*brain.api_base, "brain.api_base"};
  if (brain.provider == "anthropic" && !settings.anthropic_base_url.empty()) {
    return {settings.anthropic_base_url, "ANTHROPIC_BASE_URL"};
  }
  if (brain.provider == "openai" && !settings.openai_base_url.empty()) {
    return {settings.openai_base_url, "OPENAI_BASE_URL"};
  }
  if (default_base_applies(brain, settings)) return {settings.default_api_base, "DEFAULT_API_BASE"};
  if (const auto* vendor = vendor_of(brain.provider))
    return {std::string(vendor->api_base), "", true};
  throw Error(errc::definition_invalid,
              fmt::format("brain.provider: \"{}\" has no base URL of its own; set brain.api_base "
                          "(or use anthropic, openai, google, deepseek, ollama, local)",
                          brain.provider));
}

Api api_of(const Brain& brain, const Base& base, const ProviderSettings& settings) {
  if (brain.provider != "anthropic") return Api::openai;
  const bool openai_base =
      base.field == "DEFAULT_API_BASE" && settings.default_api_style != "anthropic";
  return openai_base ? Api::openai : Api::anthropic;
}

void check_key_name(const std::string& name, const ProviderSettings& settings) {
  const bool of_vendor = std::ranges::find(kVendors, name, &Vendor::key_name) != kVendors.end();
  const auto& allowed = settings.agent_key_env_allow;
  if (of_vendor || std::ranges::find(allowed, name) != allowed.end()) return;
  throw Error(errc::definition_invalid,
              fmt::format("brain.api_key_env: {} is not on the allow-list; use the provider's own "
                          "variable, or have the operator add it to AGENT_KEY_ENV_ALLOW",
                          name));
}

// What the operator's settings name is the operator's word.
KeyHosts hosts_of(const ProviderSettings& settings) {
  KeyHosts hosts{.own = {}, .allow = settings.model_hosts_allow};
  std::vector<std::string> urls{settings.anthropic_base_url, settings.openai_base_url,
                                settings.default_api_base};
  try {
    urls.push_back(ollama_url(settings.ollama_host));
  } catch (const Error&) {
    // Said to those that need it.
  }
  for (const auto& url : urls) {
    if (auto host = host_of(url); !host.empty()) hosts.own.push_back(std::move(host));
  }
  return hosts;
}

std::optional<KeyRefusal> refusal_of(const Brain& brain, const ProviderConfig& config,
                                     const ProviderSettings& settings) {
  const auto& allowed = settings.agent_key_env_allow;
  // Naming it there is the operator's word that agents may use it as they like.
  if (config.key_name.empty() || std::ranges::find(allowed, config.key_name) != allowed.end())
    return std::nullopt;
  if (vendor_key_may_go(config.key_name, config.api_base, hosts_of(settings))) return std::nullopt;
  const bool named = brain.api_key_env && !brain.api_key_env->empty();
  const bool own_base = brain.api_base && !brain.api_base->empty();
  const auto host = host_of(config.api_base);
  return KeyRefusal{
      .field = own_base ? "brain.api_base" : "brain.api_key_env",
      .message = fmt::format("\"{}\" would have {} sent to {}, which is neither its vendor's own "
                             "host over https nor one of the operator's",
                             own_base ? *brain.api_base : config.key_name, config.key_name, host),
      .fix = fmt::format("name a key of that host's own in brain.api_key_env, or let the operator "
                         "add {} to MODEL_HOSTS_ALLOW, or {} to AGENT_KEY_ENV_ALLOW, which lets "
                         "agents send it anywhere",
                         host, config.key_name),
      .named = named};
}

Secret key_value(const ProviderSettings& settings, std::string_view name) {
  return settings.key && !name.empty() ? settings.key(name) : Secret();
}

ProviderConfig common(const Brain& brain, const ProviderSettings& settings) {
  ProviderConfig config;
  config.provider = brain.provider;
  config.model = brain.model;
  config.timeout = settings.timeout;
  config.max_retries = settings.max_retries;
  return config;
}

ProviderConfig offline_config(const Brain& brain, const ProviderSettings& settings) {
  auto config = common(brain, settings);
  config.api = Api::offline;
  config.provider = "offline";
  return config;
}

}  // namespace

std::optional<LlmMode> parse_llm_mode(std::string_view text) {
  if (text == "vendor") return LlmMode::vendor;
  if (text == "auto") return LlmMode::automatic;
  if (text == "offline") return LlmMode::offline;
  return {};
}

std::string ollama_url(std::string_view host) {
  std::string url(host);
  if (url.empty()) url = "127.0.0.1";
  const bool has_scheme = url.find("://") != std::string::npos;
  if (!has_scheme) {
    // A server's own setting may say where it listens: 0.0.0.0, or a bare `:port`.
    if (url.starts_with(':')) url.insert(0, "127.0.0.1");
    url.insert(0, "http://");
  }
  url = checked_url(url, "OLLAMA_HOST");
  const auto parts = net::parse_url(url);
  if (!has_scheme && !parts.explicit_port) {
    const auto end = url.find('/', url.find("://") + 3);
    url.insert(end == std::string::npos ? url.size() : end, ":11434");
  }
  if (parts.host == "0.0.0.0") url.replace(url.find("0.0.0.0"), 7, "127.0.0.1");
  return url;
}

namespace {

ProviderChoice chosen(const Brain& brain, const ProviderSettings& settings) {
  ProviderChoice choice{.config = common(brain, settings)};
  auto& config = choice.config;
  const bool key_named = brain.api_key_env && !brain.api_key_env->empty();
  if (key_named) check_key_name(*brain.api_key_env, settings);
  const auto* vendor = vendor_of(brain.provider);
  config.key_name = key_named ? *brain.api_key_env : vendor ? std::string(vendor->key_name) : "";
  config.key = key_value(settings, config.key_name);
  if (is_local(brain.provider) && (!brain.api_base || brain.provider == "ollama")) {
    config.api = Api::ollama;
    config.api_base = brain.api_base ? checked_url(*brain.api_base, "brain.api_base")
                                     : ollama_url(settings.ollama_host);
    choice.key_missing = key_named && config.key.empty();
    return choice;
  }
  const auto base = base_of(brain, settings);
  config.api = api_of(brain, base, settings);
  config.api_base = checked_url(base.url, base.field);
  // A proxy may hold the key itself; a vendor never does.
  choice.key_missing = config.key.empty() && (base.of_vendor || key_named);
  return choice;
}

}  // namespace

ProviderChoice choose_provider(const Brain& brain, const ProviderSettings& settings) {
  auto choice = chosen(brain, settings);
  if (choice.config.key.empty()) return choice;
  if (const auto refusal = refusal_of(brain, choice.config, settings)) {
    throw Error(errc::definition_invalid,
                fmt::format("{}: {}; {}", refusal->field, refusal->message, refusal->fix));
  }
  return choice;
}

std::optional<KeyRefusal> find_key_refusal(const Brain& brain, const ProviderSettings& settings) {
  try {
    return refusal_of(brain, chosen(brain, settings).config, settings);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool needs_ollama_probe(const Brain& brain, const ProviderSettings& settings) {
  if (settings.mode != LlmMode::automatic) return false;
  const auto choice = choose_provider(brain, settings);
  return choice.key_missing || (choice.config.api == Api::ollama && !brain.api_base);
}

ProviderConfig resolve_provider(const Brain& brain, const ProviderSettings& settings,
                                const OllamaModels& ollama) {
  if (settings.mode == LlmMode::offline) return offline_config(brain, settings);
  auto choice = choose_provider(brain, settings);
  if (settings.mode == LlmMode::vendor || !needs_ollama_probe(brain, settings)) {
    if (choice.key_missing) {
      throw Error(errc::model_auth,
                  fmt::format("{}: no key; set {}", brain.provider, choice.config.key_name));
    }
    return choice.config;
  }
  if (!ollama || ollama->empty()) return offline_config(brain, settings);
  auto config = common(brain, settings);
  config.api = Api::ollama;
  config.provider = choice.config.api == Api::ollama ? brain.provider : "ollama";
  config.api_base = ollama_url(settings.ollama_host);
  // `llama3.2` is `llama3.2:latest`.
  const auto offered = std::ranges::any_of(*ollama, [&](const auto& model) {
    return model == brain.model || model == brain.model + ":latest";
  });
  if (!offered) config.model = ollama->front();
  return config;
}

}  // namespace botburrow::llm
