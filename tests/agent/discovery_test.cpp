// Whole discovery activations.
#include "llm/offline.hpp"
#include "tests/agent/activation_world.hpp"

namespace botburrow::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() { explore(); }
  void explore(const std::string& frequency = "staleness", const std::string& more = "") {
    world.define("ada", "  discovery: {enabled: true, frequency: " + frequency +
                            ", respond_to_questions: true, respond_to_discussions: true, "
                            "min_confidence: 0.7}\n" +
                            more);
  }
  /// A post that is an hour old.
  std::string old_post(const std::string& text) {
    const auto id = world.new_post(text);
    world.clock.advance(1h);
    return id;
  }
  static llm::ModelAnswer contribute(const std::string& post, const std::string& words) {
    return calls({{"hub_post", {{"content", "a thought"}, {"reply_to", post}}}}, words);
  }
  std::string result(std::size_t request) {
    return world.model->requests.at(request).messages.back().tool_results.at(0).content;
  }
  ActivationWorld world;
};

TEST_F(DiscoveryTest, SureAgentContributesOnce) {
  const auto post = old_post("How do fences work?");
  const auto other = old_post("How do leases work?");
  world.model->then(contribute(post, "Confidence: 0.9"));
  world.model->then(contribute(other, "Confidence: 0.9"));
  world.model->then(says("done"));
  const auto ran = world.discovery();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_EQ(ran.tally.comments, 1);
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_THAT(world.comments_by("ada", other), IsEmpty());
  EXPECT_THAT(result(2), HasSubstr("one contribution per look around"));
  EXPECT_THAT(world.asked(0), HasSubstr("## Recent Posts"));
  EXPECT_THAT(world.asked(0), HasSubstr("How do fences work?"));
}

TEST_F(DiscoveryTest, ConfidenceGate) {
  const auto post = old_post("How do fences work?");
  world.model->then(contribute(post, "I like this one."));
  world.model->then(contribute(post, "Confidence: 0.69"));
  world.model->then(says("Nothing to engage with right now."));
  const auto ran = world.discovery();
  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_EQ(ran.ending.reason, "nothing to engage with");
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
  EXPECT_THAT(result(1), HasSubstr("state `Confidence"));
  EXPECT_THAT(result(2), HasSubstr("below 0.7"));

  world.model->then(contribute(post, "Confidence: 0.7"));
  world.model->then(says("done"));
  EXPECT_EQ(world.discovery(6).outcome(), "success");
}

TEST_F(DiscoveryTest, FinalTextIsNotPosted) {
  const auto post = old_post("How do fences work?");
  world.model->then(says("Confidence: 1.0. What a question!"));
  EXPECT_EQ(world.discovery().outcome(), "skipped");
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
}

TEST_F(DiscoveryTest, RulesThatNeedNoModel) {
  old_post("How do fences work?");
  world.define("ada", "");
  EXPECT_EQ(world.discovery().ending.reason, "behavior.discovery.enabled is false");
  explore();
  world.define("ada", "  discovery: {enabled: true, respond_to_questions: true}\n", "[hub:read]");
  EXPECT_EQ(world.discovery().ending.reason, "missing grant hub:write: nothing could be posted");
  EXPECT_EQ(world.lines->count("grant_denied"), 1u);
  EXPECT_TRUE(world.model->requests.empty());
}

TEST_F(DiscoveryTest, EmptyFeedCallsNoModelAndCountsAsALook) {
  explore("daily");
  const auto ran = world.discovery();
  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_EQ(ran.ending.reason, "No new posts to explore");
  EXPECT_THAT(world.discovery(6).ending.reason, HasSubstr("discovery is daily: next at"));
}

TEST_F(DiscoveryTest, FailedLookIsMadeAgain) {
  explore("daily");
  old_post("How do fences work?");
  world.model->then(Error(errc::model_unavailable, "away"));
  EXPECT_EQ(world.discovery().outcome(), "failure");
  world.model->then(says("Nothing to engage with right now."));
  EXPECT_EQ(world.discovery(6).ending.reason, "nothing to engage with");
  EXPECT_THAT(world.discovery(7).ending.reason, HasSubstr("next at"));
}

TEST_F(DiscoveryTest, YoungPostsAndOwnPostsAndPileOnsAreLeftAlone) {
  const auto key = world.agent("bob");
  const auto pile = old_post("How do piles work?");
  for (const auto* name : {"carl", "dora", "erik"}) {
    world.new_comment(pile, std::string("I am ") + name, "", world.agent(name));
  }
  world.clock.advance(1h);
  world.new_post("How young is this?");
  const auto ran = world.discovery();
  EXPECT_EQ(ran.ending.reason, "No new posts to explore");
}

TEST_F(DiscoveryTest, PileOnIsCountedInTheThreadNotInTheFeedsExtract) {
  // The feed names the three oldest answers only, and here they are people's.
  const auto pile = old_post("How do piles work?");
  for (int i = 0; i < 3; ++i)
    world.new_comment(pile, fmt::format("person {}", i));
  for (const auto* name : {"carl", "dora", "erik"}) {
    world.new_comment(pile, std::string("I am ") + name, "", world.agent(name));
  }
  world.clock.advance(1h);
  EXPECT_EQ(world.discovery().ending.reason, "No new posts to explore");
}

TEST_F(DiscoveryTest, PersonWhoJustAnsweredIsNotTalkedOver) {
  const auto post = old_post("How do fences work?");
  world.new_comment(post, "let me think");
  EXPECT_EQ(world.discovery().ending.reason, "No new posts to explore");
  world.clock.advance(3min);
  world.model->then(says("Nothing to engage with right now."));
  EXPECT_EQ(world.discovery(6).ending.reason, "nothing to engage with");
}

TEST_F(DiscoveryTest, HubAwayAtThePostHandsBackAndTheRerunPostsOnce) {
  const auto post = old_post("How do fences work?");
  world.front->rule([](const auto& exchange) {
    if (exchange.is("GET", "/system/generation")) return HubFront::answer(404);
    return exchange.is("POST", "/comments") ? HubFront::lose_answer() : HubFront::pass();
  });
  world.model->always(contribute(post, "Confidence: 0.9"));
  const auto claim = world.claim(queue::TaskType::discovery, 5, "w-1");
  EXPECT_EQ(world.activate(claim).outcome(), "handed back: hub_away");
  world.front->rule({});
  // The feed no longer offers what is answered: the look ends without another try.
  auto again = world.claim(queue::TaskType::discovery, 6, "w-1");
  world.activate(again);
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.used_today("ada").comments, 1);
}

TEST_F(DiscoveryTest, OfflineModelFindsItsWayThroughOurPrompt) {
  const auto post = old_post("How do fences work?");
  world.models.model = llm::make_offline_model();
  const auto ran = world.discovery();
  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(ran.tally.cost_usd, 0);
}

TEST_F(DiscoveryTest, OfflineModelAnswersAMention) {
  const auto post = world.new_post("@ada what is a fence?");
  world.models.model = llm::make_offline_model();
  EXPECT_EQ(world.inbox().outcome(), "success");
  const auto own = world.comments_by("ada", post);
  ASSERT_THAT(own, SizeIs(1));
  EXPECT_THAT(own[0].content, HasSubstr("what is a fence?"));
  EXPECT_THAT(own[0].content, Not(HasSubstr("hub text")));
}

}  // namespace
}  // namespace botburrow::agent
