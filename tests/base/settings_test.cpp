#include "base/settings.hpp"

#include "base/json.hpp"
#include "base/log.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

namespace botburrow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Variables = std::map<std::string, std::string, std::less<>>;

SettingsSources with(Variables environment) {
  SettingsSources sources;
  sources.environment = std::move(environment);
  sources.hostname = "machine";
  sources.random_text = "1a2b3c4d";
  sources.pid = 42;
  sources.uid = 1000;
  return sources;
}

Settings read(Variables environment, std::string_view program = "") {
  return Settings::read(with(std::move(environment)), program);
}

std::vector<std::string> messages(const Settings& settings) {
  std::vector<std::string> out;
  for (const SettingWarning& warning : settings.warnings())
    out.push_back(warning.message);
  return out;
}

// ---- Exact lines operators see

struct BadValue {
  std::string name, value, line;
};

class ExactProblem : public testing::TestWithParam<BadValue> {};

TEST_P(ExactProblem, IsOneLineNamingSettingValueAndForm) {
  const Settings settings = read({{GetParam().name, GetParam().value}});
  EXPECT_THAT(settings.problems(), ElementsAre(GetParam().line));
}

INSTANTIATE_TEST_SUITE_P(
    Lines, ExactProblem,
    testing::Values(
        BadValue{
            "POLL_INTERVAL", "abc",
            R"(config error: POLL_INTERVAL="abc" (from environment): expected whole seconds 1..3600)"},
        BadValue{
            "RUNNER_MODE", "inbox",
            R"(config error: RUNNER_MODE="inbox" (from environment): expected notification, exploration or hybrid)"},
        BadValue{
            "REDIS_URL", "valkey:6379",
            R"(config error: REDIS_URL="valkey:6379" (from environment): missing scheme, expected redis://, rediss:// or unix://)"},
        BadValue{
            "HUB_URL", "hub:8000",
            R"(config error: HUB_URL="hub:8000" (from environment): expected http:// or https:// URL)"},
        BadValue{
            "ACTIVATION_TIMEOUT", "0",
            R"(config error: ACTIVATION_TIMEOUT="0" (from ConfigMap/environment): expected whole seconds 10..86400)"},
        BadValue{"BOTBURROW_AGENT_KEYS", "{bad",
                 "config error: BOTBURROW_AGENT_KEYS (secret, 4 characters): not a JSON object of "
                 "agent name to key"},
        BadValue{"SANDBOX_MEMORY", "lots",
                 R"(config error: SANDBOX_MEMORY="lots": expected a size such as 512m, 2g or 2Gi)"},
        BadValue{"SANDBOX_MEMORY", "1m",
                 R"(config error: SANDBOX_MEMORY="1m": expected a size of at least 64m)"},
        BadValue{
            "MAX_TOKENS_PER_ACTIVATION", "5",
            R"(config error: MAX_TOKENS_PER_ACTIVATION="5" (from environment): expected 0 (off) or a whole number of at least 1000)"},
        BadValue{
            "HUB_PUBLIC_READ", "maybe",
            R"(config error: HUB_PUBLIC_READ="maybe" (from environment): expected true or false)"},
        BadValue{
            "RUNNER_ID", "a b",
            R"(config error: RUNNER_ID="a b" (from environment): expected 1 to 128 of the characters A-Z a-z 0-9 . _ -)"},
        BadValue{
            "HUB_RATE_POSTS", "many",
            R"(config error: HUB_RATE_POSTS="many" (from environment): expected a rate such as 50/h or 1/30m, or 0 for no limit)"},
        BadValue{"SECRET_KEY", "change-me-in-production",
                 "config error: SECRET_KEY (secret, 23 characters): the published default; set a "
                 "random value, e.g. "
                 "from openssl rand -hex 32"}));

TEST(Settings, MissingHubUrlIsNamedWithBothSpellingsAndAnExample) {
  EXPECT_THAT(
      read({}, "coordinator").problems(),
      ElementsAre("config error: HUB_URL is required (set HUB_URL or BOTBURROW_HUB_URL), e.g. "
                  "http://hub.botburrow.svc.cluster.local:8000"));
  EXPECT_THAT(read({}, "up").problems(), IsEmpty());
  EXPECT_THAT(read({}, "demo").problems(), IsEmpty());
  EXPECT_THAT(read({}, "").problems(), IsEmpty());
  EXPECT_THAT(read({}, "hub").problems(), IsEmpty());
}

