#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace botburrow::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// `runner --agent NAME --once`: one activation, without a coordinator.
class Once : public ServicesWorld {
 protected:
  void SetUp() override {
    define_agent("anna");
    start_hub();
    register_agent("anna");
    set("LLM_MAX_RETRIES", "0");
  }
  Ran once(const std::string& agent = "anna", Words more = {}) {
    Words words = {"runner", "--agent", agent, "--once"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
};

// A definition comes from a repository: it may say where a model is, not where our keys go.
TEST_F(Once, AVendorsKeyIsNotSentWhereADefinitionWantsIt) {
  set("ANTHROPIC_API_KEY", secret("sk-ant-canary-of-the-vendor-0123456789"));
  define_agent("anna", {.brain = "  api_base: https://llm.example.org\n"});
  post_as_owner("@anna hello");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  for (const auto* word : {"anna", "brain.api_base", "https://llm.example.org", "ANTHROPIC_API_KEY",
                           "MODEL_HOSTS_ALLOW", "AGENT_KEY_ENV_ALLOW"})
    EXPECT_THAT(ran.out + ran.err, HasSubstr(word));
  const auto doubt = run({"validate", definitions()});
  EXPECT_THAT(doubt.out, HasSubstr("WARNING [anna]"));
  EXPECT_THAT(doubt.out, HasSubstr("MODEL_HOSTS_ALLOW"));

  define_agent("anna", {.brain = "  api_base: https://llm.example.org\n"
                                 "  api_key_env: ANTHROPIC_API_KEY\n"});
  const auto sure = run({"validate", definitions()});
  EXPECT_EQ(sure.code, 65);
  EXPECT_THAT(sure.out, HasSubstr("ERROR [anna]"));
  EXPECT_THAT(sure.out, HasSubstr("brain.api_base: \"https://llm.example.org\" would have "
                                  "ANTHROPIC_API_KEY sent to llm.example.org"));
  set("MODEL_HOSTS_ALLOW", "*.example.org");
  EXPECT_EQ(run({"validate", definitions()}).code, 0);
  set("MODEL_HOSTS_ALLOW", "https://llm.example.org");
  EXPECT_EQ(once().code, 78);
}

TEST_F(Once, AnAgentsOwnAddressInTheOperatorsNetworkGetsTheKey) {
  use_model();
  set("ANTHROPIC_BASE_URL", "");
  define_agent("anna", {.brain = fmt::format("  api_base: {}\n", model().url())});
  const auto id = post_as_owner("@anna hello");
  const auto ran = once();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers_of(look_at(id), "anna"), SizeIs(1));
}

TEST_F(Once, AnsweredIsZero) {
  use_model();
  const auto id = post_as_owner("@anna hello");
  const auto ran = once("anna", {"--json"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const auto result = ran.json();
  EXPECT_EQ(text_of(result, "agent"), "anna");
  EXPECT_EQ(text_of(result, "status"), "success");
  const auto& notes = result.at("notifications").as_array();
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_EQ(text_of(notes.front(), "outcome"), "answered");
  const auto answers = answers_of(look_at(id), "anna");
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(text_of(answers.front(), "id"), text_of(notes.front(), "comment_id"));
  EXPECT_EQ(cli_line({"HLEN", "work:active"}), "0");
  EXPECT_EQ(cli_line({"LLEN", "work:queue:high"}), "0");
  // Once more: nothing is left to do.
  EXPECT_EQ(once().code, 2);
  EXPECT_THAT(answers_of(look_at(id), "anna"), SizeIs(1));
}

TEST_F(Once, FormWithEqualsSign) {
  use_model();
  post_as_owner("@anna hello");
  EXPECT_EQ(run({"runner", "--agent=anna", "--once"}).code, 0);
}

TEST_F(Once, NothingToDoIsSkipped) {
  const auto ran = once();
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("No unread notifications"));
}

TEST_F(Once, FailingModelIsOne) {
  use_model().script([](const auto&) { return test::LlmSimulator::Answer::error(500); });
  const auto id = post_as_owner("@anna hello");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("LLM error"));
  EXPECT_THAT(answers_of(look_at(id), "anna"), IsEmpty());
}

TEST_F(Once, MissingKeyNamesIt) {
  const auto id = post_as_owner("@anna hello");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1) << "a plain runner falls back on nothing";
  EXPECT_THAT(ran.out + ran.err, HasSubstr("ANTHROPIC_API_KEY"));
  EXPECT_THAT(answers_of(look_at(id), "anna"), IsEmpty());
  EXPECT_EQ(once("anna", {"--llm", "offline"}).code, 0);
  EXPECT_THAT(answers_of(look_at(id), "anna"), SizeIs(1));
}

TEST_F(Once, RefusedKeyIsSaidInPlainWords) {
  use_model();
  const auto wrong = secret("sk-test-wrong-canary-9876543210");
  set("ANTHROPIC_API_KEY", wrong);
  post_as_owner("@anna hello");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("Invalid API key (anthropic)"));
}

TEST_F(Once, UnknownAgentNamesThePath) {
  const auto ran = once("nobody");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err + ran.out,
              HasSubstr("Agent config not found: " + definitions() + "/agents/nobody/config.yaml"));
}

TEST_F(Once, AgentOfAnotherKindNeedsItsExecutor) {
  define_agent("coder", {.type = "claude-code"});
  register_agent("coder");
  const auto ran = once("coder");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err + ran.out, HasSubstr("Executor 'claude-code' not available"));
}

TEST_F(Once, AgentThatTheHubDoesNotKnow) {
  define_agent("stranger");
  const auto ran = once("stranger");
  EXPECT_NE(ran.code, 0);
  EXPECT_THAT(ran.err + ran.out, HasSubstr("stranger"));
}

TEST_F(Once, RedisThatIsNotThere) {
  redis_.kill9();
  const auto ran = once();
  EXPECT_EQ(ran.code, 69);
  EXPECT_THAT(ran.err, HasSubstr("Error connecting to Redis: Connection refused"));
}

TEST_F(Once, HubThatIsNotThere) {
  set("HUB_URL", fmt::format("http://127.0.0.1:{}", closed_port(io_)));
  const auto ran = once();
  EXPECT_EQ(ran.code, 69) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("Connection refused"));
}

TEST_F(Once, WrongHubKey) {
  set("HUB_API_KEY", secret("botburrow_service_canary_wrong_0123456789"));
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("401 Unauthorized from Hub API"));
}

TEST_F(Once, BesideARunnerThatIsAtIt) {
  use_model().script([](const auto&) {
    auto answer = test::LlmSimulator::Answer::say("Slowly.");
    answer.delay = 1500ms;
    return answer;
  });
  start({"coordinator"});
  start({"runner"});
  const auto id = post_as_owner("@anna hello");
  eventually("the runner asks the model", [&] { return model().requests() == 1; });
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("being worked on"));
  eventually("the runner answers", [&] { return answers_of(look_at(id), "anna").size() == 1; });
}

}  // namespace
}  // namespace botburrow::e2e
