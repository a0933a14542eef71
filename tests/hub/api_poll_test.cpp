#include "tests/hub/hub_harness.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <fstream>

namespace botburrow::hub::test {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

/// A poll under way on a connection of its own.
struct Poll {
  std::optional<Answer> answer;
  SteadyClock::time_point ended;
  bool failed = false;
  asio::cancellation_signal stop;
};

struct PollHub : HubHarness {
  explicit PollHub(HubOptions options = quiet_options()) : HubHarness(std::move(options)) {
    scribe = agent("scribe");
    owner = human();
    service = HubHarness::service();
  }

  std::shared_ptr<Poll> poll(int timeout) {
    auto poll = std::make_shared<Poll>();
    asio::co_spawn(ioc,
                   send("GET", "/notifications/poll?timeout=" + std::to_string(timeout), service),
                   asio::bind_cancellation_slot(poll->stop.slot(),
                                                [poll](std::exception_ptr failure, Answer answer) {
                                                  poll->failed = failure != nullptr;
                                                  if (!failure) poll->answer = std::move(answer);
                                                  poll->ended = SteadyClock::now();
                                                }));
    return poll;
  }
  double waiters() {
    metrics.expose();
    return metrics.gauge("hub_longpoll_waiters", "").with({}).value();
  }
  bool until(std::function<bool()> condition, std::chrono::seconds limit = 20s) {
    return botburrow::test::run_until(ioc, condition, limit);
  }
  Answer mention(std::string text) {
    return post("/posts", owner, {{"content", "@scribe " + text}});
  }

  std::string scribe, owner, service;
};

/// Resident bytes of this process: client and server together.
std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * 4096;
}

std::vector<std::string> names(const Answer& answer) {
  std::vector<std::string> list;
  for (const json::value& agent : array_field(answer.body, "agents"))
    list.push_back(string_field(agent, "id").value_or("?"));
  return list;
}

TEST(ApiPoll, NothingToDoIsAnEmptyListAtTheDeadline) {
  PollHub hub;
  const auto began = SteadyClock::now();
  const Answer answer = hub.get("/notifications/poll?timeout=1", hub.service);
  const auto took = SteadyClock::now() - began;
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(array_field(answer.body, "agents").size(), 0U);
  EXPECT_GE(took, 900ms);
  EXPECT_LT(took, 3s);
}

TEST(ApiPoll, OddParametersAreClampedNeverRefusedWith404) {
  PollHub hub;
  EXPECT_EQ(hub.get("/notifications/poll?timeout=-5&batch_size=0", hub.service).status, 200);
  hub.mention("hello");
  EXPECT_EQ(hub.get("/notifications/poll?timeout=9999&batch_size=99999", hub.service).status, 200);
}

TEST(ApiPoll, AMentionFromAnotherConnectionWakesAWaiterWithin500Milliseconds) {
  PollHub hub;
  const auto poll = hub.poll(30);
  ASSERT_TRUE(hub.until([&] { return hub.waiters() == 1; }));
  ASSERT_EQ(hub.mention("please look").status, 201);
  const auto posted = SteadyClock::now();
  ASSERT_TRUE(hub.until([&] { return poll->answer.has_value(); }));
  EXPECT_LT(poll->ended - posted, 500ms);
  EXPECT_EQ(names(*poll->answer), std::vector<std::string>{"scribe"});
  const json::value& agent = array_field(poll->answer->body, "agents")[0];
  EXPECT_EQ(int_field(agent, "notification_count"), 1);
  EXPECT_EQ(string_field(agent, "name"), "scribe");
  EXPECT_TRUE(agent.as_object().contains("last_activated_at"));
  EXPECT_EQ(hub.waiters(), 0);
}

TEST(ApiPoll, AnAgentHandedOutIsLeasedUntilTheLeaseEndsOrMoreComes) {
  PollHub hub;
  hub.mention("one");
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 1U);
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 0U) << "leased";
  EXPECT_EQ(names(hub.get("/agents?has_notifications=true", hub.service)).size(), 1U)
      << "ignores leases";
  hub.mention("two");
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 1U)
      << "newer item";
  hub.clock.advance(61s);
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 1U)
      << "lease over";
}

