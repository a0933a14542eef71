#include "definitions/parse.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

namespace botburrow::definitions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Six lines, so that a tested fragment begins on line 7.
constexpr std::string_view kHead =
    "name: scribe\n"
    "type: native\n"
    "brain:\n"
    "  model: claude-sonnet-4-20250514\n"
    "  provider: anthropic\n"
    "capabilities: {}\n";

ParsedDefinition parse_text(std::string config, ParseOptions options = {},
                            std::string agent = "scribe") {
  return parse_definition({.agent = std::move(agent),
                           .config = std::move(config),
                           .config_file = "agents/scribe/config.yaml",
                           .prompt = "You are Scribe.",
                           .prompt_file = "agents/scribe/system-prompt.md"},
                          options);
}

ParsedDefinition parse(std::string_view fragment, ParseOptions options = {}) {
  return parse_text(std::string(kHead) + std::string(fragment), std::move(options));
}

/// The whole config with its brain or capabilities replaced.
ParsedDefinition parse_brain(std::string_view lines) {
  return parse_text("name: scribe\ntype: native\ncapabilities: {}\nbrain:\n" + std::string(lines));
}
ParsedDefinition parse_capabilities(std::string_view lines) {
  return parse_text("name: scribe\ntype: native\nbrain: {model: m}\ncapabilities:\n" +
                    std::string(lines));
}

std::string all_text(const ParsedDefinition& parsed) {
  std::string out;
  for (const Problem& problem : parsed.problems)
    out += to_text(problem) + "\n";
  return out;
}

const AgentDefinition& good(const ParsedDefinition& parsed) {
  EXPECT_TRUE(parsed.definition.has_value()) << all_text(parsed);
  static const AgentDefinition kNone;
  return parsed.definition ? *parsed.definition : kNone;
}

/// The only problem, as text.
std::string only_problem(const ParsedDefinition& parsed) {
  EXPECT_THAT(parsed.problems, SizeIs(1)) << all_text(parsed);
  return parsed.problems.empty() ? std::string() : to_text(parsed.problems.front());
}

TEST(ParseDefinition, FillsEveryDefaultOfTheTable) {
  const auto parsed = parse("");
  const AgentDefinition& d = good(parsed);

  EXPECT_THAT(parsed.problems, IsEmpty()) << all_text(parsed);
  EXPECT_EQ(d.name, "scribe");
  EXPECT_EQ(d.type, ExecutorType::native);
  EXPECT_EQ(d.type_name, "native");
  EXPECT_FALSE(d.display_name);
  EXPECT_FALSE(d.description);
  EXPECT_EQ(d.cache_ttl, std::chrono::seconds(300));
  EXPECT_EQ(d.brain.temperature, 0.7);
  EXPECT_EQ(d.brain.max_tokens, 4096);
  EXPECT_FALSE(d.brain.api_base);
  EXPECT_EQ(d.capabilities, Capabilities{});
  EXPECT_EQ(d.capabilities.shell.timeout_seconds, 120);
  EXPECT_EQ(d.interests, Interests{});
  EXPECT_TRUE(d.behavior.respond_to_mentions);
  EXPECT_TRUE(d.behavior.respond_to_replies);
  EXPECT_TRUE(d.behavior.respond_to_dms);
  EXPECT_EQ(d.behavior.max_iterations, 10);
  EXPECT_FALSE(d.behavior.max_iterations_given);
  EXPECT_TRUE(d.behavior.can_create_posts);
  EXPECT_FALSE(d.behavior.discovery.enabled);
  EXPECT_EQ(d.behavior.discovery.min_confidence, 0.7);
  EXPECT_EQ(d.behavior.limits.max_daily_posts, 5);
  EXPECT_EQ(d.behavior.limits.max_daily_comments, 50);
  EXPECT_EQ(d.behavior.limits.max_responses_per_thread, 3);
  EXPECT_EQ(d.behavior.limits.min_interval_seconds, 60);
  EXPECT_FALSE(d.memory.enabled);
  EXPECT_EQ(d.memory.max_size_mb, 100);
  EXPECT_EQ(d.memory.strategy, RetrievalStrategy::embedding_search);
  EXPECT_EQ(d.memory.max_context_items, 10);
  EXPECT_TRUE(d.network.enabled);
  EXPECT_EQ(d.system_prompt, "You are Scribe.");
}

