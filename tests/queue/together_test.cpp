#include "base/task.hpp"
#include "queue_fixture.hpp"

#include <set>

namespace botburrow::queue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Completions and claims that reach the server in one call.
class TogetherTest : public QueueTest {
 protected:
  std::vector<Claim> claim_many(int count) {
    std::vector<Claim> claims;
    for (int i = 0; i < count; ++i)
      claims.push_back(claim_now());
    return claims;
  }
  Completion completion_of(const Claim& claim, bool and_next = true) {
    Completion completion{.lease = ref_of(claim)};
    if (and_next) completion.next = request();
    return completion;
  }
  /// At one moment and behind two others, so that they leave in one call.
  std::vector<CompleteAnswer> complete_together(std::vector<Completion> completions) {
    std::vector<CompleteAnswer> answers(completions.size());
    const auto calls_before = script_calls();
    TaskGroup group(ioc.get_executor());
    for (int i = 0; i < 2; ++i) {
      group.spawn("ahead", [&]() -> Task<> {
        const auto answer = co_await queue.complete({.lease = {.agent_id = AgentId("nobody")}});
        EXPECT_FALSE(answer.ok);
      });
    }
    for (std::size_t i = 0; i < completions.size(); ++i) {
      group.spawn("complete",
                  [&, i]() -> Task<> { answers[i] = co_await queue.complete(completions[i]); });
    }
    run(group.join());
    EXPECT_EQ(script_calls() - calls_before, 3) << "they were to leave together";
    return answers;
  }
  std::int64_t script_calls() {
    const auto text = ask({"INFO", "commandstats"});
    const auto at = text.find("cmdstat_evalsha:calls=");
    const auto first = text.find("cmdstat_eval:calls=");
    const auto number = [&text](std::size_t from, std::size_t skip) {
      return from == std::string::npos ? 0 : std::stoll(text.substr(from + skip));
    };
    // The first time a script is used it is sent whole, after a refusal.
    return number(at, 22) + number(first, 19) - noscript(text);
  }
  static std::int64_t noscript(const std::string& text) {
    const auto at = text.find("cmdstat_evalsha:");
    if (at == std::string::npos) return 0;
    const auto line = text.substr(at, text.find('\n', at) - at);
    const auto failed = line.find("failed_calls=");
    return failed == std::string::npos ? 0 : std::stoll(line.substr(failed + 13));
  }
  static std::vector<std::string> agents_of(const std::vector<CompleteAnswer>& answers) {
    std::vector<std::string> agents;
    for (const auto& answer : answers)
      agents.push_back(answer.next ? answer.next->item.agent_id.str() : "-");
    return agents;
  }
};

TEST_F(TogetherTest, EachEndsItsOwnAndClaimsTheNextInOrder) {
  for (int i = 0; i < 6; ++i)
    enqueue(inbox(fmt::format("a{}", i)));
  const auto held = claim_many(3);

  const auto answers =
      complete_together({completion_of(held[0]), completion_of(held[1]), completion_of(held[2])});

  EXPECT_THAT(agents_of(answers), ElementsAre("a3", "a4", "a5"));
  std::set<Fence> fences;
  for (const auto& answer : answers) {
    EXPECT_TRUE(answer.ok);
    EXPECT_GT(answer.next->fence, held[2].fence);
    fences.insert(answer.next->fence);
    EXPECT_EQ(renew(*answer.next), RenewOutcome::renewed);
    EXPECT_EQ(ask({"HGET", "work:active", answer.next->item.agent_id.str()}), "runner-1");
    EXPECT_EQ(ask({"EXISTS", "activation:" + answer.next->activation_id.str()}), "1");
  }
  EXPECT_EQ(fences.size(), 3u);
  EXPECT_EQ(ask({"HLEN", "work:leases"}), "3");
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "0");
  EXPECT_EQ(ask({"LLEN", "activation:results"}), "3");
}

TEST_F(TogetherTest, WhenLessWaitsThanIsAskedForTheRestGetsNothing) {
  for (int i = 0; i < 4; ++i)
    enqueue(inbox(fmt::format("a{}", i)));
  const auto held = claim_many(3);

  const auto answers =
      complete_together({completion_of(held[0]), completion_of(held[1]), completion_of(held[2])});

  EXPECT_THAT(agents_of(answers), ElementsAre("a3", "-", "-"));
}

