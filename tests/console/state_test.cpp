// What the page is told: the state, lists, agents, dead letters, transcripts, over a real Redis.
#include "console_fixture.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace botburrow::console {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

/// What a hostile agent may be called or say.
constexpr const char* kHostile =
    "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>";

class ConsoleLooks : public ConsoleTest {};

/// Sends bytes as they are, and gives the answer up to its end.
Task<std::string> say(int port, std::string text) {
  namespace asio = boost::asio;
  asio::ip::tcp::socket peer(co_await asio::this_coro::executor);
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(),
                                       static_cast<std::uint16_t>(port));
  co_await peer.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(peer, asio::buffer(text), asio::use_awaitable);
  std::string answer;
  boost::system::error_code end;
  co_await asio::async_read(peer, asio::dynamic_buffer(answer),
                            asio::redirect_error(asio::use_awaitable, end));
  co_return answer;
}

std::vector<std::string> keys_of(const json::value& document) {
  std::vector<std::string> keys;
  if (!document.is_object()) return keys;
  for (const auto& [key, value] : document.as_object())
    keys.emplace_back(key);
  return keys;
}

json::value lane(const Answer& state, const std::string& name) {
  for (const auto& one : state.list("queues")) {
    if (string_field(one, "name") == name) return one;
  }
  return nullptr;
}

TEST_F(ConsoleLooks, TheStateSaysWhatStandsInRedis) {
  kill("d");
  enqueue("a");
  enqueue("b");
  enqueue("c", queue::Priority::normal);
  claim();
  ask({"HSET", "work:backoff", "e", "99999999999"});
  ask({"HSET", "work:failures", "e", "5"});
  open();
  const auto state = get("/state");
  EXPECT_EQ(state.status, 200);
  EXPECT_EQ(state.str("instance_id"), "coordinator-1");
  EXPECT_EQ(state.str("leader"), "coordinator-1");
  EXPECT_EQ(state.num("epoch"), 7);
  EXPECT_EQ(bool_field(state.body, "leads"), true);
  EXPECT_EQ(state.num("dead"), 1);
  EXPECT_EQ(state.num("held_off"), 2) << "e, and d by its crash";
  EXPECT_EQ(state.num("running_total"), 1);
  EXPECT_EQ(int_field(lane(state, "high"), "depth"), 1);
  EXPECT_EQ(int_field(lane(state, "normal"), "depth"), 1);
  EXPECT_EQ(state.list("running").size(), 1U);
  EXPECT_EQ(bool_field(*find_field(state.body, "redis"), "ok"), true);
}

TEST_F(ConsoleLooks, AFollowerShowsTheSameAndWhoLeads) {
  leads = false;
  ask({"SET", "coordinator:leader", "coordinator-2"});
  enqueue("a");
  open();
  const auto state = get("/state");
  EXPECT_EQ(state.str("leader"), "coordinator-2");
  EXPECT_EQ(state.str("instance_id"), "coordinator-1");
  EXPECT_EQ(bool_field(state.body, "leads"), false);
  EXPECT_EQ(int_field(lane(state, "high"), "depth"), 1);
}