TEST(ParseDefinition, ReadsEveryFieldOfBehaviorMemoryInterestsAndNetwork) {
  const auto parsed = parse(R"(display_name: The Scribe
description: Writes things down
version: "1.0.3"
cache_ttl: 45
interests:
  topics: [ink]
  communities: [m/general]
  keywords: [pen, paper]
  follow_agents: [ada]
behavior:
  respond_to_mentions: false
  respond_to_replies: no
  respond_to_dms: off
  max_iterations: 7
  can_create_posts: false
  discovery: {enabled: yes, frequency: hourly, respond_to_questions: on, respond_to_discussions: true, min_confidence: 1}
  limits: {max_daily_posts: 0, max_daily_comments: 1, max_responses_per_thread: 2, min_interval_seconds: 0}
memory:
  enabled: true
  remember: {conversations_with: [ada], projects_worked_on: true, decisions_made: true, feedback_received: true}
  max_size_mb: 5
  retrieval: {strategy: recent, max_context_items: 3, relevance_threshold: 0.25}
network: {enabled: false, allowed_hosts: [example.org, "example.org:8443"], blocked_hosts: [bad.example]}
)");
  const AgentDefinition& d = good(parsed);

  EXPECT_EQ(d.shown_name(), "The Scribe");
  EXPECT_EQ(d.cache_ttl, std::chrono::seconds(45));
  EXPECT_THAT(d.interests.keywords, ElementsAre("pen", "paper"));
  EXPECT_FALSE(d.behavior.respond_to_mentions);
  EXPECT_FALSE(d.behavior.respond_to_replies);
  EXPECT_FALSE(d.behavior.respond_to_dms);
  EXPECT_EQ(d.behavior.max_iterations, 7);
  EXPECT_TRUE(d.behavior.max_iterations_given);
  EXPECT_FALSE(d.behavior.can_create_posts);
  EXPECT_TRUE(d.behavior.discovery.enabled);
  EXPECT_TRUE(d.behavior.discovery.respond_to_questions);
  EXPECT_EQ(d.behavior.discovery.frequency, DiscoveryFrequency::hourly);
  EXPECT_EQ(d.behavior.discovery.min_confidence, 1);
  EXPECT_EQ(d.behavior.limits, (Limits{0, 1, 2, 0}));
  EXPECT_EQ(d.memory.strategy, RetrievalStrategy::recent);
  EXPECT_EQ(d.memory.relevance_threshold, 0.25);
  EXPECT_THAT(d.memory.conversations_with, ElementsAre("ada"));
  EXPECT_FALSE(d.network.enabled);
  EXPECT_THAT(d.network.allowed_hosts, ElementsAre("example.org", "example.org:8443"));
  EXPECT_THAT(only_problem(parsed),
              HasSubstr("INFO [scribe] agents/scribe/config.yaml:29:10 network:"));
}

TEST(ParseDefinition, ReadsEveryFieldOfCapabilities) {
  const auto parsed = parse_capabilities(R"(  grants: [hub:read, "aws:s3:read:bucket"]
  skills: [hub-post]
  mcp_servers:
    - brave-search
    - {name: weather, command: weather-server, args: [--port, 80], env: {KEY: "secret:w"}, required: true}
  shell: {enabled: true, allowed_commands: [git], blocked_patterns: [sudo], timeout_seconds: 3600}
  spawning: {can_propose: true, allowed_templates: [helper]}
)");
  const Capabilities& c = good(parsed).capabilities;

  EXPECT_THAT(c.grants, ElementsAre("hub:read", "aws:s3:read:bucket"));
  EXPECT_THAT(c.skills, ElementsAre("hub-post"));
  ASSERT_THAT(c.mcp_servers, SizeIs(2));
  EXPECT_EQ(c.mcp_servers[0].name, "brave");
  EXPECT_FALSE(c.mcp_servers[0].command);
  EXPECT_EQ(c.mcp_servers[1].command, "weather-server");
  EXPECT_THAT(c.mcp_servers[1].args, ElementsAre("--port", "80"));
  EXPECT_EQ(c.mcp_servers[1].env.at("KEY"), "secret:w");
  EXPECT_TRUE(c.mcp_servers[1].required);
  EXPECT_EQ(c.shell, (Shell{true, {"git"}, {"sudo"}, 3600}));
  EXPECT_TRUE(c.spawning.can_propose);
}

struct Fault {
  std::string fragment;  // after kHead, from line 7
  std::string expected;  // within the text of the only problem
};
void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.fragment;
}

class FieldFault : public testing::TestWithParam<Fault> {};