TEST(ApiPoll, AWaiterSeesALeaseThatEndsByItself) {
  HubOptions options = quiet_options();
  options.poll_lease = 1s;
  PollHub hub(options);
  hub.mention("one");
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 1U);
  const Answer later = hub.get("/notifications/poll?timeout=15", hub.service);
  EXPECT_EQ(names(later).size(), 1U);
}

TEST(ApiPoll, TwoHundredWaitersCostNoThreadAndOneGetsTheWork) {
  PollHub hub;
  std::vector<std::shared_ptr<Poll>> polls;
  const std::size_t before = resident_bytes();
  for (int i = 0; i < 200; ++i)
    polls.push_back(hub.poll(30));
  ASSERT_TRUE(hub.until([&] { return hub.waiters() == 200; }));
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LT(resident_bytes() - before, 20u << 20);
#endif
  EXPECT_GT(before, 0U);
  ASSERT_EQ(hub.mention("one of you").status, 201);
  const auto done = [&] {
    return std::count_if(polls.begin(), polls.end(),
                         [](const auto& poll) { return poll->answer.has_value(); });
  };
  ASSERT_TRUE(hub.until([&] { return done() == 1 && hub.waiters() == 199; }));
  hub.stop();
  ASSERT_TRUE(hub.until([&] { return done() == 200; }));
}

TEST(ApiPoll, StoppingAnswersEveryWaiterAnEmptyListWithinASecond) {
  PollHub hub;
  std::vector<std::shared_ptr<Poll>> polls{hub.poll(60), hub.poll(60), hub.poll(60)};
  ASSERT_TRUE(hub.until([&] { return hub.waiters() == 3; }));
  const auto began = SteadyClock::now();
  hub.stop();
  ASSERT_TRUE(hub.until([&] {
    return std::all_of(polls.begin(), polls.end(),
                       [](const auto& p) { return p->answer || p->failed; });
  }));
  for (const auto& poll : polls) {
    ASSERT_TRUE(poll->answer);
    EXPECT_EQ(poll->answer->status, 200);
    EXPECT_EQ(names(*poll->answer).size(), 0U);
    EXPECT_LT(poll->ended - began, 1s);
  }
}

TEST(ApiPoll, AClientThatLeavesFreesItsPlaceAndTakesNoWork) {
  PollHub hub;
  const auto poll = hub.poll(60);
  ASSERT_TRUE(hub.until([&] { return hub.waiters() == 1; }));
  poll->stop.emit(asio::cancellation_type::all);
  ASSERT_TRUE(hub.until([&] { return hub.waiters() == 0; }));
  hub.mention("still for somebody");
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 1U);
}

TEST(ApiPoll, OnlyActionableItemsOfSchedulableAgentsWake) {
  HubOptions options = quiet_options();
  options.max_agent_turns = 3;
  PollHub hub(options);
  const std::string critic = hub.agent("critic");
  EXPECT_EQ(hub.post("/agents/scribe/follow", critic, json::object{}).status, 200);
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 0U)
      << "a follower schedules nobody";
  hub.post("/agents/scribe/pause", hub.owner, json::object{});
  hub.mention("while paused");
  EXPECT_EQ(names(hub.get("/notifications/poll?timeout=0", hub.service)).size(), 0U);
  const auto poll = hub.poll(30);
  ASSERT_TRUE(hub.until([&] { return hub.waiters() == 1; }));
  hub.post("/agents/scribe/resume", hub.owner, json::object{});
  ASSERT_TRUE(hub.until([&] { return poll->answer.has_value(); })) << "resuming wakes";
  EXPECT_EQ(names(*poll->answer).size(), 1U);
}

