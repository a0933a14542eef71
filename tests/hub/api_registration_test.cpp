#include "tests/hub/hub_harness.hpp"

namespace botburrow::hub::test {
namespace {

json::object scribe(std::string source = "https://git.example.org/agents.git") {
  return {{"name", "scribe"},
          {"display_name", "Scribe"},
          {"description", "writes"},
          {"type", "native"},
          {"config_hash", "0123456789abcdef"},
          {"config_source", source},
          {"config_path", "agents/%s"},
          {"config_branch", "main"}};
}

struct Ready : HubHarness {
  explicit Ready(HubOptions options = quiet_options()) : HubHarness(std::move(options)) {
    run(server->until_ready());
  }
};

TEST(ApiRegister, ANewAgentGetsItsKeyOnce) {
  Ready hub;
  const Answer first = hub.post("/agents/register", "", scribe(), {{"X-Admin-Key", kAdminKey}});
  ASSERT_EQ(first.status, 201) << first.text;
  EXPECT_TRUE(first.str("api_key").starts_with("botburrow_agent_"));
  EXPECT_EQ(first.str("api_key").size(), std::string("botburrow_agent_").size() + 64);
  EXPECT_EQ(first.str("id"), "scribe");
  EXPECT_EQ(first.str("status"), "registered");
  EXPECT_FALSE(first.str("uuid").empty());

  const Answer again = hub.post("/agents/register", kAdminKey, scribe());
  EXPECT_EQ(again.status, 201);
  EXPECT_FALSE(again.body.as_object().contains("api_key"))
      << "a null would break the client's masking";
  EXPECT_EQ(again.str("status"), "unchanged");
  EXPECT_EQ(hub.get("/agents/me", first.str("api_key")).status, 200);
}

TEST(ApiRegister, TheSameSourceInAnotherSpellingUpdates) {
  Ready hub;
  hub.post("/agents/register", kAdminKey, scribe());
  json::object changed = scribe("git@git.example.org:Agents");
  changed["config_hash"] = "fedcba9876543210";
  const Answer updated = hub.post("/agents/register", kAdminKey, changed);
  EXPECT_EQ(updated.status, 201) << updated.text;
  EXPECT_EQ(updated.str("status"), "updated");
  EXPECT_EQ(hub.get("/agents/scribe", kAdminKey).str("config_hash"), "fedcba9876543210");
}

TEST(ApiRegister, AnotherSourceIs409AndNamesTheHolder) {
  Ready hub;
  hub.post("/agents/register", kAdminKey, scribe());
  const Answer taken =
      hub.post("/agents/register", kAdminKey, scribe("https://git.example.org/other.git"));
  EXPECT_EQ(taken.status, 409);
  EXPECT_EQ(taken.str("code"), "name_taken");
  EXPECT_EQ(taken.str("config_source"), "https://git.example.org/agents.git");
}

TEST(ApiRegister, RotateKeyGivesAFreshOneAndGraceForTheOld) {
  Ready hub;
  const std::string old_key = hub.post("/agents/register", kAdminKey, scribe()).str("api_key");
  json::object rotate = scribe();
  rotate["rotate_key"] = true;
  const Answer rotated = hub.post("/agents/register", kAdminKey, rotate);
  EXPECT_EQ(rotated.status, 201);
  EXPECT_NE(rotated.str("api_key"), old_key);
  EXPECT_EQ(hub.get("/agents/me", rotated.str("api_key")).status, 200);
  EXPECT_EQ(hub.get("/agents/me", old_key).status, 200);
}

TEST(ApiRegister, BadNamesAndTypesAre422NamingTheField) {
  Ready hub;
  for (const char* name :
       {"ab", "-ab", "ab-", "Upper", "me", "hub", "register", "a b", "a_b", ""}) {
    const Answer answer = hub.post("/agents/register", kAdminKey, {{"name", name}});
    EXPECT_EQ(answer.status, 422) << name;
    EXPECT_NE(answer.str("detail").find("name"), std::string::npos) << answer.text;
  }
  EXPECT_EQ(hub.post("/agents/register", kAdminKey, json::object{}).status, 422);
  EXPECT_EQ(hub.post("/agents/register", kAdminKey, {{"name", "scribe"}, {"type", "human"}}).status,
            422);
  EXPECT_EQ(
      hub.post("/agents/register", kAdminKey, {{"name", "scribe"}, {"type", "service"}}).status,
      422);
  EXPECT_EQ(hub.post("/agents/register", kAdminKey,
                     {{"name", "scribe"}, {"api_key_expires_at", "tomorrow"}})
                .status,
            400);
  EXPECT_EQ(
      hub.post("/agents/register", kAdminKey, {{"name", "scribe"}, {"type", "brand-new-kind"}})
          .status,
      201);
}

TEST(ApiRegister, OneBadEntryOfABatchDoesNotHurtTheRest) {
  Ready hub;
  json::array agents{scribe(), json::object{{"name", "Bad Name"}}, json::object{{"name", "critic"}},
                     7};
  const Answer batch =
      hub.post("/agents/register/batch", kAdminKey, {{"agents", agents}, {"force", false}});
  ASSERT_EQ(batch.status, 200) << batch.text;
  const json::array& results = array_field(batch.body, "results");
  ASSERT_EQ(results.size(), 4U);
  EXPECT_EQ(string_field(results[0], "status"), "registered");
  EXPECT_TRUE(string_field(results[0], "api_key"));
  EXPECT_EQ(string_field(results[1], "status"), "error");
  EXPECT_TRUE(string_field(results[1], "error"));
  EXPECT_EQ(string_field(results[2], "status"), "registered");
  EXPECT_EQ(string_field(results[3], "status"), "error");
  const Answer again = hub.post("/agents/register/batch", kAdminKey, {{"agents", agents}});
  EXPECT_EQ(string_field(array_field(again.body, "results")[0], "status"), "unchanged");
  EXPECT_FALSE(array_field(again.body, "results")[0].as_object().contains("api_key"));
  EXPECT_EQ(hub.post("/agents/register/batch", kAdminKey, {{"agents", "x"}}).status, 422);
}

TEST(ApiRegister, MayBeSwitchedOff) {
  HubOptions options = quiet_options();
  options.registration_enabled = false;
  Ready hub(options);
  EXPECT_EQ(hub.post("/agents/register", kAdminKey, scribe()).status, 403);
}

TEST(ApiRegister, InsideTheProcessFollowsTheSameRules) {
  Ready hub;
  const auto key = botburrow::test::run_task(
      hub.ioc, hub.server->register_agent({.name = "scribe", .config_source = "/definitions"}));
  ASSERT_TRUE(key);
  EXPECT_EQ(hub.get("/agents/me", *key).str("config_path"), "agents/%s");
  EXPECT_FALSE(botburrow::test::run_task(
      hub.ioc, hub.server->register_agent({.name = "scribe", .config_source = "/definitions"})));
  EXPECT_THROW(botburrow::test::run_task(hub.ioc, hub.server->register_agent({.name = "hub"})),
               Error);
  EXPECT_THROW(
      botburrow::test::run_task(
          hub.ioc, hub.server->register_agent({.name = "scribe", .config_source = "/elsewhere"})),
      Error);
}

TEST(ApiAgents, StalenessPutsNeverActivatedFirstAndAReportMovesAnAgentOut) {
  Ready hub;
  hub.agent("never-ran");
  hub.agent("ran-once");
  const std::string service = hub.service();
  EXPECT_EQ(hub.post("/agents/ran-once/activated", service, json::object{}).status, 200);
  hub.clock.advance(std::chrono::hours(1));
  const Answer stale = hub.get("/agents?stale=true&min_staleness=900", service);
  const json::array& agents = array_field(stale.body, "agents");
  ASSERT_EQ(agents.size(), 2U) << stale.text;
  EXPECT_EQ(string_field(agents[0], "id"), "never-ran");
  EXPECT_TRUE(agents[0].as_object().contains("last_activated_at"));

  EXPECT_EQ(hub.post("/system/consumption", service,
                     {{"agent_id", "never-ran"},
                      {"tokens_input", 10},
                      {"tokens_output", 5},
                      {"cost_usd", 0.01}})
                .status,
            200);
  const Answer after = hub.get("/agents?stale=true&min_staleness=900", service);
  ASSERT_EQ(array_field(after.body, "agents").size(), 1U) << after.text;
  EXPECT_EQ(string_field(array_field(after.body, "agents")[0], "id"), "ran-once");
}

TEST(ApiAgents, PausedAgentsAreNotScheduledAndMayStillPost) {
  Ready hub;
  const std::string key = hub.agent("scribe");
  const std::string owner = hub.human();
  EXPECT_EQ(hub.post("/agents/scribe/pause", key, json::object{}).status, 403);
  EXPECT_EQ(hub.post("/agents/scribe/pause", owner, json::object{}).str("status"), "paused");
  EXPECT_EQ(array_field(hub.get("/agents?stale=true", hub.service()).body, "agents").size(), 0U);
  EXPECT_EQ(hub.post("/posts", key, {{"content", "still here"}}).status, 201);
  EXPECT_EQ(hub.post("/agents/scribe/resume", owner, json::object{}).str("status"), "active");
  EXPECT_EQ(array_field(hub.get("/agents?stale=true", hub.service()).body, "agents").size(), 1U);
}

TEST(ApiAgents, ShowsAndChangesAgentsAndHidesKeys) {
  Ready hub;
  const std::string key = hub.agent("scribe");
  const Answer me = hub.get("/agents/me", key);
  EXPECT_EQ(me.str("id"), "scribe");
  EXPECT_EQ(string_field(me.at("agent"), "id"), "scribe");
  EXPECT_EQ(me.text.find("key_hash"), std::string::npos);
  EXPECT_EQ(hub.get("/agents/ghost", key).status, 404);
  EXPECT_EQ(
      hub.call("PATCH", "/agents/scribe", kAdminKey, R"({"display_name":"S","status":"retired"})")
          .str("status"),
      "retired");
  EXPECT_EQ(hub.call("PATCH", "/agents/scribe", kAdminKey, R"({"type":"human"})").status, 422);
  EXPECT_EQ(hub.call("PATCH", "/agents/scribe", key, R"({"display_name":"S"})").status, 403);
  EXPECT_EQ(hub.call("PATCH", "/agents/me", key, R"({"description":"new","metadata":{"a":1}})")
                .str("description"),
            "new");
  EXPECT_EQ(hub.call("DELETE", "/agents/scribe", kAdminKey).status, 204);
  EXPECT_EQ(hub.call("DELETE", "/agents/scribe", kAdminKey).status, 404);
  EXPECT_EQ(hub.get("/agents/me", key).status, 401);
}

}  // namespace
}  // namespace botburrow::hub::test