TEST(Settings, AllProblemsAreCollectedInTheOrderOfTheTable) {
  const Settings settings =
      read({{"RUNNER_MODE", "x"}, {"POLL_INTERVAL", "x"}, {"REDIS_URL", "x"}}, "up");
  ASSERT_EQ(settings.problems().size(), 3u);
  EXPECT_THAT(settings.problems()[0], HasSubstr("REDIS_URL"));
  EXPECT_THAT(settings.problems()[1], HasSubstr("RUNNER_MODE"));
  EXPECT_THAT(settings.problems()[2], HasSubstr("POLL_INTERVAL"));
}

TEST(Settings, AProgramIsNotStoppedByASettingItDoesNotUse) {
  EXPECT_THAT(read({{"HUB_URL", "http://h"}, {"SANDBOX_MEMORY", "lots"}}, "coordinator").problems(),
              IsEmpty());
  EXPECT_EQ(read({{"HUB_URL", "http://h"}, {"SANDBOX_MEMORY", "lots"}}, "runner").problems().size(),
            1u);
}

TEST(Settings, SkillSyncNamesWhatItMisses) {
  EXPECT_THAT(
      read({{"R2_ENDPOINT", "https://r2"}, {"R2_ACCESS_KEY_ID", "k"}}, "skill-sync").problems(),
      ElementsAre(
          "config error: skill-sync needs R2_ENDPOINT, R2_ACCESS_KEY, R2_SECRET_KEY (missing: "
          "R2_SECRET_KEY)"));
}

TEST(Settings, AValueOnSeveralLinesStaysOneLine) {
  const Settings settings = read({{"LOG_FORMAT", "a\nb"}});
  EXPECT_THAT(settings.problems(), ElementsAre(HasSubstr(R"(LOG_FORMAT="a\nb")")));
}

// ---- Exact warnings

TEST(Settings, LockTtlIsRaisedWithAWarningWhereSomebodySetItTooLow) {
  const Settings set = read({{"LOCK_TTL", "100"}, {"ACTIVATION_TIMEOUT", "300"}});
  EXPECT_THAT(messages(set),
              ElementsAre("LOCK_TTL raised from 100 to 360 (must be >= ACTIVATION_TIMEOUT + 60)"));
  EXPECT_EQ(set.integer("MAX_ITERATIONS"), 10);
  EXPECT_EQ(set.seconds("LOCK_TTL"), std::chrono::seconds(360));
  EXPECT_THAT(messages(read({{"LOCK_TTL", "100"}})),
              ElementsAre("LOCK_TTL raised from 100 to 660 (must be >= ACTIVATION_TIMEOUT + 60)"));
  const Settings unset = read({{"ACTIVATION_TIMEOUT", "900"}});
  EXPECT_THAT(unset.warnings(), IsEmpty());
  EXPECT_EQ(unset.seconds("LOCK_TTL"), std::chrono::seconds(960));
}

TEST(Settings, ThePlaceholderOfTheTemplateIsWarnedAbout) {
  EXPECT_THAT(
      messages(read({{"HUB_API_KEY", "REPLACE_WITH_HUB_API_KEY"}})),
      ElementsAre("HUB_API_KEY still holds the template placeholder; Hub calls will be refused"));
}

TEST(Settings, AnUnknownNameIsWarnedAboutWithTheNearestOne) {
  const Settings settings = read({{"BOTBURROW_POL_INTERVAL", "5"}});
  EXPECT_THAT(
      messages(settings),
      ElementsAre("unknown setting BOTBURROW_POL_INTERVAL; did you mean BOTBURROW_POLL_INTERVAL?"));
  EXPECT_EQ(settings.warnings()[0].event, "setting_unknown");
  EXPECT_EQ(settings.seconds("POLL_INTERVAL"), std::chrono::seconds(30));
}

TEST(Settings, TwoSpellingsThatDifferAreAConflictAndThePrefixedOneWins) {
  const Settings settings = read({{"POLL_INTERVAL", "30"}, {"BOTBURROW_POLL_INTERVAL", "10"}});
  EXPECT_THAT(messages(settings),
              ElementsAre("POLL_INTERVAL: using 10 from BOTBURROW_POLL_INTERVAL, ignoring 30 "
                          "from POLL_INTERVAL"));
  EXPECT_EQ(settings.warnings()[0].event, "setting_conflict");
  EXPECT_EQ(settings.seconds("POLL_INTERVAL"), std::chrono::seconds(10));
  EXPECT_THAT(read({{"POLL_INTERVAL", "60"}, {"BOTBURROW_POLL_INTERVAL", "1m"}}).warnings(),
              IsEmpty());
}