TEST(ApiPoll, AThreadOfAgentsOnlyStopsSchedulingUntilAPersonComments) {
  HubOptions options = quiet_options();
  options.max_agent_turns = 2;
  PollHub hub(options);
  const std::string critic = hub.agent("critic");
  const std::string post = hub.new_post(hub.scribe, "let us talk");
  const auto unread_actionable = [&] {
    const auto answer = hub.get("/agents?has_notifications=true", hub.service);
    for (const json::value& agent : array_field(answer.body, "agents")) {
      if (string_field(agent, "id") == "scribe")
        return int_field(agent, "notification_count").value_or(-1);
    }
    return std::int64_t(0);
  };
  for (const char* text : {"a", "b"})
    hub.post("/posts/" + post + "/comments", critic, {{"content", text}});
  EXPECT_EQ(unread_actionable(), 2);
  for (const char* text : {"c", "d"})
    hub.post("/posts/" + post + "/comments", critic, {{"content", text}});
  EXPECT_EQ(unread_actionable(), 2) << "the guard holds";
  hub.post("/posts/" + post + "/comments", hub.owner, {{"content", "go on"}});
  EXPECT_EQ(unread_actionable(), 3);
  hub.post("/posts/" + post + "/comments", critic, {{"content", "e"}});
  EXPECT_EQ(unread_actionable(), 4);
}

TEST(ApiNotifications, EverySubtypeIsReadableByTheFourValueClient) {
  HubOptions options = quiet_options();
  options.notify_likes = true;
  PollHub hub(options);
  const std::string critic = hub.agent("critic");
  const std::string post = hub.new_post(hub.scribe, "first");
  const Answer comment =
      hub.post("/posts/" + post + "/comments", hub.scribe, {{"content", "my own"}});
  hub.post("/posts/" + post + "/comments", critic, {{"content", "on your post"}});
  hub.post("/posts/" + comment.str("id") + "/comments", critic,
           {{"content", "under your comment"}});
  hub.mention("hello");
  hub.post("/agents/scribe/follow", critic, json::object{});
  hub.post("/posts/" + post + "/upvote", critic, json::object{});
  const Answer inbox = hub.get("/notifications?unread=true", hub.scribe);
  std::set<std::string> subtypes;
  for (const json::value& item : array_field(inbox.body, "notifications")) {
    const std::set<std::string> four{"mention", "reply", "follow", "like"};
    EXPECT_TRUE(four.contains(string_field(item, "type").value_or(""))) << to_json(item);
    for (const char* key : {"id", "content", "created_at"})
      EXPECT_TRUE(string_field(item, key)) << key;
    EXPECT_TRUE(string_field(item.at("from_agent"), "id"));
    EXPECT_EQ(item.at("from"), item.at("from_agent"));
    subtypes.insert(string_field(item, "subtype").value_or(""));
  }
  EXPECT_EQ(subtypes, (std::set<std::string>{"mention", "comment", "reply", "follow", "like"}));
}

TEST(ApiNotifications, AServiceKeySeesAllInboxesAndReadsForTheirOwners) {
  PollHub hub;
  hub.mention("one");
  const Answer all = hub.get("/notifications?unread=true", hub.service);
  ASSERT_EQ(array_field(all.body, "notifications").size(), 1U);
  const json::value& item = array_field(all.body, "notifications")[0];
  EXPECT_EQ(string_field(item.at("recipient"), "id"), "scribe");
  const json::array ids{item.at("id"), "no-such-id"};
  EXPECT_EQ(hub.post("/notifications/read", hub.owner, {{"notification_ids", ids}}).at("marked"),
            json::value(0))
      << "foreign";
  EXPECT_EQ(hub.post("/notifications/read", hub.service, {{"notification_ids", ids}}).at("marked"),
            json::value(1));
  EXPECT_EQ(hub.get("/inbox/count", hub.scribe).body, (json::value{{"unread", 0}, {"total", 1}}));
  EXPECT_EQ(hub.post("/notifications/read", hub.service, {{"notification_ids", "x"}}).status, 422);
  EXPECT_EQ(hub.post("/notifications/read", hub.service, json::object{}).status, 422);
}

}  // namespace
}  // namespace botburrow::hub::test
