#include "base/hash.hpp"
#include "tests/hub/hub_harness.hpp"

namespace botburrow::hub::test {
namespace {

TEST(ApiAuth, WithoutAKeyIs401AndNamesTheScheme) {
  HubHarness hub;
  hub.agent("scribe");
  const Answer answer = hub.get("/agents/scribe", "");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.str("code"), "key_missing");
  EXPECT_EQ(answer.header("www-authenticate"), "Bearer");
  EXPECT_FALSE(answer.str("request_id").empty());
  EXPECT_EQ(answer.at("success"), json::value(false));
  EXPECT_EQ(answer.str("error"), answer.str("detail"));
}

TEST(ApiAuth, UnknownKeysAre401WhateverTheirForm) {
  HubHarness hub;
  hub.agent("scribe");
  for (const char* key : {"botburrow_agent_00", "agk_old", "bb_live_x", "nonsense"}) {
    const Answer answer = hub.get("/agents/scribe", key);
    EXPECT_EQ(answer.status, 401) << key;
    EXPECT_EQ(answer.str("code"), "key_unknown");
    EXPECT_EQ(answer.text.find(key), std::string::npos) << "keys are never shown";
  }
}

TEST(ApiAuth, AnAgentActsAsItselfByEveryFormOfItsName) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  const std::string uuid = hub.get("/agents/scribe", key).str("uuid");
  for (const std::string& name :
       {std::string("scribe"), std::string("@scribe"), uuid, std::string("Scribe")}) {
    const Answer answer = hub.post("/posts", key, {{"agent_id", name}, {"content", "by " + name}});
    EXPECT_EQ(answer.status, 201) << answer.text;
    EXPECT_EQ(string_field(answer.at("author"), "id"), "scribe");
  }
}

TEST(ApiAuth, AnAgentMayNotActForAnother) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  hub.agent("critic");
  EXPECT_EQ(hub.post("/posts", key, {{"agent_id", "critic"}, {"content", "x"}}).status, 403);
  EXPECT_EQ(hub.post("/posts", key, {{"content", "x"}}, {{"X-Act-As", "critic"}}).status, 403);
  EXPECT_EQ(hub.get("/notifications?agent_id=critic", key).status, 403);
  EXPECT_EQ(hub.get("/notifications?agent=critic", key).status, 403);
  EXPECT_EQ(hub.post("/agents/critic/activated", key, json::object{}).status, 403);
  EXPECT_EQ(hub.get("/notifications/poll?timeout=0", key).status, 403);
  EXPECT_EQ(hub.get("/agents?has_notifications=true", key).status, 403);
  EXPECT_EQ(hub.get("/system/generation", key).status, 403);
}

TEST(ApiAuth, AServiceKeyActsForTheAgentItNames) {
  HubHarness hub;
  hub.agent("scribe");
  const std::string service = hub.service();
  EXPECT_EQ(
      string_field(
          hub.post("/posts", service, {{"agent_id", "scribe"}, {"content", "x"}}).at("author"),
          "id"),
      "scribe");
  EXPECT_EQ(string_field(
                hub.post("/posts?agent_id=scribe", service, {{"content", "y"}}).at("author"), "id"),
            "scribe");
  const Answer by_header =
      hub.post("/posts", service, {{"content", "z"}}, {{"X-Act-As", "@scribe"}});
  EXPECT_EQ(string_field(by_header.at("author"), "id"), "scribe");
}

TEST(ApiAuth, AServiceKeyThatNamesNobodyIs422AndAnUnknownAgent404) {
  HubHarness hub;
  const std::string service = hub.service();
  const Answer nobody = hub.post("/posts", service, {{"content", "x"}});
  EXPECT_EQ(nobody.status, 422);
  ASSERT_EQ(array_field(nobody.body, "errors").size(), 1U);
  EXPECT_EQ(array_field(nobody.body, "errors")[0].at("loc").as_array().back(),
            json::value("agent_id"));
  EXPECT_EQ(hub.post("/posts", service, {{"content", "x"}, {"agent_id", "ghost"}}).status, 404);
  EXPECT_EQ(hub.post("/posts", service, {{"content", "x"}, {"agent_id", 7}}).status, 422);
  EXPECT_EQ(hub.post("/posts", service, {{"content", "x"}, {"agent_id", "hub"}}).status, 403);
}

TEST(ApiAuth, TheAdminKeyWorksInBothHeaders) {
  HubHarness hub;
  hub.agent("scribe");
  const json::value body{{"name", "critic"}};
  EXPECT_EQ(hub.post("/agents/register", kAdminKey, body).status, 201);
  EXPECT_EQ(hub.post("/agents/register", "", body, {{"X-Admin-Key", kAdminKey}}).status, 201);
  EXPECT_EQ(hub.post("/agents/register", kAdminKey, body, {{"X-Admin-Key", kAdminKey}}).status,
            201);
}

