// What people do in the console, and what nobody else can.
#include "console_fixture.hpp"

namespace botburrow::console {
namespace {

using testing::HasSubstr;

class ConsoleActs : public ConsoleTest {
 protected:
  std::string dead_id() { return string_field(get("/dead").list("dead").at(0), "id").value_or(""); }
};

TEST_F(ConsoleActs, ADeadLetterIsRetriedOnce) {
  kill("scribe");
  open();
  const auto id = dead_id();
  const auto done = act("retry", {{"id", id}});
  EXPECT_EQ(done.status, 200) << done.whole.body;
  EXPECT_EQ(bool_field(done.body, "changed"), true);
  EXPECT_EQ(done.str("result"), "queued");
  EXPECT_EQ(integer({"LLEN", "work:dead"}), 0);
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 1);
  const auto again = act("retry", {{"id", id}});
  EXPECT_EQ(again.str("result"), "not_found");
  EXPECT_EQ(bool_field(again.body, "changed"), false);
  EXPECT_EQ(lines->count("console_act", "\"act\":\"retry\""), 2U);
}

TEST_F(ConsoleActs, DeadLettersAreClearedOneByOneOrAllButNeverAllByAccident) {
  kill("a");
  kill("b");
  kill("c");
  open();
  EXPECT_EQ(act("clear-dead", {{"id", dead_id()}}).str("result"), "cleared");
  EXPECT_EQ(integer({"LLEN", "work:dead"}), 2);
  for (json::value body : {json::value(json::object{}), json::value{{"id", ""}},
                           json::value{{"all", false}}, json::value{{"id", "x"}, {"all", true}}})
    EXPECT_EQ(act("clear-dead", body).status, 400) << to_json(body);
  act("clear-dead", {{"id", "*"}});
  EXPECT_EQ(integer({"LLEN", "work:dead"}), 2);
  EXPECT_EQ(act("clear-dead", {{"all", true}}).str("sentence"), "Cleared 2.");
  EXPECT_EQ(integer({"LLEN", "work:dead"}), 0);
}

TEST_F(ConsoleActs, ARunningActivationIsToldToStop) {
  enqueue("scribe");
  const auto claimed = claim();
  open();
  const auto done = act("stop", {{"activation_id", claimed.activation_id.str()}});
  EXPECT_EQ(done.str("result"), "stopping");
  EXPECT_EQ(run(work.renew({queue::ref_of(claimed)})).at(0), queue::RenewOutcome::cancelled);
  EXPECT_EQ(act("stop", {{"activation_id", claimed.activation_id.str()}}).str("result"),
            "not_running");
}

TEST_F(ConsoleActs, PauseResumeClearAndDropDoWhatTheCommandsDo) {
  enqueue("scribe");
  ask({"HSET", "work:failures", "tired", "5"});
  open();
  EXPECT_EQ(act("pause", {{"agent", "scribe"}}).str("result"), "paused");
  EXPECT_EQ(integer({"SISMEMBER", "work:paused", "scribe"}), 1);
  EXPECT_EQ(act("resume", {{"agent", "scribe"}}).str("result"), "resumed");
  EXPECT_EQ(act("pause", {{"all", true}}).str("result"), "paused");
  EXPECT_EQ(integer({"SISMEMBER", "work:paused", "*"}), 1);
  EXPECT_EQ(act("resume", {{"all", true}}).str("result"), "resumed");
  EXPECT_EQ(act("clear-backoff", {{"agent", "tired"}}).str("result"), "cleared");
  EXPECT_EQ(integer({"HLEN", "work:failures"}), 0);
  EXPECT_EQ(act("drop", {{"agent", "scribe"}}).str("result"), "dropped");
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 0);
  EXPECT_EQ(act("drop", {{"agent", "scribe"}}).str("result"), "not_waiting");
  EXPECT_TRUE(run(view.census()).closes());
}

TEST_F(ConsoleActs, EnqueueAsksTheHubWhetherTheAgentExists) {
  auto& live = live_hub();
  live.agent("scribe");
  hub_url = live.url();
  hub_key = live.service_key;
  open();
  EXPECT_EQ(act("enqueue", {{"agent", "scribe"}, {"priority", "low"}}).str("result"), "ENQUEUED");
  EXPECT_EQ(integer({"LLEN", "work:queue:low"}), 1);
  EXPECT_EQ(act("enqueue", {{"agent", "scribe"}}).str("result"), "UPGRADED");
  const auto unknown = act("enqueue", {{"agent", "scribbler"}});
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.str("detail"), HasSubstr("the Hub knows no agent \"scribbler\""));
}

