#include "cli/known_secrets.hpp"

#include <gtest/gtest.h>

namespace botburrow::cli {
namespace {

class KnownSecretsTest : public ::testing::Test {
 protected:
  void learn(std::map<std::string, std::string, std::less<>> variables) {
    Environment environment;
    environment.variables = variables;
    const auto settings = Settings::read(sources_of(environment, {}, "/nowhere"), "runner");
    learn_secrets(scrubber, environment, settings);
  }
  bool knows(std::string_view text) const { return scrubber.finds_something(text); }
  Scrubber scrubber;
};

TEST_F(KnownSecretsTest, SettingsThatAreSecret) {
  learn({{"ANTHROPIC_API_KEY", "anthropic-canary"},
         {"BOTBURROW_HUB_API_KEY", "hub-canary-0123"},
         {"AGENT_KEYS", R"({"ada":"key-of-ada-01","bob":"key-of-bob-02"})"},
         {"RUNNER_ID", "runner-with-a-long-name"}});
  for (const auto* text : {"anthropic-canary", "hub-canary-0123", "key-of-ada-01", "key-of-bob-02"})
    EXPECT_TRUE(knows(text)) << text;
  EXPECT_FALSE(knows("runner-with-a-long-name"));
  EXPECT_FALSE(knows("ada bob AGENT_KEYS"));
}

TEST_F(KnownSecretsTest, PasswordsInUrlsAsTheyStandAndDecoded) {
  learn({{"REDIS_URL", "redis://user:p%40ss-canary%2F1@h:6379/0"},
         {"HTTPS_PROXY", "http://me:proxy-canary@proxy:3128"}});
  EXPECT_TRUE(knows("p%40ss-canary%2F1"));
  EXPECT_TRUE(knows("p@ss-canary/1"));
  EXPECT_TRUE(knows("proxy-canary"));
  EXPECT_FALSE(knows("redis://user:***@h:6379/0"));
}

TEST_F(KnownSecretsTest, VariablesThatAreNamedLikeOne) {
  learn({{"SOME_VENDORS_TOKEN", "0123456789abcdef"},
         {"SHORT_KEY", "ordinary"},
         {"PATH", "/usr/bin:/usr/sbin"}});
  EXPECT_TRUE(knows("0123456789abcdef"));
  EXPECT_FALSE(knows("an ordinary word"));
  EXPECT_FALSE(knows("/usr/bin:/usr/sbin"));
}

}  // namespace
}  // namespace botburrow::cli