TEST(Settings, TheSandboxCannotBeSwitchedOff) {
  EXPECT_THAT(
      messages(read({{"SANDBOX_ENABLED", "false"}})),
      ElementsAre("SANDBOX_ENABLED=false has no effect: the boundary cannot be switched off"));
  EXPECT_THAT(read({{"SANDBOX_ENABLED", "true"}}).warnings(), IsEmpty());
}

// ---- Where values come from

TEST(Settings, TheStrongestSourceWinsAndEmptyMeansUnset) {
  // From the strongest down; taking one away uncovers the next.
  SettingsSources sources = with({{"BOTBURROW_MIN_ACTIVATION_INTERVAL", "2"},
                                  {"MIN_ACTIVATION_INTERVAL", "3"},
                                  {"MIN_STALENESS_SECONDS", "4"}});
  sources.flags = {{"MIN_ACTIVATION_INTERVAL", "--min-activation-interval", "1"}};
  sources.dotenv = "MIN_ACTIVATION_INTERVAL=5\n";
  const auto value = [&] {
    return Settings::read(sources, "coordinator").seconds("MIN_ACTIVATION_INTERVAL").count();
  };
  const auto source = [&] {
    return Settings::read(sources, "coordinator").source("MIN_ACTIVATION_INTERVAL");
  };
  EXPECT_EQ(value(), 1);
  EXPECT_EQ(source(), "--min-activation-interval");
  sources.flags[0].value = "";
  EXPECT_EQ(value(), 2);
  EXPECT_EQ(source(), "environment (BOTBURROW_MIN_ACTIVATION_INTERVAL)");
  sources.environment["BOTBURROW_MIN_ACTIVATION_INTERVAL"] = "";
  EXPECT_EQ(value(), 3);
  EXPECT_EQ(source(), "environment");
  sources.environment["MIN_ACTIVATION_INTERVAL"] = "  ";
  EXPECT_EQ(value(), 4);
  sources.environment["MIN_STALENESS_SECONDS"] = "";
  EXPECT_EQ(value(), 5);
  EXPECT_EQ(source(), ".env");
  sources.dotenv.reset();
  EXPECT_EQ(value(), 900);
  EXPECT_EQ(source(), "default");
}

TEST(Settings, AFlagThatOverridesTheEnvironmentIsNoConflict) {
  SettingsSources sources = with({{"POLL_INTERVAL", "60"}});
  sources.flags = {{"POLL_INTERVAL", "--poll-interval", "5"}};
  sources.dotenv = "POLL_INTERVAL=7";
  EXPECT_THAT(Settings::read(sources, "coordinator").warnings(), IsEmpty());
}

TEST(Settings, ABadFlagSaysWhichFlag) {
  SettingsSources sources = with({});
  sources.flags = {{"POLL_INTERVAL", "--poll-interval", "abc"}};
  EXPECT_THAT(
      Settings::read(sources, "").problems(),
      ElementsAre(
          R"(config error: POLL_INTERVAL="abc" (from --poll-interval): expected whole seconds 1..3600)"));
}

TEST(Settings, NamesBehindThePrefixAreReadInAnyCase) {
  EXPECT_EQ(read({{"botburrow_poll_interval", "7"}}).seconds("POLL_INTERVAL").count(), 7);
  EXPECT_EQ(read({{"botburrow_poll_interval", "7"}, {"BOTBURROW_POLL_INTERVAL", "8"}})
                .seconds("POLL_INTERVAL")
                .count(),
            8);
  EXPECT_EQ(read({{"poll_interval", "7"}}).seconds("POLL_INTERVAL").count(), 30);
}

TEST(Settings, WhatKubernetesInjectsForServicesIsNeverRead) {
  const Settings settings = read({{"METRICS_PORT", "tcp://10.0.0.1:9090"},
                                  {"BOTBURROW_METRICS_PORT", "tcp://10.0.0.1:9090"},
                                  {"BOTBURROW_HUB_SERVICE_HOST", "10.0.0.2"},
                                  {"BOTBURROW_HUB_SERVICE_PORT_HTTP", "80"},
                                  {"BOTBURROW_HUB_PORT", "tcp://10.0.0.2:80"},
                                  {"BOTBURROW_HUB_PORT_80_TCP", "tcp://10.0.0.2:80"},
                                  {"BOTBURROW_HUB_PORT_80_TCP_ADDR", "10.0.0.2"},
                                  {"BOTBURROW_HUB_PORT_80_TCP_PROTO", "tcp"}});
  EXPECT_THAT(settings.problems(), IsEmpty());
  EXPECT_THAT(settings.warnings(), IsEmpty());
  EXPECT_EQ(settings.integer("METRICS_PORT"), 9090);
  EXPECT_FALSE(settings.is_set("METRICS_PORT"));
}