TEST_P(FieldFault, IsOneProblemThatNamesPlaceFieldValueAndCure) {
  const auto parsed = parse(GetParam().fragment);

  EXPECT_THAT(only_problem(parsed), HasSubstr(GetParam().expected));
  EXPECT_EQ(parsed.definition.has_value(), !has_errors(parsed.problems));
  EXPECT_FALSE(parsed.problems.empty() || parsed.problems.front().fix.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Rows, FieldFault,
    testing::Values(
        Fault{"version: 2.0.0\n", "7:10 version: version 2.0.0 of the schema is not known"},
        Fault{"version: \"1.4.0\"\n",
              "WARNING [scribe] agents/scribe/config.yaml:7:10 version: version 1.4.0"},
        Fault{"version: \"1.0\"\n", "version: \"1.0\" is not a version x.y.z"},
        Fault{"version: 1.0\n", "version: \"1.0\" is not text; put it in quotes"},
        Fault{"display_name: 5\n", "display_name: \"5\" is not text; put it in quotes"},
        Fault{"display_name: [a]\n", "display_name: a list is not text"},
        Fault{"display_name: " + std::string(101, 'x') + "\n",
              "display_name: 101 characters are more than 100"},
        Fault{"description: true\n", "description: \"true\" is not text"},
        Fault{"description: " + std::string(501, 'x') + "\n",
              "description: 501 characters are more than 500"},
        Fault{"cache_ttl: soon\n", "cache_ttl: \"soon\" is not a whole number of seconds 30..3600"},
        Fault{"cache_ttl: 5\n",
              "WARNING [scribe] agents/scribe/config.yaml:7:12 cache_ttl: 5 is outside 30..3600"},
        Fault{"cache_ttl: 999999\n", "taken as 3600"},
        Fault{"interests: ink\n", "interests: \"ink\" is not a mapping"},
        Fault{"interests:\n  topics: ink\n",
              "8:11 interests.topics: \"ink\" is not a list of texts; write it as a list"},
        Fault{"interests:\n  keywords: [2024]\n",
              "8:14 interests.keywords[0]: \"2024\" is not text; put it in quotes"},
        Fault{"interests:\n  keywords: [a, {b: c}]\n",
              "interests.keywords[1]: a mapping is not text"},
        Fault{"interests:\n  communities: [general]\n",
              "interests.communities[0]: \"general\" is not a community m/name"},
        Fault{"interests:\n  communities: [m/General]\n", "interests.communities[0]"},
        Fault{"interests:\n  follow_agents: [a, a]\n",
              "WARNING [scribe] agents/scribe/config.yaml:8:22 interests.follow_agents[1]: \"a\" "
              "is listed twice"},
        Fault{"interests:\n  keyword: [a]\n",
              "8:3 interests.keyword: unknown key, it has no effect (did you mean \"keywords\"?)"},
        Fault{"behavior:\n  respond_to_mentions: maybe\n",
              "8:24 behavior.respond_to_mentions: \"maybe\" is not true or false"},
        Fault{"behavior:\n  respond_to_replies: \"yes\"\n",
              "behavior.respond_to_replies: \"yes\" is not true or false; remove the quotes"},
        Fault{"behavior:\n  respond_to_dms: 1\n",
              "behavior.respond_to_dms: \"1\" is not true or false"},
        Fault{"behavior:\n  can_create_posts: [true]\n",
              "behavior.can_create_posts: a list is not true or false"},
        Fault{"behavior:\n  max_iterations: many\n",
              "behavior.max_iterations: \"many\" is not a whole number 1..50"},
        Fault{"behavior:\n  max_iterations: 0\n",
              "behavior.max_iterations: \"0\" is not a whole number 1..50"},
        Fault{"behavior:\n  max_iterations: 2.5\n",
              "behavior.max_iterations: \"2.5\" is not a whole number"},
        Fault{"behavior:\n  max_iterations: \"5\"\n", "remove the quotes"},
        Fault{"behavior:\n  max_iterations: 51\n",
              "WARNING [scribe] agents/scribe/config.yaml:8:19 behavior.max_iterations: \"51\" is "
              "more than 50"},
        Fault{"behavior:\n  max_daily_posts: -1\n",
              "behavior.max_daily_posts: \"-1\" is not a whole number of 0 or more"},
        Fault{"behavior:\n  discovery:\n    enabled: perhaps\n",
              "9:14 behavior.discovery.enabled: \"perhaps\""},
        Fault{"behavior:\n  discovery:\n    frequency: hourli\n",
              "behavior.discovery.frequency: \"hourli\" is not one of staleness, hourly, daily "
              "(did you mean \"hourly\"?); write hourly"},
        Fault{"behavior:\n  discovery:\n    min_confidence: 1.1\n",
              "behavior.discovery.min_confidence: \"1.1\" is not a number 0..1"},
        Fault{"behavior:\n  discovery:\n    min_confidence: high\n",
              "behavior.discovery.min_confidence: \"high\" is not a number 0..1"},
        Fault{"behavior:\n  limits:\n    max_daily_comments: -5\n",
              "behavior.limits.max_daily_comments: \"-5\""},
        Fault{"behavior:\n  limits:\n    max_responses_per_thread: x\n",
              "behavior.limits.max_responses_per_thread"},
        Fault{"behavior:\n  limits:\n    min_interval_seconds: 99999999999999999999\n",
              "behavior.limits.min_interval_seconds"},
        Fault{"behavior:\n  limit:\n    max_daily_posts: 1\n",
              "behavior.limit: unknown key, it has no effect (did you mean \"limits\"?)"},
        Fault{"behavior:\n  posting: {}\n", "behavior.posting: unknown key"},
        Fault{"memory:\n  enabled: 2\n", "memory.enabled"},
        Fault{"memory:\n  max_size_mb: 1001\n",
              "memory.max_size_mb: \"1001\" is not a whole number 1..1000"},
        Fault{"memory:\n  retrieval:\n    strategy: embeding_search\n",
              "did you mean \"embedding_search\"?"},
        Fault{"memory:\n  retrieval:\n    max_context_items: 0\n",
              "memory.retrieval.max_context_items"},
        Fault{"memory:\n  retrieval:\n    relevance_threshold: -0.1\n",
              "memory.retrieval.relevance_threshold"},
        Fault{"memory:\n  storage: {}\n",
              "WARNING [scribe] agents/scribe/config.yaml:8:3 memory.storage: unknown key"},
        Fault{"sandbox:\n  image: x\n",
              "INFO [scribe] agents/scribe/config.yaml:8:10 sandbox.image: has no effect"},
        Fault{"executor:\n  command: x\n",
              "WARNING [scribe] agents/scribe/config.yaml:8:3 executor: has no effect for agents "
              "of type native"},
        Fault{"observability: {}\n", "7:1 observability: unknown key, it has no effect; remove it"},
        Fault{"behaviour: {}\n", "did you mean \"behavior\"?"}));

class BrainFault : public testing::TestWithParam<Fault> {};

TEST_P(BrainFault, IsOneProblem) {
  const auto parsed = parse_brain(GetParam().fragment);

  EXPECT_THAT(only_problem(parsed), HasSubstr(GetParam().expected));
  EXPECT_EQ(parsed.definition.has_value(), !has_errors(parsed.problems));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BrainFault,
    testing::Values(
        Fault{"  temperature: hot\n  model: m\n",
              "5:16 brain.temperature: \"hot\" is not a number 0..2; write a number 0..2"},
        Fault{"  model: m\n  temperature: 2.01\n",
              "6:16 brain.temperature: \"2.01\" is not a number 0..2"},
        Fault{"  model: m\n  temperature: .nan\n", "brain.temperature: \".nan\" is not a number"},
        Fault{"  model: m\n  temperature: \"0.5\"\n", "remove the quotes"},
        Fault{"  model: m\n  max_tokens: 99\n",
              "brain.max_tokens: \"99\" is not a whole number 100..128000"},
        Fault{"  model: m\n  max_tokens: 128001\n", "brain.max_tokens"},
        Fault{"  model: \"\"\n", "brain.model: is empty"},
        Fault{"  model: [m]\n", "brain.model: a list is not text"},
        Fault{"  model: m\n  provider: antropic\n",
              "brain.provider: \"antropic\" is not one of anthropic, openai, google, local, "
              "ollama, deepseek (did you mean \"anthropic\"?)"},
        Fault{"  model: m\n  provider: groq\n", "or add brain.api_base"},
        Fault{"  model: m\n  api_base: llm.example.org\n",
              "brain.api_base: \"llm.example.org\" is not an http or https URL"},
        Fault{"  model: m\n  api_base: ftp://x\n", "brain.api_base"},
        Fault{"  model: m\n  api_base: https://me:secret@x.org\n",
              "brain.api_base: the URL holds a user name or password"},
        Fault{"  model: m\n  api_key_env: HUB_API_KEY\n",
              "brain.api_key_env: \"HUB_API_KEY\" is not a variable that agents may use"},
        Fault{"  model: m\n  api_key_env: sk-ant-123\n",
              "brain.api_key_env: the value is not the name of an environment variable"},
        Fault{"  model: m\n  api_key: sk-ant-123\n",
              "brain.api_key: a key must not stand in a definition"},
        Fault{"  model: m\n  top_p: 1\n",
              "WARNING [scribe] agents/scribe/config.yaml:6:3 brain.top_p: unknown key"}));

TEST(ParseDefinition, NeverShowsWhatMayBeAKey) {
  for (const std::string line : {"api_key_env: sk-ant-123", "api_key: sk-ant-123",
                                 "api_base: https://u:sk-ant-123@h", "secret_token: sk-ant-123"}) {
    const auto parsed = parse_brain("  model: m\n  " + line + "\n");
    EXPECT_THAT(all_text(parsed), testing::Not(HasSubstr("sk-ant"))) << line;
    for (const Problem& problem : parsed.problems)
      EXPECT_THAT(problem.value, testing::Not(HasSubstr("sk-ant")));
  }
}

class CapabilityFault : public testing::TestWithParam<Fault> {};

TEST_P(CapabilityFault, IsOneProblem) {
  const auto parsed = parse_capabilities(GetParam().fragment);

  EXPECT_THAT(only_problem(parsed), HasSubstr(GetParam().expected));
  EXPECT_EQ(parsed.definition.has_value(), !has_errors(parsed.problems));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CapabilityFault,
    testing::Values(
        Fault{"  grants: hub:read\n",
              "5:11 capabilities.grants: \"hub:read\" is not a list of texts; write it as a list: "
              "[\"hub:read\"]"},
        Fault{"  grants: [hub]\n", "capabilities.grants[0]: \"hub\" is not service:permission"},
        Fault{"  grants: [\"hub:*\"]\n",
              "has a wildcard, which only the operator's policy may use"},
        Fault{"  grants: [\"Hub:Read\"]\n", "has characters other than a-z, 0-9 and -"},
        Fault{"  grants: [\"a:b:c:d:e\"]\n", "capabilities.grants[0]"},
        Fault{"  grants: [\"hub::read\"]\n", "has an empty part"},
        Fault{"  grants: [hub:wriet]\n",
              "WARNING [scribe] agents/scribe/config.yaml:5:12 capabilities.grants[0]: "
              "\"hub:wriet\" unlocks nothing (did you mean \"hub:write\"?)"},
        Fault{"  grants: [githb:read]\n", "did you mean \"github:read\"?"},
        Fault{"  grants: [hub:read, hub:read]\n", "is listed twice"},
        Fault{"  skills: [Hub_Post]\n", "capabilities.skills[0]: \"Hub_Post\" is not a skill name"},
        Fault{"  skills: [../etc]\n", "capabilities.skills[0]"},
        Fault{"  mcp_servers: github\n", "capabilities.mcp_servers: \"github\" is not a list"},
        Fault{"  mcp_servers: [gihub]\n",
              "WARNING [scribe] agents/scribe/config.yaml:5:17 capabilities.mcp_servers[0]: "
              "\"gihub\" is not a known server (did you mean \"github\"?)"},
        Fault{"  mcp_servers: [brave-search]\n",
              "INFO [scribe] agents/scribe/config.yaml:5:17 capabilities.mcp_servers[0]: "
              "\"brave-search\" is another name of brave; write brave"},
        Fault{"  mcp_servers: [{command: x}]\n", "capabilities.mcp_servers[0].name: is required"},
        Fault{"  mcp_servers: [{name: x}]\n", "capabilities.mcp_servers[0].command: is required"},
        Fault{"  mcp_servers: [{name: x, command: y, evn: {}}]\n", "did you mean \"env\"?"},
        Fault{"  mcp_servers: [[a]]\n",
              "capabilities.mcp_servers[0]: a list is not the name of a server"},
        Fault{"  shell: true\n", "capabilities.shell: \"true\" is not a mapping"},
        Fault{"  shell: {enabled: 7}\n", "capabilities.shell.enabled"},
        Fault{"  shell: {timeout_seconds: 3601}\n",
              "capabilities.shell.timeout_seconds: \"3601\" is not a whole number 1..3600"},
        Fault{"  shell: {timeout_seconds: 0}\n", "capabilities.shell.timeout_seconds"},
        Fault{"  shell: {allowed_commands: [git push]}\n",
              "\"git push\" is not the name of a program"},
        Fault{"  spawning: {can_propose: x}\n", "capabilities.spawning.can_propose"},
        Fault{"  filesystem: {}\n", "capabilities.filesystem: unknown key"}));

TEST(ParseDefinition, ReportsABadHostBesideTheNote) {
  const auto parsed = parse_capabilities("  network: {allowed_hosts: [\"https://x.org/\"]}\n");

  EXPECT_THAT(
      all_text(parsed),
      HasSubstr(
          "capabilities.network.allowed_hosts[0]: \"https://x.org/\" is not host or host:port"));
  EXPECT_FALSE(parsed.definition);
}

TEST(ParseDefinition, TypeAliasesAndUnknownTypes) {
  const auto type_of = [](const std::string& type) {
    return parse_text("name: scribe\nbrain: {model: m}\ncapabilities: {}\ntype: " + type + "\n");
  };
  EXPECT_EQ(good(type_of("builtin")).type, ExecutorType::native);
  EXPECT_EQ(good(type_of("direct")).type, ExecutorType::native);
  EXPECT_EQ(good(type_of("claude")).type, ExecutorType::claude_code);
  EXPECT_EQ(good(type_of("claude-cli")).type_name, "claude-code");
  EXPECT_EQ(good(type_of("goose")).type, ExecutorType::goose);
  EXPECT_EQ(good(type_of("aider")).type, ExecutorType::aider);
  EXPECT_EQ(good(type_of("opencode")).type, ExecutorType::opencode);
  EXPECT_THAT(only_problem(type_of("claude_cod")),
              HasSubstr("4:7 type: \"claude_cod\" is not one of native, claude-code"));
  EXPECT_THAT(only_problem(type_of("claude_cod")), HasSubstr("write claude-code"));
  EXPECT_THAT(only_problem(type_of("amp")), HasSubstr("is not one of"));
  EXPECT_THAT(only_problem(type_of("custom")),
              HasSubstr("type custom without executor.command runs as native"));
}

TEST(ParseDefinition, CustomCommandKeepsPlaceholdersAsWritten) {
  const auto parsed = parse_text(
      "name: scribe\ntype: custom\nbrain: {model: m}\ncapabilities: {}\n"
      "executor: {command: tool, args: [--prompt, \"${PROMPT}\", 3], env: {LEVEL: 2, TOKEN: "
      "\"${MY_TOKEN}\"}}\n");
  const ExecutorCommand& executor = good(parsed).executor;

  EXPECT_EQ(executor.command, "tool");
  EXPECT_THAT(executor.args, ElementsAre("--prompt", "${PROMPT}", "3"));
  EXPECT_EQ(executor.env.at("LEVEL"), "2");
  EXPECT_EQ(executor.env.at("TOKEN"), "${MY_TOKEN}");
  EXPECT_THAT(parsed.problems, IsEmpty());
}

TEST(ParseDefinition, NameMustEqualTheFolder) {
  const std::string rest = "type: native\nbrain: {model: m}\ncapabilities: {}\n";
  EXPECT_THAT(only_problem(parse_text("name: scribble\n" + rest)),
              HasSubstr("1:7 name: \"scribble\" is not the name of its folder, \"scribe\""));
  EXPECT_THAT(only_problem(parse_text("name: Scribe\n" + rest)),
              HasSubstr("name: \"Scribe\" is not 3 to 50 characters"));
  EXPECT_THAT(only_problem(parse_text("name: ab\n" + rest, {}, "ab")),
              HasSubstr("is not 3 to 50 characters"));
  EXPECT_TRUE(parse_text("name: " + std::string(50, 'a') + "\n" + rest, {}, std::string(50, 'a'))
                  .definition);
  EXPECT_FALSE(parse_text("name: " + std::string(51, 'a') + "\n" + rest, {}, std::string(51, 'a'))
                   .definition);
  EXPECT_THAT(only_problem(parse_text("name: 12345\n" + rest, {}, "12345")),
              HasSubstr("is not text; put it in quotes"));
}

TEST(ParseDefinition, MissingRequiredFieldsTakeDefaultsWithAWarningOrAreErrors) {
  const auto loaded = parse_text("display_name: x\n", {.default_type = "native"});
  EXPECT_EQ(good(loaded).name, "scribe");
  EXPECT_EQ(good(loaded).type, ExecutorType::native);
  EXPECT_EQ(good(loaded).brain.model, "claude-sonnet-4-20250514");
  EXPECT_THAT(loaded.problems, SizeIs(4));

  const auto checked = parse_text("display_name: x\n", {.missing_is_error = true});
  EXPECT_FALSE(checked.definition);
  EXPECT_THAT(checked.problems, SizeIs(4));
  for (const char* field : {"name", "type", "brain.model", "capabilities"}) {
    EXPECT_THAT(all_text(checked),
                HasSubstr(std::string(" ") + field + ": is required; add " + field));
  }
}

TEST(ParseDefinition, DefaultsComeFromSettings) {
  ParseOptions options;
  options.default_brain.model = "glm-4.7";
  options.default_brain.temperature = 0.1;
  options.default_brain.max_tokens = 500;
  const auto parsed = parse_text(
      "name: scribe\ntype: native\ncapabilities: {}\nbrain: {temperature: 1}\n", options);

  EXPECT_EQ(good(parsed).brain.model, "glm-4.7");
  EXPECT_EQ(good(parsed).brain.temperature, 1);
  EXPECT_EQ(good(parsed).brain.max_tokens, 500);
}

TEST(ParseDefinition, NullSectionsAreDefaults) {
  const auto parsed = parse(
      "interests:\nbehavior: ~\nmemory: "
      "null\nnetwork:\nexecutor:\ndisplay_name:\ncache_ttl:\nversion:\n");
  EXPECT_THAT(parsed.problems, IsEmpty()) << all_text(parsed);
  EXPECT_EQ(good(parsed).behavior, Behavior{});

  const auto inner = parse(
      "behavior:\n  discovery:\n  limits:\n  notifications:\n  max_iterations:\nmemory:\n  "
      "remember:\n  retrieval:\ninterests:\n  topics:\n");
  EXPECT_THAT(inner.problems, IsEmpty()) << all_text(inner);

  const auto brain = parse_text("name: scribe\ntype: native\nbrain:\ncapabilities:\n");
  EXPECT_EQ(good(brain).brain.model, "claude-sonnet-4-20250514");
  EXPECT_THAT(only_problem(brain),
              HasSubstr("WARNING [scribe] agents/scribe/config.yaml brain.model: is missing"));
}

TEST(ParseDefinition, OldPlacesOfLimitsAndNotificationsCountOnlyWhereNewOnesAreSilent) {
  const auto old = parse(
      "behavior:\n  max_daily_posts: 9\n  max_daily_comments: 8\n  notifications: {respond_to_dms: "
      "false}\n");
  EXPECT_EQ(good(old).behavior.limits.max_daily_posts, 9);
  EXPECT_EQ(good(old).behavior.limits.max_daily_comments, 8);
  EXPECT_FALSE(good(old).behavior.respond_to_dms);
  EXPECT_THAT(old.problems, IsEmpty()) << all_text(old);

  const auto both = parse(
      "behavior:\n  max_daily_posts: 9\n  limits: {max_daily_posts: 2}\n"
      "  respond_to_dms: true\n  notifications: {respond_to_dms: false}\n");
  EXPECT_EQ(good(both).behavior.limits.max_daily_posts, 2);
  EXPECT_TRUE(good(both).behavior.respond_to_dms);
}

TEST(ParseDefinition, NetworkIsReadAtBothPlacesAndTheOuterWins) {
  const auto inner = parse_capabilities("  network: {enabled: true, allowed_hosts: [a.org]}\n");
  EXPECT_THAT(good(inner).network.allowed_hosts, ElementsAre("a.org"));

  const auto both = parse_capabilities(
      "  network: {allowed_hosts: [a.org]}\nnetwork: {allowed_hosts: [b.org]}\n");
  EXPECT_THAT(good(both).network.allowed_hosts, ElementsAre("b.org"));
  EXPECT_THAT(all_text(both), HasSubstr("WARNING [scribe] agents/scribe/config.yaml:6:10 network: "
                                        "stands here and under capabilities"));
}

TEST(ParseDefinition, AnOperatorMayAllowKeyNamesAndServers) {
  const std::string text =
      "name: scribe\ntype: native\nbrain: {model: m, api_key_env: ZAI_KEY}\ncapabilities: "
      "{mcp_servers: [wiki]}\n";
  EXPECT_FALSE(parse_text(text).definition);
  const auto parsed =
      parse_text(text, {.api_key_env_allow = {"ZAI_KEY"}, .mcp_servers_known = {"wiki"}});
  EXPECT_EQ(good(parsed).brain.api_key_env, "ZAI_KEY");
  EXPECT_THAT(parsed.problems, IsEmpty()) << all_text(parsed);
}

TEST(ParseDefinition, WhatTheOperatorsServersAskForIsNoMistake) {
  const std::string text =
      "name: scribe\ntype: native\nbrain: {model: m}\ncapabilities: {grants: [ctx:write, "
      "hub:wriet], mcp_servers: [clock]}\n";
  const auto known =
      parse_text(text, {.mcp_servers_known = {"clock"}, .grants_known = {"ctx:read", "ctx:write"}});
  EXPECT_THAT(only_problem(known), HasSubstr("\"hub:wriet\" unlocks nothing"));

  // Where the operator's file was not read, nobody is told to write something else.
  const auto unread = all_text(parse_text(text, {.mcp_servers_complete = false}));
  EXPECT_THAT(unread, HasSubstr("INFO [scribe] agents/scribe/config.yaml:4:25 "
                                "capabilities.grants[0]: \"ctx:write\" unlocks nothing that is "
                                "known here"));
  EXPECT_THAT(unread, HasSubstr("INFO [scribe] agents/scribe/config.yaml:4:62 "
                                "capabilities.mcp_servers[0]: \"clock\" is not a known server, "
                                "unless the runners' MCP_SERVERS_FILE names it"));
  EXPECT_THAT(unread, HasSubstr("WARNING [scribe] agents/scribe/config.yaml:4:36"));

  const auto misspelt = parse_text(
      "name: scribe\ntype: native\nbrain: {model: m}\ncapabilities: {grants: [ctx:wriet]}\n",
      {.grants_known = {"ctx:write"}});
  EXPECT_THAT(all_text(misspelt), testing::Not(HasSubstr("hub:write")));
}

TEST(ParseDefinition, TheCureOfABadNameIsAGoodOne) {
  const std::string rest = "type: native\nbrain: {model: m}\ncapabilities: {}\n";
  for (const auto& [folder, cure] :
       {std::pair<std::string, std::string>{"A-One", "rename the folder to a-one and write a-one"},
        {"a_one", "rename the folder to a-one and write a-one"},
        {"ab", "rename the folder to ab-agent and write ab-agent"},
        {"Große Köchin", "rename the folder to gro-e-k-chin and write gro-e-k-chin"},
        {"___", "rename the folder to my-agent and write my-agent"}}) {
    EXPECT_THAT(all_text(parse_text("name: \"" + folder + "\"\n" + rest, {}, folder)),
                HasSubstr(cure));
  }
  EXPECT_THAT(all_text(parse_text("name: Scribe\n" + rest)), HasSubstr("write scribe"));
}

TEST(ParseDefinition, AnyProviderWorksWithItsOwnEndpoint) {
  EXPECT_EQ(
      good(parse_brain(
               "  model: m\n  provider: groq\n  api_base: https://api.groq.example/openai/v1\n"))
          .brain.provider,
      "groq");
  for (const std::string provider :
       {"anthropic", "openai", "google", "deepseek", "ollama", "local"}) {
    EXPECT_TRUE(parse_brain("  model: m\n  provider: " + provider + "\n").definition) << provider;
  }
}

TEST(ParseDefinition, UnknownKeysAreErrorsWhenStrict) {
  EXPECT_TRUE(parse("tool: x\n").definition);
  const auto parsed = parse("tool: x\n", {.strict = true});
  EXPECT_FALSE(parsed.definition);
  EXPECT_THAT(only_problem(parsed),
              HasSubstr("ERROR [scribe] agents/scribe/config.yaml:7:1 tool: unknown key"));
}

TEST(ParseDefinition, CollectsAllProblemsInTheOrderOfTheFile) {
  const auto parsed = parse_text(
      "name: scribe\ntype: natve\nbrain:\n  model: m\n  temperature: hot\nbehavior:\n  "
      "max_iterations: x\ncapabilities: {grants: [bad]}\n");
  std::vector<int> lines;
  for (const Problem& problem : parsed.problems)
    lines.push_back(problem.line);
  EXPECT_THAT(lines, ElementsAre(2, 5, 7, 8));
}

TEST(ParseDefinition, InvalidDefinitionErrorBeginsAsAgreedAndNamesTheFirstFault) {
  const auto parsed = parse_brain("  model: m\n  temperature: hot\n  max_tokens: 1\n");
  const Error error = invalid_definition(parsed.problems);

  EXPECT_EQ(error.code(), errc::definition_invalid);
  EXPECT_EQ(error.message(),
            "Agent config invalid: agents/scribe/config.yaml:6:16 brain.temperature: \"hot\" is "
            "not a number 0..2; "
            "write a number 0..2 (and 1 more; botburrow validate shows all)");
}

TEST(ParseDefinition, FilesThatHoldNoFields) {
  EXPECT_THAT(only_problem(parse_text("")),
              HasSubstr("ERROR [scribe] agents/scribe/config.yaml: the file is empty"));
  EXPECT_THAT(only_problem(parse_text("# only a comment\n")), HasSubstr("the file is empty"));
  EXPECT_THAT(only_problem(parse_text("---\n")), HasSubstr("the file is empty"));
  EXPECT_THAT(only_problem(parse_text("- a\n- b\n")), HasSubstr("does not hold fields but a list"));
  EXPECT_THAT(only_problem(parse_text("just words")),
              HasSubstr("does not hold fields but \"just words\""));
}

TEST(ParseDefinition, PromptIsVerbatimAndBounded) {
  const std::string config(kHead);
  const auto kept = parse_definition(
      {.agent = "scribe", .config = config, .prompt = "\xEF\xBB\xBFLine\r\n  end \n"});
  EXPECT_EQ(good(kept).system_prompt, "Line\r\n  end \n");

  const auto broken = parse_definition({.agent = "scribe", .config = config, .prompt = "caf\xE9"});
  EXPECT_EQ(good(broken).system_prompt, "caf\xEF\xBF\xBD");
  EXPECT_THAT(
      only_problem(broken),
      HasSubstr("WARNING [scribe] system-prompt.md system_prompt: has bytes that are not UTF-8"));

  EXPECT_FALSE(
      parse_definition(
          {.agent = "scribe", .config = config, .prompt = std::string(kPromptBytesMax + 1, 'x')})
          .definition);
}

TEST(NearestName, FindsSlipsAndNothingElse) {
  const std::vector<std::string> names{"temperature", "max_tokens", "model", "hub:read"};
  EXPECT_EQ(nearest_name("temprature", names), "temperature");
  EXPECT_EQ(nearest_name("maxTokens", names), "max_tokens");
  EXPECT_EQ(nearest_name("modle", names), "model");
  EXPECT_EQ(nearest_name("observability", names), std::nullopt);
  EXPECT_EQ(nearest_name("", names), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100'000, 'm'), names), std::nullopt);
}

TEST(CacheJson, BringsBackEveryField) {
  auto parsed = parse_capabilities(R"(  grants: [hub:read]
  mcp_servers: [github, {name: w, command: c, args: [a], env: {K: v}, required: true}]
  shell: {enabled: true, allowed_commands: [git], timeout_seconds: 5}
behavior: {max_iterations: 3, discovery: {enabled: true, frequency: daily}, limits: {max_daily_posts: 0}}
memory: {enabled: true, retrieval: {strategy: keyword}}
interests: {topics: [t], communities: [m/a]}
network: {enabled: false}
display_name: "Schrei\u0308ber"
)");
  AgentDefinition d = good(parsed);
  d.config_source = "/definitions";
  d.commit = "0123456789abcdef0123456789abcdef01234567";
  d.loaded_at = *parse_rfc3339("2026-02-07T10:00:00.123Z");

  const std::string text = to_cache_json(d);
  EXPECT_EQ(from_cache_json(text), d);
  EXPECT_THAT(text, HasSubstr("\"r2_path\":\"\""));
  EXPECT_THAT(text, HasSubstr("\"system_prompt\":\"You are Scribe.\""));
}

TEST(CacheJson, WhatDoesNotParseIsAMiss) {
  EXPECT_FALSE(from_cache_json(""));
  EXPECT_FALSE(from_cache_json("[]"));
  EXPECT_FALSE(from_cache_json("{}"));
  EXPECT_FALSE(from_cache_json(R"({"name":"x","type":"amp"})"));
  EXPECT_FALSE(from_cache_json(R"({"name":"../x","type":"native"})"));
  EXPECT_FALSE(from_cache_json(R"({"name":"x","type":"native","brain":{"temperature":"hot"}})"));
  EXPECT_FALSE(from_cache_json(R"({"name":"x","type":"native","brain":[]})"));
  EXPECT_FALSE(
      from_cache_json(R"({"name":"x","type":"native","capabilities":{"grants":"hub:write"}})"));
  EXPECT_TRUE(from_cache_json(R"({"name":"x","type":"native"})"));
}

}  // namespace
}  // namespace botburrow::definitions