TEST(ApiAuth, AdminCallsRefuseOtherKeys) {
  HubHarness hub;
  const std::string agent = hub.agent("scribe");
  const json::value body{{"name", "critic"}};
  EXPECT_EQ(hub.post("/agents/register", "", body).status, 401);
  EXPECT_EQ(hub.post("/agents/register", "wrong", body).status, 403);
  EXPECT_EQ(hub.post("/agents/register", "", body, {{"X-Admin-Key", "wrong"}}).status, 403);
  EXPECT_EQ(hub.post("/agents/register", agent, body).status, 403);
  EXPECT_EQ(hub.post("/keys", agent, {{"name", "x-human"}, {"agent_type", "human"}}).status, 403);
}

TEST(ApiAuth, WithoutAnAdminKeyAdminCallsAre501) {
  HubOptions options = quiet_options();
  options.admin_key = Secret();
  HubHarness hub(options);
  hub.run(hub.server->until_ready());
  EXPECT_EQ(hub.post("/agents/register", "anything", {{"name", "critic"}}).status, 501);
  EXPECT_EQ(hub.post("/agents/register", "", {{"name", "critic"}}, {{"X-Admin-Key", "x"}}).status,
            501);
  EXPECT_EQ(hub.post("/agents/register", "", {{"name", "critic"}}).status, 401);
}

TEST(ApiAuth, TheAdminKeyMayBeGivenAsItsHash) {
  HubOptions options = quiet_options();
  options.admin_key = Secret();
  options.admin_key_hash = sha256_hex("secret");
  HubHarness hub(options);
  hub.run(hub.server->until_ready());
  EXPECT_EQ(hub.post("/agents/register", "secret", {{"name", "critic"}}).status, 201);
}

TEST(ApiAuth, OpenModeActsAsTheServiceAndPublicReadOnlyReads) {
  HubOptions open = quiet_options();
  open.auth_mode = AuthMode::open;
  HubHarness opened(open);
  opened.agent("scribe");
  EXPECT_EQ(opened.post("/posts", "", {{"agent_id", "scribe"}, {"content", "x"}}).status, 201);
  EXPECT_EQ(opened.get("/notifications?unread=true", "").status, 200);

  HubOptions reading = quiet_options();
  reading.public_read = true;
  HubHarness read(reading);
  read.agent("scribe");
  EXPECT_EQ(read.get("/posts", "").status, 200);
  EXPECT_EQ(read.get("/agents/scribe", "").status, 200);
  EXPECT_EQ(read.get("/notifications", "").status, 401);
  EXPECT_EQ(read.post("/posts", "", {{"agent_id", "scribe"}, {"content", "x"}}).status, 401);
}

TEST(ApiAuth, OpenModeDoesNotServeForeignPages) {
  HubOptions open = quiet_options();
  open.auth_mode = AuthMode::open;
  HubHarness hub(open);
  hub.agent("scribe");
  const json::value body{{"agent_id", "scribe"}, {"content", "forged"}};
  EXPECT_EQ(hub.post("/posts", "", body, {{"Origin", "https://evil.example"}}).status, 403);
  EXPECT_EQ(hub.post("/posts", "", body, {{"Host", "evil.example"}}).status, 403);
  EXPECT_EQ(hub.post("/posts", "", body, {{"Origin", hub.server->url()}}).status, 201);
}

TEST(ApiAuth, OpenModeBeyondLoopbackIsRefusedAtTheStart) {
  HubOptions options = quiet_options();
  options.auth_mode = AuthMode::open;
  options.host = "0.0.0.0";
  options.database_path = "/nowhere";
  EXPECT_EQ(check_options(options).size(), 1U);
  options.auth_open_forced = true;
  EXPECT_TRUE(check_options(options).empty());
}

TEST(ApiKeys, AnOldKeyWorksUntilItsGraceEnds) {
  HubHarness hub;
  const std::string old_key = hub.agent("scribe");
  const Answer rotated =
      hub.post("/agents/me/regenerate-key", old_key, {{"grace_period_hours", 1}});
  ASSERT_EQ(rotated.status, 200) << rotated.text;
  EXPECT_EQ(hub.get("/agents/me", rotated.str("api_key")).status, 200);
  EXPECT_EQ(hub.get("/agents/me", old_key).status, 200);
  hub.clock.advance(std::chrono::minutes(61));
  EXPECT_EQ(hub.get("/agents/me", old_key).status, 401);
  EXPECT_EQ(hub.get("/agents/me", rotated.str("api_key")).status, 200);
}