TEST(Settings, DotenvUnderstandsCommentsQuotesAndExport) {
  SettingsSources sources = with({});
  sources.dotenv =
      "# comment\n\nexport POLL_INTERVAL=5 # five\r\nDEFAULT_MODEL=\"a # "
      "\\\"b\\\"\"\nHUB_API_KEY='k$y'\n"
      "nonsense\nMAX_ITERATIONS = 7\n";
  const Settings settings = Settings::read(sources, "");
  EXPECT_EQ(settings.seconds("POLL_INTERVAL").count(), 5);
  EXPECT_EQ(settings.text("DEFAULT_MODEL"), "a # \"b\"");
  EXPECT_EQ(settings.secret("HUB_API_KEY").reveal(), "k$y");
  EXPECT_EQ(settings.integer("MAX_ITERATIONS"), 7);
}

// ---- Secrets

SettingsSources with_files(Variables environment, Variables files) {
  SettingsSources sources = with(std::move(environment));
  sources.read_file = [files = std::move(files)](
                          const std::string& path) -> std::expected<std::string, std::string> {
    const auto at = files.find(path);
    if (at == files.end()) return std::unexpected("No such file or directory");
    return at->second;
  };
  return sources;
}

TEST(Settings, ASecretCanComeFromAFileWithoutItsLastLineEnd) {
  const Settings settings =
      Settings::read(with_files({{"HUB_API_KEY_FILE", "/run/key"}}, {{"/run/key", "abc\n"}}), "");
  EXPECT_EQ(settings.secret("HUB_API_KEY").reveal(), "abc");
  EXPECT_EQ(settings.source("HUB_API_KEY"), "HUB_API_KEY_FILE");
}

TEST(Settings, ASecretCanComeFromTheCredentialsDirectory) {
  SettingsSources sources = with_files({}, {{"/creds/OPENAI_API_KEY", "k"}});
  sources.credentials_directory = "/creds";
  EXPECT_EQ(Settings::read(sources, "").secret("OPENAI_API_KEY").reveal(), "k");
  EXPECT_THAT(Settings::read(sources, "").warnings(), IsEmpty());
  sources.environment["OPENAI_API_KEY"] = "other";
  EXPECT_EQ(Settings::read(sources, "").secret("OPENAI_API_KEY").reveal(), "other");
  EXPECT_EQ(Settings::read(sources, "").warnings().size(), 1u);
}

TEST(Settings, ASecretBesideItsFileIsAConflictWithoutEitherValue) {
  const Settings settings = Settings::read(
      with_files({{"HUB_API_KEY", "first-key"}, {"HUB_API_KEY_FILE", "/f"}}, {{"/f", "other-key"}}),
      "");
  EXPECT_THAT(messages(settings),
              ElementsAre("HUB_API_KEY: using the value from HUB_API_KEY, ignoring the one from "
                          "HUB_API_KEY_FILE"));
  EXPECT_EQ(settings.secret("HUB_API_KEY").reveal(), "first-key");
}

TEST(Settings, AnUnreadableSecretFileIsAProblem) {
  EXPECT_THAT(
      Settings::read(with_files({{"HUB_API_KEY_FILE", "/none"}}, {}), "").problems(),
      ElementsAre(
          R"(config error: HUB_API_KEY_FILE="/none" (from environment): cannot be read: No such file or directory)"));
}

TEST(Settings, NothingSecretIsShownAnywhere) {
  for (const SettingSpec& spec : settings_table()) {
    if (!spec.secret) continue;
    const std::string canary = "canary-of-a-secret";
    const Settings settings = read(
        {{std::string(spec.name), canary}, {"BOTBURROW_" + std::string(spec.name), canary + "2"}});
    std::string shown;
    for (const SettingReport& row : settings.report())
      shown += row.value + "\n";
    for (const std::string& line : settings.problems())
      shown += line + "\n";
    for (const std::string& line : messages(settings))
      shown += line + "\n";
    EXPECT_THAT(shown, Not(HasSubstr(canary))) << spec.name;
  }
}