TEST_F(ConsoleActs, AHeldOffAgentIsQueuedOnlyByForce) {
  ask({"HSET", "work:backoff", "tired", "99999999999"});
  open();
  const auto refused = act("enqueue", {{"agent", "tired"}});
  EXPECT_EQ(refused.str("result"), "BACKOFF");
  EXPECT_EQ(bool_field(refused.body, "changed"), false);
  EXPECT_EQ(act("enqueue", {{"agent", "tired"}, {"force", true}}).str("result"), "ENQUEUED");
}

TEST_F(ConsoleActs, WrongBodiesAreNamed) {
  open();
  const net::HttpHeaders headers{{"Content-Type", "application/json"},
                                 {"Authorization", std::string("Bearer ") + kAdminKey}};
  for (const char* body : {"", "{", "[]", "null", R"({"agent":7})", R"({"agent":""})",
                           R"({"agent":"*"})", R"({"agent":"a\nb"})"}) {
    const auto answer = send("POST", "/console/api/act/enqueue", body, headers);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.str("code"), "invalid_argument") << body;
  }
  EXPECT_EQ(act("enqueue", {{"agent", "a"}, {"priority", "urgent"}}).status, 400);
  EXPECT_EQ(act("enqueue", {{"agent", "a"}, {"task", "sleep"}}).status, 400);
  EXPECT_EQ(act("nonsense", json::object{}).status, 404);
  EXPECT_EQ(send("POST", "/console/api/act/pause", std::string(20'000, 'x'), headers).status, 413);
  EXPECT_EQ(get("/act/pause").status, 405);
}

TEST_F(ConsoleActs, WithoutTheKeyNothingIsDone) {
  open();
  const net::HttpHeaders json_body{{"Content-Type", "application/json"}};
  const auto none = send("POST", "/console/api/act/pause", R"({"agent":"a"})", json_body);
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.str("code"), "key_missing");
  EXPECT_EQ(none.whole.header("www-authenticate"), "Bearer");
  EXPECT_EQ(act("pause", {{"agent", "a"}}, "other").str("code"), "key_refused");
  EXPECT_EQ(integer({"SCARD", "work:paused"}), 0);
}

TEST_F(ConsoleActs, WithoutAdminKeyTheConsoleIsReadOnly) {
  open("");
  const auto answer = act("pause", {{"agent", "a"}}, "");
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.str("code"), "read_only");
  EXPECT_THAT(answer.str("detail"), HasSubstr("set ADMIN_KEY"));
  EXPECT_EQ(get("/state").status, 200);
  EXPECT_EQ(bool_field(get("/me").body, "admin_key_set"), false);
  EXPECT_EQ(integer({"SCARD", "work:paused"}), 0);
}

TEST_F(ConsoleActs, OtherSitesCannotActInAVisitorsName) {
  open();
  const std::string key = std::string("Bearer ") + kAdminKey;
  const auto attempt = [&](net::HttpHeaders headers) {
    return send("POST", "/console/api/act/pause", R"({"all":true})", std::move(headers))
        .str("code");
  };
  // Even a page that had learnt the key.
  EXPECT_EQ(attempt({{"Content-Type", "application/json"},
                     {"Authorization", key},
                     {"Origin", "https://evil.example"}}),
            "cross_origin");
  // What a form can send.
  EXPECT_EQ(attempt({{"Content-Type", "text/plain"}, {"Origin", server->url()}}), "not_json");
  // A cookie means nothing.
  EXPECT_EQ(attempt({{"Content-Type", "application/json"},
                     {"Cookie", std::string("key=") + kAdminKey},
                     {"Origin", server->url()}}),
            "key_missing");
  // A browser asks first whether it may, and is told nothing of the kind.
  const auto asked = send("OPTIONS", "/console/api/act/pause", "",
                          {{"Origin", "https://evil.example"},
                           {"Access-Control-Request-Method", "POST"},
                           {"Access-Control-Request-Headers", "authorization,content-type"}});
  EXPECT_EQ(asked.status, 405);
  EXPECT_FALSE(asked.whole.header("access-control-allow-origin"));
  EXPECT_FALSE(get("/state", {{"Origin", "https://evil.example"}})
                   .whole.header("access-control-allow-origin"));
  EXPECT_EQ(integer({"SCARD", "work:paused"}), 0);
}

}  // namespace
}  // namespace botburrow::console