TEST(ApiKeys, RotatingAgainWithTheOldKeyIs409) {
  HubHarness hub;
  const std::string old_key = hub.agent("scribe");
  ASSERT_EQ(hub.post("/agents/me/regenerate-key", old_key, json::object{}).status, 200);
  EXPECT_EQ(hub.post("/agents/me/regenerate-key", old_key, json::object{}).status, 409);
  EXPECT_EQ(hub.post("/agents/me/regenerate-key", old_key, {{"grace_period_hours", 169}}).status,
            422);
  EXPECT_EQ(hub.post("/agents/me/regenerate-key", old_key, {{"new_expires_at", "soon"}}).status,
            400);
}

TEST(ApiKeys, RevokedExpiredAndBannedKeysAreRefusedAtOnce) {
  HubHarness hub;
  const std::string revoked = hub.agent("revoked-one");
  ASSERT_EQ(hub.get("/agents/me", revoked).status, 200);
  EXPECT_EQ(hub.call("DELETE", "/keys/revoked-one", kAdminKey).status, 204);
  EXPECT_EQ(hub.get("/agents/me", revoked).status, 401);

  const std::string banned = hub.agent("banned-one");
  ASSERT_EQ(hub.get("/agents/me", banned).status, 200);
  EXPECT_EQ(hub.post("/agents/banned-one/ban", kAdminKey, {{"reason", "spam"}}).status, 200);
  const Answer refused = hub.get("/agents/me", banned);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.str("code"), "banned");
  EXPECT_EQ(hub.call("DELETE", "/agents/banned-one/ban", kAdminKey).status, 200);
  EXPECT_EQ(hub.get("/agents/me", banned).status, 200);

  const std::string soon = to_rfc3339(hub.clock.wall() + std::chrono::hours(1));
  const Answer expiring = hub.post("/agents/register", kAdminKey,
                                   {{"name", "expiring-one"}, {"api_key_expires_at", soon}});
  ASSERT_EQ(hub.get("/agents/me", expiring.str("api_key")).status, 200);
  hub.clock.advance(std::chrono::hours(2));
  const Answer expired = hub.get("/agents/me", expiring.str("api_key"));
  EXPECT_EQ(expired.status, 401);
  EXPECT_EQ(expired.str("code"), "key_expired");
}

TEST(ApiKeys, AnOwnerMakesKeysAndNobodyChangesAType) {
  HubHarness hub;
  const std::string owner = hub.human();
  const Answer made = hub.post("/keys", owner, {{"name", "runner-key"}, {"agent_type", "service"}});
  EXPECT_EQ(made.status, 201);
  EXPECT_TRUE(made.str("api_key").starts_with("botburrow_service_"));
  EXPECT_EQ(hub.post("/keys", owner, {{"name", "runner-key"}, {"agent_type", "human"}}).status,
            409);
  const Answer keys = hub.get("/keys", owner);
  EXPECT_EQ(keys.status, 200);
  EXPECT_EQ(keys.text.find(made.str("api_key")), std::string::npos);
  EXPECT_EQ(hub.post("/keys", owner, {{"name", "No Slug"}, {"agent_type", "human"}}).status, 422);
}

TEST(ApiKeys, EnsureKeyKeepsTheKeyItIsGiven) {
  HubHarness hub;
  const auto first = botburrow::test::run_task(
      hub.ioc, hub.server->ensure_key("owner", "human", "botburrow_human_mine"));
  EXPECT_EQ(first, "botburrow_human_mine");
  EXPECT_EQ(botburrow::test::run_task(hub.ioc, hub.server->ensure_key("owner", "human", first)),
            first);
  EXPECT_EQ(hub.get("/agents/me", first).str("type"), "human");
  EXPECT_THROW(botburrow::test::run_task(hub.ioc, hub.server->ensure_key("owner", "service", "")),
               Error);
}

TEST(ApiAuth, ARefusalNamesTheKeyThatIsMissingAndWhereItComesFrom) {
  HubHarness hub;
  const Answer poll = hub.get("/notifications/poll", hub.human());
  EXPECT_EQ(poll.status, 403);
  EXPECT_NE(poll.str("detail").find("may not do this; use a key of type service"),
            std::string::npos)
      << poll.text;
  EXPECT_NE(poll.str("hint").find("POST /api/v1/keys"), std::string::npos) << poll.text;
  const Answer keys = hub.get("/keys", hub.agent("scribe"));
  EXPECT_NE(keys.str("hint").find("use a key of type human"), std::string::npos) << keys.text;
}

}  // namespace
}  // namespace botburrow::hub::test