TEST_F(TogetherTest, OutcomesDoNotMix) {
  for (const char* agent : {"fine", "broken", "held", "again", "lost"})
    enqueue(inbox(agent));
  const auto held = claim_many(5);
  enqueue(inbox("again"), {.mark = true});
  ask({"HSET", "work:failures", "fine", "3"});
  std::vector<Completion> all;
  for (const auto& claim : held)
    all.push_back(completion_of(claim, false));
  all[1].outcome = Outcome::failure;
  all[1].reason = "it broke";
  all[2].outcome = Outcome::skipped;
  all[2].hold_off = 90s;
  all[4].lease.fence.counter += 100;
  all[0].consumption = OutboxEntry{.key = "c:1", .agent_id = AgentId("fine"), .path = "/p"};

  const auto answers = complete_together(all);

  EXPECT_TRUE(answers[0].ok);
  EXPECT_EQ(ask({"HEXISTS", "work:failures", "fine"}), "0");
  EXPECT_EQ(ask({"HKEYS", "work:outbox"}), "c:1");
  EXPECT_EQ(answers[1].failures, 1);
  EXPECT_THAT(ask({"HGET", "work:why", "broken"}), testing::HasSubstr("it broke"));
  EXPECT_EQ(answers[2].backoff, 90s);
  EXPECT_EQ(ask({"HKEYS", "work:backoff"}), "held");
  EXPECT_TRUE(answers[3].follow_up);
  EXPECT_THAT(list("work:queue:high"), ElementsAre(testing::HasSubstr("again")));
  EXPECT_FALSE(answers[4].ok);
  EXPECT_EQ(ask({"HKEYS", "work:leases"}), "lost");
}

TEST_F(TogetherTest, OneLeaseEndsOnce) {
  enqueue(inbox("scribe"));
  const auto held = claim_now();

  const auto answers = complete_together({completion_of(held, false), completion_of(held, false)});

  EXPECT_NE(answers[0].ok, answers[1].ok);
  EXPECT_EQ(ask({"LLEN", "activation:results"}), "1");
  EXPECT_EQ(ask({"HGET", "work:stats", "done"}), "1");
}

TEST_F(TogetherTest, QueuesKeepTheirOrderAroundWhatIsPassedOver) {
  for (const char* agent : {"x", "y", "a", "busy", "b", "paused", "c", "d"})
    enqueue(inbox(agent));
  const auto held = claim_many(2);
  ask({"HSET", "work:active", "busy", "another-program"});
  run(view.pause(AgentId("paused")));

  const auto answers = complete_together({completion_of(held[0]), completion_of(held[1])});
  EXPECT_THAT(agents_of(answers), ElementsAre("a", "b"));

  std::vector<std::string> waiting;
  for (const auto& element : list("work:queue:high"))
    waiting.push_back(decode_item(element)->agent_id.str());
  EXPECT_THAT(waiting, ElementsAre("d", "c", "paused", "busy"));
}

TEST_F(TogetherTest, HighThenNormalThenLowAndTheAgeRule) {
  for (const char* agent : {"x", "y", "z"})
    enqueue(inbox(agent));
  const auto held = claim_many(3);
  auto old = discovery("old", Priority::low);
  old.created_at = server_now() - 5000;
  enqueue(old);
  enqueue(discovery("young", Priority::low));
  enqueue(discovery("normal"));
  enqueue(inbox("high"));

  const auto answers =
      complete_together({completion_of(held[0]), completion_of(held[1]), completion_of(held[2])});

  EXPECT_THAT(agents_of(answers), ElementsAre("old", "high", "normal"));
}

TEST_F(TogetherTest, AnAgentThatWaitsTwiceIsTakenOnce) {
  for (const char* agent : {"x", "y"})
    enqueue(inbox(agent));
  const auto held = claim_many(2);
  enqueue(inbox("twice"));
  // Only another program can do this.
  ask({"LPUSH", "work:queue:normal",
       R"({"agent_id": "twice", "agent_name": "twice", "task_type": "inbox"})"});

  const auto answers = complete_together({completion_of(held[0]), completion_of(held[1])});

  EXPECT_THAT(agents_of(answers), ElementsAre("twice", "-"));
  complete(*answers[0].next);
  EXPECT_EQ(claim_now().item.agent_id.str(), "twice");
}

TEST_F(TogetherTest, UnreadableElementsBetweenGoToTheDeadLetters) {
  for (const char* agent : {"x", "y"})
    enqueue(inbox(agent));
  const auto held = claim_many(2);
  enqueue(inbox("a"));
  ask({"LPUSH", "work:queue:high", "no json"});
  enqueue(inbox("b"));
  enqueue(inbox("c"));

  const auto answers = complete_together({completion_of(held[0]), completion_of(held[1])});

  EXPECT_THAT(agents_of(answers), ElementsAre("a", "b"));
  EXPECT_EQ(ask({"LLEN", "work:dead"}), "1");
  EXPECT_EQ(claim_now().item.agent_id.str(), "c");
  EXPECT_THAT(list("work:queue:high"), IsEmpty());
}

TEST_F(TogetherTest, NamesThatNeedEscapingComeThroughWhole) {
  const std::string odd = "we\\ird \"agent\" ä/ü";
  for (const std::string& agent : {std::string("x"), std::string("y"), odd, std::string("plain")})
    enqueue(inbox(agent));
  const auto held = claim_many(2);

  const auto answers = complete_together({completion_of(held[0]), completion_of(held[1])});

  EXPECT_THAT(agents_of(answers), ElementsAre(odd, "plain"));
  const auto record = parse_json(ask({"GET", "agent:activation:" + odd}), "record");
  EXPECT_EQ(string_field(record, "agent_id"), odd);
}

}  // namespace
}  // namespace botburrow::queue
