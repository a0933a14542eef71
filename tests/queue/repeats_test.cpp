// Every script is sent twice with the same values, as after a lost answer: the second time nothing
// moves.
#include "base/error.hpp"
#include "queue/agent_state.hpp"
#include "queue/backup.hpp"
#include "queue/election.hpp"
#include "queue/heartbeats.hpp"
#include "queue/redis_agent_state.hpp"
#include "queue/redis_journal.hpp"
#include "queue_fixture.hpp"
#include "tests/support/fault_proxy.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

namespace botburrow::queue {
namespace {

class Repeats;
using Call = std::function<void()>;
struct Row {
  std::string script;
  std::string what;
  std::function<Call(Repeats&)> prepare;
  std::set<std::string> moves = {};  ///< keys that a repeat may touch, and why is in the script
};

std::vector<Row> rows();

class Repeats : public QueueTest, public ::testing::WithParamInterface<Row> {
 public:
  using QueueTest::ask;
  using QueueTest::claim_now;
  using QueueTest::discovery;
  using QueueTest::enqueue;
  using QueueTest::inbox;
  using QueueTest::queue;
  using QueueTest::reap;
  using QueueTest::redis;
  using QueueTest::request;
  using QueueTest::run;
  using QueueTest::view;

  Claim begun(const std::string& agent = "a") {
    enqueue(inbox(agent), {.force = true});
    return claim_now();
  }
  Completion completion(const Claim& claim, Outcome outcome = Outcome::success) {
    Completion out{.lease = ref_of(claim), .outcome = outcome, .reason = "why"};
    out.result.timestamp = "2026-01-01T00:00:00Z";
    out.consumption =
        OutboxEntry{.key = "c:1", .agent_id = AgentId("a"), .path = "/p", .body = "{}"};
    return out;
  }
  LeaseSeen lease_of(const std::string& agent) {
    return {.agent_id = AgentId(agent), .value = ask({"HGET", "work:leases", agent})};
  }
  void make_due() {
    for (const auto& one : run(view.deferred(100)))
      ask({"ZADD", "work:deferred", "1", one.element});
  }
  std::string bury() {
    begun();
    reap("a", 1, 1);
    return run(view.dead(0, 1)).at(0).id;
  }

  RedisAgentState state{redis, log};
  RedisJournal journal{redis};
  RedisElection election{redis, "incarnation", "pod"};
  Heartbeats heartbeats{redis};

