#include "llm/providers.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace botburrow::llm {
namespace {

using testing::HasSubstr;

ProviderSettings settings(std::map<std::string, std::string> keys = {}) {
  ProviderSettings out;
  out.key = [keys](std::string_view name) {
    const auto found = keys.find(std::string(name));
    return found == keys.end() ? Secret() : Secret(found->second);
  };
  return out;
}

Brain brain(std::string provider, std::string model = "m", std::optional<std::string> base = {},
            std::optional<std::string> key_env = {}) {
  return {std::move(provider), std::move(model), std::move(base), std::move(key_env)};
}

const std::map<std::string, std::string> kAll{{"ANTHROPIC_API_KEY", "ka"},
                                              {"OPENAI_API_KEY", "ko"},
                                              {"GOOGLE_API_KEY", "kg"},
                                              {"DEEPSEEK_API_KEY", "kd"}};

std::string refusal(const Brain& brain, const ProviderSettings& settings,
                    const OllamaModels& ollama = {}) {
  try {
    resolve_provider(brain, settings, ollama);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(Provider, EachHasItsProtocolBaseAndKey) {
  struct Row {
    Brain brain;
    Api api;
    std::string base, key;
  };
  for (const auto& row : std::vector<Row>{
           {brain("anthropic", "claude-x"), Api::anthropic, "https://api.anthropic.com", "ka"},
           {brain("openai"), Api::openai, "https://api.openai.com/v1", "ko"},
           {brain("google"), Api::openai, "https://generativelanguage.googleapis.com/v1beta/openai",
            "kg"},
           {brain("deepseek"), Api::openai, "https://api.deepseek.com/v1", "kd"},
           {brain("ollama"), Api::ollama, "http://127.0.0.1:11434", ""},
           {brain("local"), Api::ollama, "http://127.0.0.1:11434", ""},
           {brain("local", "m", "http://gpu:8080/v1/"), Api::openai, "http://gpu:8080/v1", ""},
           {brain("ollama", "m", "http://gpu:11434"), Api::ollama, "http://gpu:11434", ""},
           {brain("anthropic", "claude-x", "http://proxy"), Api::anthropic, "http://proxy", "ka"},
           {brain("mistral", "m", "http://mistral.lan/v1", "OPENAI_API_KEY"), Api::openai,
            "http://mistral.lan/v1", "ko"},
       }) {
    const auto config = resolve_provider(row.brain, settings(kAll), {});
    EXPECT_EQ(config.api, row.api) << row.brain.provider;
    EXPECT_EQ(config.api_base, row.base) << row.brain.provider;
    EXPECT_EQ(config.key.reveal(), row.key) << row.brain.provider;
    EXPECT_EQ(config.provider, row.brain.provider);
  }
}

TEST(Provider, BasesComeFromTheAgentThenTheVendorsVariableThenTheDefault) {
  auto given = settings(kAll);
  given.openai_base_url = "http://openai-proxy/v1";
  given.anthropic_base_url = "http://anthropic-proxy/";
  given.default_api_base = "http://default:8080";
  const auto base = [&](const Brain& one) { return resolve_provider(one, given, {}).api_base; };
  EXPECT_EQ(base(brain("openai", "m", "http://own")), "http://own");
  EXPECT_EQ(base(brain("openai")), "http://openai-proxy/v1");
  EXPECT_EQ(base(brain("anthropic")), "http://anthropic-proxy");
  EXPECT_EQ(base(brain("google")), "http://default:8080");
  EXPECT_EQ(base(brain("mistral")), "http://default:8080");
  EXPECT_EQ(base(brain("ollama")), "http://127.0.0.1:11434");
}

TEST(Provider, TheDefaultBaseSpeaksOneProtocol) {
  auto given = settings(kAll);
  given.default_api_base = "http://default:8080";
  EXPECT_EQ(resolve_provider(brain("anthropic", "claude-x"), given, {}).api_base,
            "https://api.anthropic.com");
  const auto other_model = resolve_provider(brain("anthropic", "glm-4.7"), given, {});
  EXPECT_EQ(other_model.api_base, "http://default:8080");
  EXPECT_EQ(other_model.api, Api::openai);
  given.default_api_style = "anthropic";
  const auto claude = resolve_provider(brain("anthropic", "claude-x"), given, {});
  EXPECT_EQ(claude.api_base, "http://default:8080");
  EXPECT_EQ(claude.api, Api::anthropic);
  EXPECT_EQ(resolve_provider(brain("openai"), given, {}).api_base, "https://api.openai.com/v1");
}

TEST(Provider, AMissingKeyIsNamedInVendorMode) {
  EXPECT_EQ(refusal(brain("anthropic", "claude-x"), settings()),
            "anthropic: no key; set ANTHROPIC_API_KEY");
  EXPECT_EQ(refusal(brain("google"), settings()), "google: no key; set GOOGLE_API_KEY");
  EXPECT_EQ(refusal(brain("openai", "m", {}, "GOOGLE_API_KEY"), settings()),
            "openai: no key; set GOOGLE_API_KEY");
  // A proxy may hold the key itself.
  EXPECT_EQ(refusal(brain("anthropic", "m", "http://proxy"), settings()), "accepted");
}

TEST(Provider, OnlyAllowedVariablesAreEverRead) {
  std::vector<std::string> asked;
  auto given = settings();
  given.key = [&](std::string_view name) {
    asked.emplace_back(name);
    return Secret("v");
  };
  EXPECT_THAT(refusal(brain("openai", "m", "http://evil", "HUB_API_KEY"), given),
              HasSubstr("brain.api_key_env: HUB_API_KEY"));
  given.mode = LlmMode::automatic;
  EXPECT_THAT(refusal(brain("openai", "m", "http://evil", "HUB_API_KEY"), given),
              HasSubstr("AGENT_KEY_ENV_ALLOW"));
  EXPECT_TRUE(asked.empty());
  given.agent_key_env_allow = {"MY_KEY"};
  EXPECT_EQ(resolve_provider(brain("openai", "m", {}, "MY_KEY"), given, {}).key.reveal(), "v");
}

TEST(Provider, AVendorsKeyStaysWithItsVendorAndTheOperator) {
  const auto foreign = brain("openai", "m", "https://llm.example.org/v1");
  EXPECT_EQ(refusal(foreign, settings(kAll)),
            "brain.api_base: \"https://llm.example.org/v1\" would have OPENAI_API_KEY sent to "
            "llm.example.org, which is neither its vendor's own host over https nor one of the "
            "operator's; name a key of that host's own in brain.api_key_env, or let the operator "
            "add llm.example.org to MODEL_HOSTS_ALLOW, or OPENAI_API_KEY to AGENT_KEY_ENV_ALLOW, "
            "which lets agents send it anywhere");
  auto automatic = settings(kAll);
  automatic.mode = LlmMode::automatic;
  EXPECT_THAT(refusal(foreign, automatic), HasSubstr("MODEL_HOSTS_ALLOW"));
  // Nothing is sent, so nothing is refused.
  EXPECT_EQ(refusal(foreign, settings()), "accepted");
  EXPECT_EQ(refusal(brain("groq", "m", "https://llm.example.org/v1"), settings(kAll)), "accepted");
  // Another vendor's key, by its own provider's address.
  EXPECT_THAT(refusal(brain("anthropic", "claude-x", {}, "OPENAI_API_KEY"), settings(kAll)),
              HasSubstr("brain.api_key_env: \"OPENAI_API_KEY\" would have OPENAI_API_KEY sent to "
                        "api.anthropic.com"));
  EXPECT_THAT(
      refusal(brain("ollama", "m", "https://llm.example.org", "OPENAI_API_KEY"), settings(kAll)),
      HasSubstr("would have OPENAI_API_KEY sent"));
}

TEST(Provider, TheOperatorMayLetKeysGo) {
  const auto foreign = brain("openai", "m", "https://llm.example.org/v1");
  auto given = settings(kAll);
  given.model_hosts_allow = {"*.example.org"};
  EXPECT_EQ(refusal(foreign, given), "accepted");
  given = settings(kAll);
  given.agent_key_env_allow = {"OPENAI_API_KEY"};
  EXPECT_EQ(refusal(foreign, given), "accepted");
  given.agent_key_env_allow = {"GROUP_KEY"};
  EXPECT_THAT(refusal(foreign, given), HasSubstr("OPENAI_API_KEY"));
  EXPECT_EQ(refusal(brain("openai", "m", "http://198.51.100.7/v1", "GROUP_KEY"), given),
            "openai: no key; set GROUP_KEY");
  // Hosts of the settings, whichever vendor they are for.
  for (auto base : {&ProviderSettings::default_api_base, &ProviderSettings::openai_base_url,
                    &ProviderSettings::anthropic_base_url, &ProviderSettings::ollama_host}) {
    given = settings(kAll);
    given.*base = "https://LLM.example.org:8443/other";
    EXPECT_EQ(refusal(foreign, given), "accepted");
  }
}

TEST(Provider, WhatAValidatorSaysNeedsNoKey) {
  const auto named = find_key_refusal(
      brain("openai", "m", "https://llm.example.org/v1", "OPENAI_API_KEY"), settings());
  ASSERT_TRUE(named);
  EXPECT_TRUE(named->named);
  EXPECT_EQ(named->field, "brain.api_base");
  const auto by_provider =
      find_key_refusal(brain("openai", "m", "https://llm.example.org/v1"), settings());
  ASSERT_TRUE(by_provider);
  EXPECT_FALSE(by_provider->named);
  EXPECT_FALSE(find_key_refusal(brain("openai"), settings()));
  EXPECT_FALSE(find_key_refusal(brain("mistral"), settings()));
}

TEST(Provider, BadBasesAreRefusedByName) {
  EXPECT_THAT(refusal(brain("mistral"), settings()), HasSubstr("set brain.api_base"));
  EXPECT_THAT(refusal(brain("openai", "m", "ftp://x"), settings(kAll)),
              HasSubstr("brain.api_base: \"ftp://x\""));
  EXPECT_THAT(refusal(brain("openai", "m", "http://x/?key=1"), settings(kAll)),
              HasSubstr("without a query"));
  auto given = settings(kAll);
  given.openai_base_url = "nonsense";
  EXPECT_THAT(refusal(brain("openai"), given), HasSubstr("OPENAI_BASE_URL"));
}

TEST(Provider, AutoTakesTheKeyThenOllamaThenTheOfflineModel) {
  auto given = settings(kAll);
  given.mode = LlmMode::automatic;
  EXPECT_FALSE(needs_ollama_probe(brain("openai"), given));
  EXPECT_EQ(resolve_provider(brain("openai"), given, {}).api, Api::openai);
  given = settings();
  given.mode = LlmMode::automatic;
  EXPECT_TRUE(needs_ollama_probe(brain("openai"), given));
  const auto local =
      resolve_provider(brain("openai", "gpt-4o"), given, std::vector<std::string>{"llama3.2:3b"});
  EXPECT_EQ(local.api, Api::ollama);
  EXPECT_EQ(local.provider, "ollama");
  EXPECT_EQ(local.model, "llama3.2:3b");
  EXPECT_TRUE(local.key.empty());
  EXPECT_EQ(resolve_provider(brain("ollama", "b"), given, std::vector<std::string>{"a", "b:latest"})
                .model,
            "b");
  EXPECT_EQ(resolve_provider(brain("openai"), given, std::vector<std::string>{}).api, Api::offline);
  EXPECT_EQ(resolve_provider(brain("openai"), given, {}).api, Api::offline);
  EXPECT_EQ(resolve_provider(brain("ollama"), given, {}).api, Api::offline);
  EXPECT_EQ(resolve_provider(brain("local", "m", "http://gpu/v1"), given, {}).api, Api::openai);
  given.mode = LlmMode::offline;
  EXPECT_EQ(resolve_provider(brain("openai"), given, {}).provider, "offline");
}

TEST(OllamaUrl, IsMadeFromEveryFormOfTheVariable) {
  EXPECT_EQ(ollama_url("http://h:1/"), "http://h:1");
  EXPECT_EQ(ollama_url("h:1"), "http://h:1");
  EXPECT_EQ(ollama_url("h"), "http://h:11434");
  EXPECT_EQ(ollama_url(":1234"), "http://127.0.0.1:1234");
  EXPECT_EQ(ollama_url("0.0.0.0"), "http://127.0.0.1:11434");
  EXPECT_EQ(ollama_url("0.0.0.0:9"), "http://127.0.0.1:9");
  EXPECT_EQ(ollama_url("https://h"), "https://h");
  EXPECT_EQ(ollama_url(""), "http://127.0.0.1:11434");
}

TEST(LlmModeNames, AreThoseOfTheSetting) {
  EXPECT_EQ(parse_llm_mode("auto"), LlmMode::automatic);
  EXPECT_EQ(parse_llm_mode("vendor"), LlmMode::vendor);
  EXPECT_EQ(parse_llm_mode("offline"), LlmMode::offline);
  EXPECT_EQ(parse_llm_mode("Auto "), std::nullopt);
}

}  // namespace
}  // namespace botburrow::llm