TEST(Settings, PasswordsInsideUrlsAreMasked) {
  const auto shown = [](const std::string& url) {
    const Settings settings = read({{"REDIS_URL", url}});
    std::string out;
    for (const SettingReport& row : settings.report())
      if (row.name == "REDIS_URL") out = row.value;
    for (const std::string& line : settings.problems())
      out += line;
    return out;
  };
  EXPECT_EQ(shown("redis://:hunter2@host:6379/0"), "redis://:***@host:6379/0");
  EXPECT_EQ(shown("rediss://user:hun/t@r2@host"), "rediss://user:***@host");
  EXPECT_THAT(shown("user:hunter2@host"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(shown("http://user:hunter2@host"), Not(HasSubstr("hunter2")));
}

TEST(Settings, ALineEndAtTheEndOfASecretIsDropped) {
  EXPECT_EQ(read({{"HUB_API_KEY", "abc\n"}}).secret("HUB_API_KEY").reveal(), "abc");
  EXPECT_EQ(read({{"HUB_API_KEY", "a\nb"}}).problems().size(), 1u);
}

// ---- Forms of values

TEST(Settings, DurationsTakeSecondsAndUnits) {
  const auto seconds = [](const std::string& text) {
    return read({{"ACTIVATION_TIMEOUT", text}}).seconds("ACTIVATION_TIMEOUT").count();
  };
  EXPECT_EQ(seconds("90"), 90);
  EXPECT_EQ(seconds("30s"), 30);
  EXPECT_EQ(seconds("5m"), 300);
  EXPECT_EQ(seconds("4h"), 14400);
  for (const std::string bad :
       {"1.5", "5 m", "m", "-5", "1e3", "99999999999999999999", "5x", "0x10"})
    EXPECT_EQ(read({{"ACTIVATION_TIMEOUT", bad}}).problems().size(), 1u) << bad;
}

TEST(Settings, BooleansTakeEightWordsInAnyCase) {
  for (const std::string word : {"true", "1", "yes", "on", "TRUE", "Yes"})
    EXPECT_TRUE(read({{"HUB_PUBLIC_READ", word}}).boolean("HUB_PUBLIC_READ")) << word;
  for (const std::string word : {"false", "0", "no", "OFF"})
    EXPECT_FALSE(
        read({{"HUB_AUTO_CREATE_COMMUNITIES", word}}).boolean("HUB_AUTO_CREATE_COMMUNITIES"))
        << word;
}

TEST(Settings, SizesAndProcessorsTakeTheFormsOfContainers) {
  const auto bytes = [](const std::string& text) {
    return read({{"SANDBOX_MEMORY", text}}).size_bytes("SANDBOX_MEMORY");
  };
  EXPECT_EQ(bytes("512m"), 512ull << 20);
  EXPECT_EQ(bytes("2g"), 2ull << 30);
  EXPECT_EQ(bytes("2Gi"), 2ull << 30);
  EXPECT_EQ(bytes("100MB"), 100ull << 20);
  EXPECT_EQ(bytes("134217728"), 128ull << 20);
  EXPECT_DOUBLE_EQ(read({{"SANDBOX_CPU", "500m"}}).number("SANDBOX_CPU"), 0.5);
  EXPECT_DOUBLE_EQ(read({{"SANDBOX_CPU", "1.5"}}).number("SANDBOX_CPU"), 1.5);
  for (const std::string bad : {"0", "-1", "many", "m"})
    EXPECT_EQ(read({{"SANDBOX_CPU", bad}}).problems().size(), 1u) << bad;
  for (const std::string bad : {"2x", "-2g", "g", "2gg", "99999999999g"})
    EXPECT_EQ(read({{"SANDBOX_MEMORY", bad}}).problems().size(), 1u) << bad;
}

TEST(Settings, RedisUrlsAreChecked) {
  for (const std::string good : {"redis://localhost", "redis://h:6379/3", "rediss://u:p@h:6379/0",
                                 "unix:///run/redis.sock?db=2", "redis://[::1]:6379",
                                 "redis+sentinel://u:p@a:26379,b:26379/main/1",
                                 "rediss+sentinel://a/main", "REDIS://h", "redis://h?db=4"})
    EXPECT_THAT(read({{"REDIS_URL", good}}).problems(), IsEmpty()) << good;
  const std::map<std::string, std::string> bad = {
      {"redis://h:0", "port \"0\""},
      {"redis://h:70000", "port \"70000\""},
      {"redis://h:abc", "port \"abc\""},
      {"redis://h/-1", "database \"-1\""},
      {"redis://h/x", "database \"x\""},
      {"http://h", "unknown scheme \"http\""},
      {"redis://", "missing host"},
      {"unix://relative", "missing absolute path"},
      {"redis+sentinel://a", "missing master name"},
      {"redis+sentinel://a/m+n", "master name \"m+n\", expected letters"},
      {"redis://h:1:2", "port \"1:2\""},
      {"redis://a b", "blank"},
      {"unix:///s?db=x", "database \"x\""}};
  for (const auto& [url, part] : bad)
    EXPECT_THAT(read({{"REDIS_URL", url}}).problems(), ElementsAre(HasSubstr(part))) << url;
}

TEST(Settings, TheHubsAddressIsWithoutThePathOfItsCalls) {
  EXPECT_THAT(read({{"HUB_URL", "http://hub:8000/api/v1/"}}).problems(),
              ElementsAre("config error: HUB_URL=\"http://hub:8000/api/v1/\" (from environment): "
                          "expected the address without /api/v1, here http://hub:8000"));
  EXPECT_THAT(read({{"HUB_API_URL", "https://h/base/api/v1"}}).problems().at(0),
              HasSubstr("here https://h/base"));
  EXPECT_THAT(read({{"HUB_URL", "http://api/v1"}}).problems(), ElementsAre());
  EXPECT_THAT(read({{"ANTHROPIC_BASE_URL", "http://proxy/api/v1"}}).problems(), ElementsAre());
}

TEST(Settings, UrlsLoseTheirLastSlashAndMayHaveNoQuery) {
  EXPECT_EQ(read({{"HUB_URL", "HTTP://hub:8000//"}}).text("HUB_URL"), "http://hub:8000");
  EXPECT_EQ(read({{"HUB_URL", "https://h/base/"}}).text("HUB_URL"), "https://h/base");
  for (const std::string bad : {"http://", "http://h?x=1", "http://h#f", "http://h:0", "http://h:x",
                                "ftp://h", "http:/h", "http://a b", "http://[::1", "//h"})
    EXPECT_EQ(read({{"HUB_URL", bad}}).problems().size(), 1u) << bad;
}

TEST(Settings, OllamaMayBeNamedWithoutScheme) {
  EXPECT_EQ(read({{"OLLAMA_HOST", "box"}}).text("OLLAMA_HOST"), "http://box:11434");
  EXPECT_EQ(read({{"OLLAMA_HOST", "box:1"}}).text("OLLAMA_HOST"), "http://box:1");
  EXPECT_EQ(read({{"OLLAMA_HOST", "https://box"}}).text("OLLAMA_HOST"), "https://box");
}

TEST(Settings, ListsTakeCommasOrJson) {
  EXPECT_THAT(read({{"CORS_ORIGINS", " a , b,,"}}).list("CORS_ORIGINS"), ElementsAre("a", "b"));
  EXPECT_THAT(read({{"ALLOWED_ORIGINS", R"(["a","b"])"}}).list("CORS_ORIGINS"),
              ElementsAre("a", "b"));
  EXPECT_EQ(read({{"CORS_ORIGINS", "[1]"}}).problems().size(), 1u);
}

TEST(Settings, AgentKeysAreAMap) {
  const auto keys = read({{"AGENT_KEYS", R"({"scribe":"k1"})"}}).secret_map("BOTBURROW_AGENT_KEYS");
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys.find("scribe")->second.reveal(), "k1");
  for (const std::string bad : {"[]", "1", R"({"a":1})", "null"})
    EXPECT_EQ(read({{"AGENT_KEYS", bad}}).problems().size(), 1u) << bad;
}

TEST(Settings, ChoicesAreReadInAnyCase) {
  EXPECT_EQ(read({{"LOG_LEVEL", "debug"}}).text("LOG_LEVEL"), "DEBUG");
  EXPECT_EQ(read({{"RUNNER_MODE", "Hybrid"}}).text("RUNNER_MODE"), "hybrid");
}

TEST(Settings, FamiliesAreReadByTheirPattern) {
  const Settings settings = read({{"EXECUTOR_CLAUDE_CODE_COMMAND", "/bin/a"},
                                  {"BOTBURROW_EXECUTOR_CLAUDE_CODE_COMMAND", "/bin/b"},
                                  {"MCP_GITHUB_COMMAND", "/bin/c"}});
  EXPECT_THAT(settings.family("EXECUTOR_*_COMMAND"),
              ElementsAre(std::pair("CLAUDE_CODE", "/bin/b")));
  EXPECT_THAT(settings.family("MCP_*_COMMAND"), ElementsAre(std::pair("GITHUB", "/bin/c")));
  EXPECT_THAT(settings.warnings(), IsEmpty());
}

TEST(Settings, SomeDefaultsDependOnTheProgram) {
  EXPECT_EQ(read({}, "up").text("METRICS_HOST"), "127.0.0.1");
  EXPECT_EQ(read({{"HUB_URL", "http://h"}}, "runner").text("METRICS_HOST"), "0.0.0.0");
  EXPECT_EQ(read({}, "up").integer("MAX_CONCURRENT_ACTIVATIONS"), 32);
  EXPECT_EQ(read({}, "runner").integer("MAX_CONCURRENT_ACTIVATIONS"), 1);
  EXPECT_EQ(read({}, "up").text("LLM_MODE"), "auto");
  EXPECT_EQ(read({}, "runner").text("LLM_MODE"), "vendor");
  EXPECT_EQ(read({}, "runner").seconds("SHUTDOWN_GRACE").count(), 110);
  EXPECT_EQ(read({}, "up").seconds("SHUTDOWN_GRACE").count(), 25);
  EXPECT_EQ(read({}, "coordinator").integer("METRICS_PORT"), 9090);
  EXPECT_EQ(read({}, "runner").integer("METRICS_PORT"), 9091);
  EXPECT_EQ(read({}, "skill-sync").integer("METRICS_PORT"), 9092);
}

TEST(Settings, IdentifiersComeFromTheHost) {
  EXPECT_EQ(read({{"HOSTNAME", "shell"}}, "runner").text("RUNNER_ID"), "machine-42");
  EXPECT_EQ(read({{"HOSTNAME", "pod-1"}, {"KUBERNETES_SERVICE_HOST", "10.0.0.1"}}, "runner")
                .text("RUNNER_ID"),
            "pod-1");
  EXPECT_EQ(read({{"RUNNER_ID", "r1"}, {"HOSTNAME", "pod-1"}}, "runner").text("RUNNER_ID"), "r1");
  EXPECT_THAT(read({{"HUB_URL", "http://h"}, {"RUNNER_ID", "r1"}, {"HOSTNAME", "pod-1"}}, "runner")
                  .warnings(),
              IsEmpty());
  EXPECT_EQ(read({{"HOSTNAME", "c-1"}}, "coordinator").text("INSTANCE_ID"), "c-1");
  EXPECT_EQ(read({}, "coordinator").text("INSTANCE_ID"), "1a2b3c4d");
}

TEST(Settings, WorkspaceRootMustBeWritable) {
  SettingsSources sources = with({});
  sources.data_folder = "/data";
  sources.folder_exists = [](const std::string& path) { return path == "/workspaces"; };
  sources.folder_writable = [](const std::string&) { return false; };
  EXPECT_THAT(
      Settings::read(sources, "up").problems(),
      ElementsAre(
          R"(config error: WORKSPACE_ROOT="/workspaces": not writable by uid 1000 (mount a volume or set WORKSPACE_ROOT))"));
  sources.folder_exists = [](const std::string&) { return false; };
  const Settings absent = Settings::read(sources, "up");
  EXPECT_THAT(absent.problems(), IsEmpty());
  EXPECT_EQ(absent.text("WORKSPACE_ROOT"), "/data/workspaces");
}

TEST(Settings, IsSetTellsADefaultFromAChoice) {
  EXPECT_FALSE(read({}).is_set("MAX_ITERATIONS"));
  EXPECT_EQ(read({}).find_integer("MAX_ITERATIONS"), std::nullopt);
  EXPECT_TRUE(read({{"MAX_ITERATIONS", "10"}}).is_set("MAX_ITERATIONS"));
  EXPECT_EQ(read({{"MAX_ITERATIONS", "10"}}).find_integer("MAX_ITERATIONS"), 10);
  EXPECT_EQ(read({}).find_text("R2_ENDPOINT"), std::nullopt);
}

TEST(SettingsDeathTest, AskingForAnUndeclaredNameIsAFaultOfOurs) {
  const Settings settings = read({});
  EXPECT_DEATH((void)settings.text("NO_SUCH_SETTING"), "impossible state");
  EXPECT_DEATH((void)settings.integer("HUB_URL"), "impossible state");
  EXPECT_DEATH((void)settings.text("HUB_API_KEY"), "impossible state");
}

TEST(Settings, TheLogHoldsEveryValueMasked) {
  struct Lines : LogSink {
    void write(LogLevel, std::string_view line) override { text += std::string(line) + "\n"; }
    std::string text;
  };
  const auto sink = std::make_shared<Lines>();
  log_settings(read({{"HUB_API_KEY", "0123456789"}, {"BOTBURROW_X", "1"}}), Log(sink, {}));
  EXPECT_THAT(sink->text, HasSubstr("settings_loaded"));
  EXPECT_THAT(sink->text, HasSubstr("setting_unknown"));
  EXPECT_THAT(sink->text, HasSubstr("set (len 10)"));
  EXPECT_THAT(sink->text, Not(HasSubstr("0123456789")));
}

// ---- Every row

TEST(SettingsTable, NamesAndAliasesAreUnique) {
  std::set<std::string> seen;
  for (const SettingSpec& spec : settings_table()) {
    EXPECT_TRUE(seen.insert(std::string(spec.name)).second) << spec.name;
    for (const std::string_view alias : spec.aliases)
      EXPECT_TRUE(seen.insert(std::string(alias)).second) << alias;
    EXPECT_FALSE(spec.help.empty()) << spec.name;
    EXPECT_FALSE(spec.name.starts_with("BOTBURROW_")) << spec.name;
  }
}

TEST(SettingsTable, EveryRowOfNumbersRejectsBothSidesOfItsRange) {
  int checked = 0;
  for (const SettingSpec& spec : settings_table()) {
    if (spec.type != SettingType::integer && spec.type != SettingType::duration) continue;
    ++checked;
    const std::string name(spec.name);
    const auto problems = [&](double value) {
      const Settings settings = read({{name, fmt::format("{:.0f}", value)}});
      return settings.problems().size();
    };
    EXPECT_EQ(problems(spec.min), 0u) << name;
    EXPECT_EQ(problems(spec.min - 1), spec.zero_is_off && spec.min == 1 ? 0u : 1u) << name;
    if (spec.max < 9e15) {
      EXPECT_EQ(problems(spec.max), 0u) << name;
      EXPECT_EQ(problems(spec.max + 1), 1u) << name;
    }
    if (spec.zero_is_off) EXPECT_EQ(problems(0), 0u) << name;
    for (const std::string bad : {"x", "1.5", "--1"})
      EXPECT_EQ(read({{name, bad}}).problems().size(), 1u) << name;
  }
  EXPECT_GT(checked, 30);
}

TEST(SettingsTable, EveryRowIsReadUnderEachOfItsNames) {
  for (const SettingSpec& spec : settings_table()) {
    if (spec.name.find('*') != std::string_view::npos) continue;
    std::vector<std::string> names = {std::string(spec.name),
                                      "BOTBURROW_" + std::string(spec.name)};
    for (const std::string_view alias : spec.aliases)
      names.emplace_back(alias);
    for (const std::string& name : names) {
      // A value that no type refuses as empty and most refuse as wrong: either way it was read.
      const Settings settings = read({{name, "7"}});
      EXPECT_TRUE(settings.is_set(spec.name) || !settings.problems().empty()) << name;
      for (const SettingWarning& warning : settings.warnings())
        EXPECT_NE(warning.event, "setting_unknown") << name;
    }
  }
}

TEST(SettingsTable, EveryNumberHasADefaultWithinItsRange) {
  const Settings settings = read({});
  EXPECT_THAT(settings.problems(), IsEmpty());
  for (const SettingSpec& spec : settings_table()) {
    if (spec.type == SettingType::integer) (void)settings.integer(spec.name);
    if (spec.type == SettingType::duration) (void)settings.seconds(spec.name);
    if (spec.type == SettingType::number || spec.type == SettingType::cpu)
      EXPECT_FALSE(std::isnan(settings.number(spec.name)));
  }
}

TEST(SettingsTable, TheReferenceInTheDocsIsWhatTheProgramPrints) {
  std::ifstream file(std::string(BOTBURROW_SOURCE_DIR) + "/docs/settings.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(text.str() == settings_markdown())
      << "docs/settings.md is out of date; write it with: botburrow config --markdown > "
         "docs/settings.md";
}

// ---- Any input

TEST(Settings, NoValueOfAnyRowMakesReadingThrow) {
  const std::vector<std::string> nasty = {std::string(100'000, '9'),
                                          std::string(100'000, '['),
                                          std::string("\0x", 2),
                                          "\xff\xfe",
                                          "://",
                                          "@",
                                          "a://@:",
                                          "redis://@",
                                          "redis://[",
                                          "unix://",
                                          "{",
                                          "[",
                                          "-",
                                          "+",
                                          ".",
                                          "/",
                                          "m",
                                          "1/",
                                          "/1",
                                          "1//h",
                                          "http://:80",
                                          "redis+sentinel://,/",
                                          "nan",
                                          "inf",
                                          "1e400",
                                          "-0"};
  for (const SettingSpec& spec : settings_table())
    for (const std::string& value : nasty) {
      SCOPED_TRACE(std::string(spec.name));
      const Settings settings = read({{std::string(spec.name), value}});
      for (const std::string& line : settings.problems()) {
        EXPECT_LT(line.size(), 600u);
        EXPECT_EQ(line.find('\n'), std::string::npos);
      }
      (void)settings.report();
    }
}

}  // namespace
}  // namespace botburrow