 protected:
  /// All that the server holds, by key.
  std::map<std::string, std::string> contents(const std::set<std::string>& without) {
    std::map<std::string, std::string> all;
    const auto keys = reply({"KEYS", "*"});
    for (const auto& key : keys.array()) {
      if (!without.contains(key.str())) all[key.str()] = content(key.str());
    }
    return all;
  }
  std::string content(const std::string& key) {
    const auto type = ask({"TYPE", key});
    if (type == "list") return ask({"LRANGE", key, "0", "-1"});
    if (type == "zset") return ask({"ZRANGE", key, "0", "-1", "WITHSCORES"});
    if (type == "set") return ask({"SMEMBERS", key});
    if (type == "hash") return ask({"HGETALL", key});
    return ask({"GET", key});
  }
};

TEST_P(Repeats, ChangeNothing) {
  const auto call = GetParam().prepare(*this);
  const auto before = contents({});
  call();
  const auto once = contents(GetParam().moves);
  call();
  EXPECT_EQ(contents(GetParam().moves), once);
  call();
  EXPECT_EQ(contents(GetParam().moves), once);
  const auto& script = GetParam().script;
  const bool only_reads = script == "census" || script == "leader_observe" || script == "backup";
  EXPECT_EQ(before == contents({}), only_reads) << "the first call is not for nothing";
}

std::string name_of_row(const ::testing::TestParamInfo<Row>& row) {
  return row.param.script + (row.param.what.empty() ? "" : "_" + row.param.what);
}
INSTANTIATE_TEST_SUITE_P(Scripts, Repeats, ::testing::ValuesIn(rows()), name_of_row);

TEST(RepeatsTable, HasEveryScript) {
  std::set<std::string> known{"charge"};  // Counts money; see AgentStateRepeats.
  for (const auto& row : rows())
    known.insert(row.script);
  std::set<std::string> there;
  const auto folder = std::filesystem::path(BOTBURROW_SOURCE_DIR) / "src/queue/scripts";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const auto name = file.path().stem().string();
    if (!name.starts_with("lib_")) there.insert(name);
  }
  EXPECT_EQ(known, there);
}

// The one script that is not safe to repeat is not repeated: a lost answer is an error.
class AgentStateRepeats : public QueueTest {};

TEST_F(AgentStateRepeats, AChargeWhoseAnswerIsLostIsChargedOnce) {
  auto proxy = test::FaultProxy::to_unix(ioc.get_executor(), server().address().path);
  net::Redis wire(ioc.get_executor(), net::parse_redis_url(proxy.redis_url()), {}, Log::none(),
                  random);
  wire.start();
  RedisAgentState state(wire, log);
  const auto day = parse_rfc3339("2026-02-07T12:00:00Z").value();
  // The script is known to the server from now on.
  run(state.charge(AgentId("a"), {.posts = 1}, {}, day));
  proxy.reset_answers(1);
  try {
    run(state.charge(AgentId("a"), {.posts = 1}, {}, day));
    FAIL() << "its answer was lost";
  } catch (const Error& error) {
    EXPECT_EQ(error.detail(), "outcome_unknown");
  }
  EXPECT_EQ(ask({"HGET", "agent:usage:a:2026-02-07", "posts"}), "2");
  run(wire.stop());
}

Call claim_of(Repeats& t) {
  t.enqueue(t.inbox("a"));
  t.enqueue(t.inbox("b"));
  return [&t, asked = t.request(), first = true]() mutable {
    asked.retry = !std::exchange(first, false);
    EXPECT_TRUE(t.run(t.queue.claim(asked)));
  };
}

Call complete_of(Repeats& t, Completion completion) {
  return [&t, completion, first = true]() mutable {
    if (completion.next) completion.next->retry = !first;
    EXPECT_EQ(t.run(t.queue.complete(completion)).ok, std::exchange(first, false));
  };
}

Call hand_back_of(Repeats& t, HandBackReason reason) {
  HandBack back{.lease = ref_of(t.begun()), .reason = reason};
  return [&t, back, first = true]() mutable {
    EXPECT_EQ(t.run(t.queue.hand_back(back)), std::exchange(first, false));
  };
}

Call reap_of(Repeats& t, int crash_attempts_max = 3) {
  return [&t, lease = t.lease_of("a"), crash_attempts_max] {
    t.run(t.queue.reap({.epoch = 1, .lease = lease, .crash_attempts_max = crash_attempts_max}));
  };
}

std::vector<Row> rows() {
  return {
      {"enqueue", "",
       [](Repeats& t) -> Call { return [&t] { t.enqueue(t.inbox("a"), {.epoch = 1}); }; }},
      {"enqueue", "upgrade",
       [](Repeats& t) -> Call {
         t.enqueue(t.discovery("a"));
         return [&t] { t.enqueue(t.inbox("a")); };
       }},
      {"enqueue", "follow_up",
       [](Repeats& t) -> Call {
         t.begun();
         auto item = t.inbox("a");
         item.created_at = 1770500000;
         return [&t, item] { t.enqueue(item, {.epoch = 1, .mark = true}); };
       }},
      {"claim", "", claim_of},
      {"renew",
       "",
       [](Repeats& t) -> Call {
         const auto claim = t.begun();
         return [&t, claim] { t.run(t.queue.renew({ref_of(claim)})); };
       },
       {"work:leases"}},
      {"complete", "", [](Repeats& t) { return complete_of(t, t.completion(t.begun())); }},
      {"complete", "failure",
       [](Repeats& t) {
         t.ask({"HSET", "work:failures", "a", "4"});
         return complete_of(t, t.completion(t.begun(), Outcome::failure));
       }},
      {"complete", "follow_up",
       [](Repeats& t) {
         const auto claim = t.begun();
         t.enqueue(t.inbox("a"), {.mark = true});
         return complete_of(t, t.completion(claim));
       }},
      {"complete", "next",
       [](Repeats& t) {
         auto completion = t.completion(t.begun());
         t.enqueue(t.inbox("b"));
         t.enqueue(t.inbox("c"));
         completion.next = t.request();
         return complete_of(t, completion);
       }},
      {"hand_back", "", [](Repeats& t) { return hand_back_of(t, HandBackReason::drain); }},
      {"hand_back", "deferred",
       [](Repeats& t) { return hand_back_of(t, HandBackReason::hub_away); }},
      {"journal", "",
       [](Repeats& t) -> Call {
         const auto claim = t.begun();
         JournalSize size;
         const auto entry = encode({.n = 0,
                                    .at = "2026-01-01T00:00:00Z",
                                    .activation_id = claim.activation_id,
                                    .kind = JournalKind::started,
                                    .fields = {}},
                                   size);
         return [&t, claim, entry] { t.run(t.journal.append(ref_of(claim), {entry})); };
       }},
      {"reap", "",
       [](Repeats& t) {
         t.begun();
         return reap_of(t);
       }},
      {"reap", "deferred",
       [](Repeats& t) {
         t.begun();
         t.reap("a");
         t.claim_now();
         return reap_of(t);
       }},
      {"reap", "dead",
       [](Repeats& t) {
         t.begun();
         return reap_of(t, 1);
       }},
      {"reap", "stopped",
       [](Repeats& t) {
         t.run(t.view.stop_activation(t.begun().activation_id));
         return reap_of(t);
       }},
      {"sweep", "",
       [](Repeats& t) -> Call {
         t.run(t.queue.hand_back({.lease = ref_of(t.begun()), .reason = HandBackReason::hub_away}));
         t.make_due();
         t.ask({"HSET", "work:backoff", "b", "1"});
         t.ask({"HSET", "work:failures", "b", "2"});
         return [&t] { t.run(t.queue.sweep(1, true)); };
       }},
      {"generation_set", "",
       [](Repeats& t) -> Call {
         t.begun();
         return [&t, first = true]() mutable {
           EXPECT_TRUE(t.run(t.queue.set_generation(1, "set:1", {"set", 2})));
           // What was given out meanwhile counts.
           if (std::exchange(first, false)) t.ask({"SET", "work:fence", "7"});
           EXPECT_EQ(t.ask({"GET", "work:fence"}), "7");
         };
       }},
      {"leader_observe", "",
       [](Repeats& t) -> Call { return [&t] { t.run(t.election.observe()); }; }},
      {"leader_take", "",
       [](Repeats& t) -> Call {
         return [&t, seen = t.run(t.election.observe())] {
           EXPECT_EQ(t.run(t.election.take(seen)), 2);
         };
       }},
      {"leader_renew",
       "",
       [](Repeats& t) -> Call {
         t.run(t.election.take(t.run(t.election.observe())));
         return [&t] { EXPECT_TRUE(t.run(t.election.renew(2, Deadline::in(5s)))); };
       },
       {"coordinator:term"}},
      {"leader_release", "",
       [](Repeats& t) -> Call {
         t.run(t.election.take(t.run(t.election.observe())));
         return [&t] { t.run(t.election.release(2)); };
       }},
      {"bury_notification", "",
       [](Repeats& t) -> Call {
         return [&t] {
           t.run(t.state.bury_notification(AgentId("a"), "a", "n-1", "it kept failing", 3));
         };
       }},
      {"dead_act", "retry",
       [](Repeats& t) -> Call { return [&t, id = t.bury()] { t.run(t.view.retry_dead(id)); }; }},
      {"dead_act", "clear",
       [](Repeats& t) -> Call { return [&t, id = t.bury()] { t.run(t.view.clear_dead(id)); }; }},
      {"drop_waiting", "",
       [](Repeats& t) -> Call {
         t.enqueue(t.inbox("a"));
         return [&t] { t.run(t.view.drop_waiting(AgentId("a"))); };
       }},
      {"census", "",
       [](Repeats& t) -> Call {
         t.begun();
         return [&t] { t.run(t.view.census()); };
       }},
      {"backup", "",
       [](Repeats& t) -> Call {
         t.begun();
         return [&t] { t.run(dump_keys(t.redis, Deadline::in(20s))); };
       }},
      {"restore", "",
       [](Repeats& t) -> Call {
         t.begun();
         return [&t, dump = t.run(dump_keys(t.redis, Deadline::in(20s)))] {
           const auto answer = t.run(restore_keys(t.redis, dump, "id", true, Deadline::in(20s)));
           EXPECT_EQ(answer.result, RestoreResult::done);
         };
       }},
      {"heartbeat", "",
       [](Repeats& t) -> Call {
         return [&t, beat = Heartbeat{.runner_id = RunnerId("r"), .incarnation = "i"}] {
           EXPECT_FALSE(t.run(t.heartbeats.beat(beat))) << "nobody else's";
         };
       }},
  };
}

}  // namespace
}  // namespace botburrow::queue