TEST_F(ConsoleLooks, TheStateSaysHowTheHubWasLastAsked) {
  open();
  EXPECT_TRUE(get("/state").body.at("hub").is_null()) << "a follower does not ask it";
  hub_seen = HubSeen{.at = from_unix(1'770'000'000), .error = {}};
  ASSERT_TRUE(until([&] { return get("/state").body.at("hub").is_object(); }));
  EXPECT_EQ(bool_field(get("/state").body.at("hub"), "ok"), true);
  EXPECT_EQ(string_field(get("/state").body.at("hub"), "polled_at"), to_rfc3339(hub_seen->at));
  hub_seen->error = "connection refused";
  ASSERT_TRUE(until([&] { return bool_field(get("/state").body.at("hub"), "ok") == false; }));
  EXPECT_EQ(string_field(get("/state").body.at("hub"), "reason"), "connection refused");
}

TEST_F(ConsoleLooks, RunningActivationsShowStepAndCost) {
  enqueue("scribe");
  const auto claimed = claim();
  write_journal(claimed, {{queue::JournalKind::started, {}},
                          {queue::JournalKind::model_call, {}},
                          {queue::JournalKind::model_answer, {{"cost_usd", 0.125}}},
                          {queue::JournalKind::model_call, {}}});
  open();
  const auto state = get("/state");
  ASSERT_EQ(state.list("running").size(), 1U);
  const auto& running = state.list("running")[0];
  EXPECT_EQ(string_field(running, "agent_id"), "scribe");
  EXPECT_EQ(string_field(running, "activation_id"), claimed.activation_id.str());
  EXPECT_EQ(int_field(running, "steps"), 2);
  EXPECT_EQ(number_field(running, "cost_usd"), 0.125);
  EXPECT_EQ(string_field(running, "doing"), "asks the model");
  const auto page = get("/running?limit=10");
  EXPECT_EQ(page.num("total"), 1);
  EXPECT_EQ(int_field(page.list("running")[0], "steps"), 2);
}

TEST_F(ConsoleLooks, WithoutRedisItSaysSoAndRecovers) {
  enqueue("a");
  open();
  EXPECT_EQ(int_field(lane(get("/state"), "high"), "depth"), 1);
  redis.kill9();
  Answer away;
  EXPECT_TRUE(until([&] {
    away = get("/state");
    const auto* seen = find_field(away.body, "redis");
    return seen && bool_field(*seen, "ok") == false;
  }));
  EXPECT_EQ(away.status, 200);
  EXPECT_EQ(int_field(lane(away, "high"), "depth"), 1) << "what was known last";
  EXPECT_FALSE(string_field(*find_field(away.body, "redis"), "reason").value_or("").empty());
  const auto list = get("/dead");
  EXPECT_EQ(list.status, 503);
  EXPECT_EQ(list.str("code"), "redis_unavailable");
  EXPECT_TRUE(list.whole.header("retry-after"));
  redis.start();
  EXPECT_TRUE(until([&] {
    const auto back = get("/state");
    const auto* seen = find_field(back.body, "redis");
    return seen && bool_field(*seen, "ok") == true;
  }));
}

TEST_F(ConsoleLooks, QueuesComeInPagesNextToBeTakenFirst) {
  for (int i = 0; i < 30; ++i)
    enqueue(fmt::format("agent-{:02}", i));
  open();
  const auto first = get("/waiting?lane=high&limit=10");
  EXPECT_EQ(first.num("total"), 30);
  ASSERT_EQ(first.list("waiting").size(), 10U);
  EXPECT_EQ(string_field(first.list("waiting")[0], "agent_id"), "agent-00");
  const auto last = get("/waiting?lane=high&limit=10&offset=25");
  ASSERT_EQ(last.list("waiting").size(), 5U);
  EXPECT_EQ(string_field(last.list("waiting")[4], "agent_id"), "agent-29");
  EXPECT_EQ(get("/waiting?lane=low").num("total"), 0);
}

TEST_F(ConsoleLooks, WrongQueriesAreNamedWithValueAndFix) {
  open();
  for (const char* query :
       {"/waiting?limit=0", "/waiting?limit=201", "/waiting?offset=-1", "/waiting?offset=x",
        "/ended?limit=1e3", "/waiting?lane=fast", "/history?minutes=0", "/dead?offset=9999999"}) {
    const auto answer = get(query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(answer.str("code"), "invalid_argument") << query;
    EXPECT_THAT(answer.str("detail"), HasSubstr("expected")) << query;
  }
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(send("POST", "/console/api/state").status, 405);
}

TEST_F(ConsoleLooks, TheApiAnswersTheSameAtBothItsPlaces) {
  kill("scribe");
  enqueue("ada");
  result("ada", "success", "act-1");
  open();
  for (const char* path : {"/me", "/waiting", "/running", "/ended", "/dead", "/budgets", "/agents",
                           "/agents/ada", "/dead/none", "/transcripts/none", "/ended?limit=0"}) {
    const auto here = send("GET", std::string("/api/v1/console") + path);
    const auto there = get(path);
    EXPECT_EQ(here.status, there.status) << path;
    EXPECT_EQ(keys_of(here.body), keys_of(there.body)) << path;
    EXPECT_THAT(here.str("detail"), Not(HasSubstr("there is nothing at"))) << path;
  }
  EXPECT_EQ(send("GET", "/api/v1/console/state").num("dead"), 1);
  EXPECT_EQ(send("GET", "/api/v1/console/history").status, 200);
  EXPECT_EQ(send("POST", "/api/v1/console/state").status, 405);
  EXPECT_EQ(send("GET", "/api/v1/console/nothing").status, 404);
  const net::HttpHeaders json_type{{"Content-Type", "application/json"}};
  auto with_key = json_type;
  with_key.emplace_back("Authorization", std::string("Bearer ") + kAdminKey);
  const std::string pause = "/api/v1/console/act/pause";
  EXPECT_EQ(send("POST", pause, R"({"agent": "ada"})", json_type).status, 401);
  const auto done = send("POST", pause, R"({"agent": "ada"})", with_key);
  EXPECT_EQ(bool_field(done.body, "changed"), true) << done.whole.body;
}

TEST_F(ConsoleLooks, TenThousandEndedActivationsAreReadInPages) {
  std::vector<std::string> push{"LPUSH", "activation:results"};
  for (int i = 0; i < 10'000; ++i) {
    queue::ActivationResult one{.agent_id = AgentId(fmt::format("agent-{}", i % 100))};
    one.agent_name = one.agent_id.str();
    one.status = i == 5 ? "timeout" : "success";
    one.activation_id = ActivationId(fmt::format("act-{}", i));
    push.push_back(queue::encode(one));
  }
  ask(std::move(push));
  open();
  const auto newest = get("/ended?limit=50");
  EXPECT_EQ(newest.num("total"), 10'000);
  ASSERT_EQ(newest.list("ended").size(), 50U);
  EXPECT_EQ(string_field(newest.list("ended")[0], "activation_id"), "act-9999");
  EXPECT_EQ(newest.num("next"), 50);
  EXPECT_LT(newest.whole.body.size(), 30'000U);
  const auto oldest = get("/ended?limit=50&offset=9950");
  EXPECT_EQ(string_field(oldest.list("ended")[49], "activation_id"), "act-0");
  EXPECT_TRUE(oldest.body.at("next").is_null());
  // The one that fits is nearly the oldest of all.
  const auto found = get("/ended?limit=50&status=timeout");
  ASSERT_EQ(found.list("ended").size(), 1U);
  EXPECT_EQ(string_field(found.list("ended")[0], "activation_id"), "act-5");
  // Filtered pages join without a gap and without an overlap.
  std::size_t seen = 0;
  std::int64_t next = 0;
  for (int pages = 0; next >= 0 && pages < 50; ++pages) {
    const auto page = get(fmt::format("/ended?limit=50&agent=agent-42&offset={}", next));
    seen += page.list("ended").size();
    next = int_field(page.body, "next").value_or(-1);
  }
  EXPECT_EQ(seen, 100U);
}

TEST_F(ConsoleLooks, AgentsComeWithStateCountsAndLastWords) {
  kill("dies");
  enqueue("waits");
  result("old", "success", "act-1");
  ask({"SADD", "work:paused", "rests"});
  open();
  const auto all = get("/agents");
  EXPECT_EQ(all.num("total"), 4);
  EXPECT_EQ(int_field(all.body.at("counts"), "paused"), 1);
  const auto held = get("/agents?state=held_off");
  ASSERT_EQ(held.list("agents").size(), 1U);
  EXPECT_EQ(string_field(held.list("agents")[0], "agent_id"), "dies");
  EXPECT_FALSE(string_field(held.list("agents")[0], "last_reason").value_or("").empty());
  EXPECT_EQ(get("/agents?q=ait").num("total"), 1);
}

TEST_F(ConsoleLooks, OneAgentTellsWhyWhatItUsedAndHowItEnded) {
  auto& live = live_hub();
  live.agent("scribe");
  hub_url = live.url();
  hub_key = live.service_key;
  result("scribe", "failure", "act-9", "the model said no");
  enqueue("scribe");
  open();
  const auto one = get("/agents/scribe");
  EXPECT_EQ(one.status, 200) << one.whole.body;
  EXPECT_EQ(one.str("state"), "waiting");
  EXPECT_THAT(one.str("sentence"), HasSubstr("scribe is queued behind 0"));
  EXPECT_EQ(bool_field(one.body.at("hub"), "asked"), true);
  EXPECT_EQ(bool_field(one.body.at("hub"), "known"), true);
  EXPECT_EQ(string_field(one.list("ended").at(0), "error"), "the model said no");
  EXPECT_EQ(int_field(one.body.at("usage").at("day"), "tokens"), 0);
  EXPECT_EQ(get("/agents/*").status, 400);
}

TEST_F(ConsoleLooks, AHubThatIsAwayIsSaidInOnePlace) {
  hub_url = "http://127.0.0.1:1";
  open();
  const auto one = get("/agents/scribe");
  EXPECT_EQ(one.status, 200);
  EXPECT_EQ(bool_field(one.body.at("hub"), "asked"), false);
  EXPECT_FALSE(string_field(one.body.at("hub"), "fault").value_or("").empty());
}

TEST_F(ConsoleLooks, DeadLettersShowTheirCrashes) {
  kill("scribe");
  open();
  const auto list = get("/dead");
  ASSERT_EQ(list.list("dead").size(), 1U);
  const auto id = string_field(list.list("dead")[0], "id").value_or("");
  const auto one = get("/dead/" + id);
  EXPECT_EQ(one.str("agent_id"), "scribe");
  EXPECT_EQ(one.list("history").size(), 1U);
  EXPECT_EQ(get("/dead/none").status, 404);
}

TEST_F(ConsoleLooks, TranscriptsNeedTheKeyOrThisMachine) {
  enqueue("scribe");
  const auto claimed = claim();
  write_journal(claimed, {{queue::JournalKind::started, {{"agent_name", "scribe"}}},
                          {queue::JournalKind::model_answer,
                           {{"answer", {{"text", std::string(5000, 'x')}}}}}});
  open();
  const auto path = "/transcripts/" + claimed.activation_id.str();
  const auto here = get(path);
  EXPECT_EQ(here.status, 200) << here.whole.body;
  EXPECT_EQ(here.num("total"), 2);
  EXPECT_THAT(here.whole.body, HasSubstr("3000 bytes more")) << "long texts are cut";
  const auto whole = get(path + "?line=1");
  EXPECT_THAT(whole.whole.body, HasSubstr(std::string(5000, 'x')));
  const auto rebound = get(path, {{"Host", "evil.example"}});
  EXPECT_EQ(rebound.status, 403);
  EXPECT_EQ(rebound.str("code"), "host_refused");
  EXPECT_THAT(rebound.whole.body, Not(HasSubstr("xxx")));
  EXPECT_EQ(get(path, {{"X-Forwarded-For", "10.1.1.1"}}).status, 401);
  EXPECT_EQ(
      get(path, {{"Host", "evil.example"}, {"Authorization", std::string("Bearer ") + kAdminKey}})
          .status,
      200);
  EXPECT_EQ(get(path, {{"Authorization", "Bearer other"}}).status, 401);
  EXPECT_EQ(get("/transcripts/unknown").status, 404);
}

TEST_F(ConsoleLooks, WhatAgentsDoIsForThoseWhoMayReadTranscripts) {
  kill("dead-one");
  enqueue("scribe");
  const auto claimed = claim();
  write_journal(claimed, {{queue::JournalKind::started, {}}, {queue::JournalKind::model_call, {}}});
  open();
  const auto id = string_field(get("/dead").list("dead")[0], "id").value_or("");
  const net::HttpHeaders proxied{{"X-Forwarded-For", "10.1.1.1"}};
  auto with_key = proxied;
  with_key.emplace_back("Authorization", std::string("Bearer ") + kAdminKey);
  for (const char* path : {"/state", "/running"}) {
    const auto row = get(path, proxied).list("running").at(0);
    EXPECT_EQ(int_field(row, "steps"), 1) << path;
    EXPECT_FALSE(string_field(row, "doing")) << path;
    EXPECT_FALSE(string_field(row, "doing_since")) << path;
    EXPECT_EQ(string_field(get(path, with_key).list("running").at(0), "doing"), "asks the model")
        << path;
  }
  const auto letter = get("/dead/" + id, proxied);
  EXPECT_EQ(letter.str("agent_id"), "dead-one");
  EXPECT_EQ(find_field(letter.body, "raw"), nullptr);
  EXPECT_EQ(find_field(letter.body, "history"), nullptr);
  EXPECT_NE(find_field(get("/dead/" + id, with_key).body, "raw"), nullptr);
}

TEST_F(ConsoleLooks, ProxyThatSpeaksHttp10IsNotThisMachine) {
  open();
  const auto me = [&](const std::string& version) {
    return run(say(server->port(), "GET /console/api/me HTTP/" + version +
                                       "\r\nHost: 127.0.0.1:9090\r\nConnection: close\r\n\r\n"));
  };
  EXPECT_THAT(me("1.1"), HasSubstr("\"may_read_transcripts\":true"));
  EXPECT_THAT(me("1.0"), HasSubstr("\"may_read_transcripts\":false"));
}

TEST_F(ConsoleLooks, KeysThatAreRefusedAreCountedAndLoggedOnce) {
  open();
  for (int i = 0; i < 3; ++i)
    get("/state", {{"Authorization", "Bearer a-guess-at-the-key"}});
  EXPECT_THAT(send("GET", "/metrics").whole.body,
              HasSubstr("\nbotburrow_console_keys_refused_total 3"));
  EXPECT_EQ(lines->count("console_key_refused"), 1U);
  EXPECT_THAT(lines->all(), Not(HasSubstr("a-guess-at-the-key")));
}

TEST_F(ConsoleLooks, WhatStrangersWroteIsTextInEveryAnswer) {
  kill(std::string("dead ") + kHostile);
  enqueue(kHostile);
  result(kHostile, "failure", "act-1", kHostile);
  open();
  for (const char* path : {"/state", "/waiting", "/ended", "/agents", "/dead", "/budgets"}) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.whole.header("content-type"), "application/json") << path;
    EXPECT_EQ(answer.whole.header("x-content-type-options"), "nosniff") << path;
    EXPECT_TRUE(answer.body.is_object()) << path;
  }
  EXPECT_EQ(string_field(get("/ended").list("ended")[0], "error"), kHostile);
  EXPECT_EQ(string_field(get("/ended").list("ended")[0], "agent_id"), kHostile);
}

TEST_F(ConsoleLooks, NoAnswerAndNoLogLineHoldsTheKey) {
  enqueue("a");
  open();
  const net::HttpHeaders key{{"Authorization", std::string("Bearer ") + kAdminKey}};
  for (const char* path : {"/state", "/me", "/agents", "/agents/a", "/waiting", "/history"})
    EXPECT_THAT(get(path, key).whole.body, Not(HasSubstr(kAdminKey))) << path;
  act("pause", {{"agent", "a"}});
  act("pause", {{"agent", "a"}}, "a-wrong-key-that-is-tried");
  EXPECT_THAT(send("GET", "/metrics").whole.body, Not(HasSubstr(kAdminKey)));
  EXPECT_THAT(lines->all(), Not(HasSubstr(kAdminKey)));
  EXPECT_THAT(lines->all(), Not(HasSubstr("a-wrong-key-that-is-tried")));
}

TEST_F(ConsoleLooks, SecretsThatAgentsLetSlipAreTakenOut) {
  const std::string secret = "hub-key-that-nobody-may-see";
  scrubber.add(Secret(secret));
  result("scribe", "failure", "act-1", "401 with key " + secret);
  enqueue("scribe");
  const auto claimed = claim();
  write_journal(claimed, {{queue::JournalKind::notification,
                           {{"notification", {{"type", secret}, {"content", secret}}}}}});
  open();
  for (const auto& path : {std::string("/ended"), std::string("/state"),
                           "/transcripts/" + claimed.activation_id.str()}) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_THAT(answer.whole.body, Not(HasSubstr(secret))) << path;
    EXPECT_THAT(answer.whole.body, HasSubstr(std::string(Scrubber::kMark))) << path;
    EXPECT_TRUE(answer.body.is_object()) << path;
  }
}

TEST_F(ConsoleLooks, AWrongKeyIsRefusedEvenWhereNoneIsNeeded) {
  open();
  const auto answer = get("/state", {{"Authorization", "Bearer other"}});
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.str("code"), "key_refused");
  EXPECT_EQ(bool_field(get("/me").body, "may_act"), false);
  const auto mine = get("/me", {{"Authorization", std::string("Bearer ") + kAdminKey}});
  EXPECT_EQ(bool_field(mine.body, "may_act"), true);
}

}  // namespace
}  // namespace botburrow::console
