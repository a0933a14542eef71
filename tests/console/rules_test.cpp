// The console's rules: what a plot keeps, what a journal's lines tell, who is on the roster.
#include "base/json.hpp"
#include "console/history.hpp"
#include "console/kept_history.hpp"
#include "console/progress.hpp"
#include "console/roster.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::console {
namespace {

using testing::ElementsAre;

Sample at(double seconds, double high) {
  return {.at = seconds, .depth = {high, 0, 0}};
}

History filled(std::size_t count, std::size_t kept_max = 10'000) {
  History history(kept_max);
  for (std::size_t i = 0; i < count; ++i)
    history.add(at(static_cast<double>(i), 0));
  return history;
}

TEST(ConsoleHistory, ForgetsTheOldestFirst) {
  const auto history = filled(5, 3);
  const auto points = history.plot(0, 10);
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points.front().at, 2);
  EXPECT_EQ(points.back().at, 4);
}

TEST(ConsoleHistory, NeverGivesMorePointsThanAsked) {
  for (std::size_t count : {0U, 1U, 2U, 59U, 60U, 61U, 179U, 180U, 181U, 1000U, 1080U}) {
    for (std::size_t most : {0U, 1U, 3U, 60U, 180U})
      EXPECT_LE(filled(count).plot(0, most).size(), std::max<std::size_t>(most, 0)) << count;
  }
  EXPECT_EQ(filled(100).plot(0, 180).size(), 100U) << "what fits is not thinned";
}

TEST(ConsoleHistory, ThinningKeepsEveryPeak) {
  History history(2000);
  for (int i = 0; i < 1000; ++i)
    history.add(at(i, i == 503 ? 42 : 1));
  double highest = 0;
  for (const auto& point : history.plot(0, 60))
    highest = std::max(highest, point.depth[0]);
  EXPECT_EQ(highest, 42);
}

TEST(ConsoleHistory, APointStaysWhatItIsWhileTimeGoesOn) {
  History history(1000);
  for (int i = 0; i < 600; ++i)
    history.add(at(i, i % 7));
  const auto before = history.plot(100, 60);
  history.add(at(600, 100));
  const auto after = history.plot(100, 60);
  for (std::size_t i = 0; i + 1 < before.size(); ++i) {
    EXPECT_EQ(before[i].at, after[i].at);
    EXPECT_EQ(before[i].depth[0], after[i].depth[0]);
  }
}

TEST(ConsoleHistory, WhatOthersKeptComesBeforeWhatWasSeenHere) {
  History history(5);
  history.add({.at = 100, .dead = 1});
  history.add({.at = 110, .dead = 2});
  history.put_before({{.at = 10, .dead = 7},
                      {.at = 40, .dead = 8},
                      {.at = 70},
                      {.at = 95, .dead = 9},
                      {.at = 100, .dead = 50},
                      {.at = 130, .dead = 50}});
  const auto points = history.plot(0, 100);
  std::vector<double> dead;
  for (const auto& point : points)
    dead.push_back(point.dead);
  EXPECT_THAT(dead, testing::ElementsAre(8, 0, 9, 1, 2)) << "the oldest had no room";
  history.add({.at = 120, .dead = 3});
  EXPECT_EQ(history.size(), 5u);
}

TEST(ConsoleHistory, AMinuteIsTheHighestOfItsSamplesAndOneWithoutRedisIsNone) {
  MinuteSamples minutes;
  EXPECT_FALSE(minutes.add({.at = 60, .depth = {1, 0, 0}}));
  EXPECT_FALSE(minutes.add({.at = 80, .depth = {9, 0, 0}, .oldest = {0, 0, 4}}));
  EXPECT_FALSE(minutes.add({.at = 119, .depth = {2, 0, 0}}));
  const auto ended = minutes.add({.at = 120, .known = false});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->at, 119);
  EXPECT_EQ(ended->depth[0], 9);
  EXPECT_EQ(ended->oldest[2], 4);
  EXPECT_FALSE(minutes.add({.at = 180, .depth = {1, 0, 0}})) << "nobody saw the minute of 120";
  EXPECT_TRUE(minutes.add({.at = 700})) << "however late the next one comes";
}

TEST(ConsoleHistory, WhatIsKeptIsReadAsItWasAndGarbageIsNot) {
  const Sample sample{.at = 1'790'000'000.7,
                      .depth = {1000, 2, 0},
                      .oldest = {12.34, 0, 90000},
                      .running = 40,
                      .held_off = 5,
                      .dead = 6};
  const auto text = encode(sample);
  EXPECT_EQ(text, "[1790000000,1000,2,0,12.3,0,90000,40,5,6]");
  const auto back = decode_sample(text);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->known);
  EXPECT_EQ(encode(*back), text);
  for (const char* bad : {"", "x", "{}", "[1,2]", "[1,2,3,4,5,6,7,8,9,-1]",
                          "[1,2,3,4,5,6,7,8,9,\"a\"]", "[1,2,3,4,5,6,7,8,9,10,11]"})
    EXPECT_FALSE(decode_sample(bad)) << bad;
  EXPECT_FALSE(decode_sample("[" + std::string(1000, '1') + ",2,3,4,5,6,7,8,9,10]"));
}

TEST(ConsoleHistory, WhereNothingWasKnownThereIsAGap) {
  History history(10);
  history.add(at(1, 5));
  history.add({.at = 2, .known = false});
  history.add(at(3, 6));
  const auto points = history.plot(0, 10);
  ASSERT_EQ(points.size(), 3U);
  EXPECT_TRUE(points[0].known);
  EXPECT_FALSE(points[1].known);
  EXPECT_EQ(points[2].depth[0], 6);
}

std::string line(std::string kind, json::object more = {}, std::string activation = "a1") {
  more["kind"] = kind;
  more["activation_id"] = activation;
  more["at"] = "2026-02-07T10:00:00.000Z";
  return to_json(more);
}

TEST(ConsoleProgress, CountsStepsAndCostOfItsActivationOnly) {
  Progress progress{ActivationId("a1")};
  progress.take(
      0, {line("model_call", {}, "before"), line("model_answer", {{"cost_usd", 5.0}}, "before"),
          line("started"), line("model_call"), line("model_answer", {{"cost_usd", 0.25}}),
          line("model_call"), line("model_answer", {{"cost_usd", 0.5}})});
  EXPECT_EQ(progress.steps(), 2);
  EXPECT_DOUBLE_EQ(progress.cost_usd(), 0.75);
  EXPECT_EQ(progress.next(), 7);
}

TEST(ConsoleProgress, TakesNoLineTwice) {
  Progress progress{ActivationId("a1")};
  const std::vector<std::string> lines{line("model_call"), line("model_call")};
  progress.take(0, lines);
  progress.take(0, lines);
  progress.take(1, {lines[1], line("model_call")});
  EXPECT_EQ(progress.steps(), 3);
  progress.take(9, {line("model_call")});
  EXPECT_EQ(progress.steps(), 3) << "a gap is not jumped over";
}

TEST(ConsoleProgress, SaysWhatItDoesNow) {
  Progress progress{ActivationId("a1")};
  EXPECT_EQ(progress.doing(), "");
  progress.take(0,
                {line("notification",
                      {{"notification", {{"type", "mention"}, {"from", {{"name", "alice"}}}}}})});
  EXPECT_EQ(progress.doing(), "begins a mention by alice");
  progress.take(1,
                {line("model_answer", {{"answer", {{"tool_calls", {{{"name", "hub_search"}}}}}}})});
  EXPECT_EQ(progress.doing(), "runs hub_search");
  progress.take(2, {line("effect")});
  EXPECT_EQ(progress.doing(), "writes to the Hub");
  EXPECT_EQ(progress.since(), "2026-02-07T10:00:00.000Z");
}

TEST(ConsoleProgress, PassesOverWhatItCannotRead) {
  Progress progress{ActivationId("a1")};
  progress.take(
      0, {"{", "[]", "null", "\"model_call\"", line("of_a_later_version"), line("model_call")});
  EXPECT_EQ(progress.steps(), 1);
  EXPECT_EQ(progress.next(), 6);
}

RosterFacts some_facts() {
  RosterFacts facts;
  facts.snapshot.active = {{"busy", "runner-1"}};
  facts.snapshot.backoff = {{"tired", 30.5}};
  facts.snapshot.failures = {{"tired", 5}, {"shaky", 1}};
  facts.snapshot.paused = {"quiet"};
  facts.queued = {{"next", "high:inbox"}, {"quiet", "low:discovery"}};
  facts.others = {"old", "busy", "old", ""};
  return facts;
}

std::vector<std::string> names(const RosterList& list) {
  std::vector<std::string> out;
  for (const auto& entry : list)
    out.push_back(entry.agent_id + " " + entry.state);
  return out;
}

TEST(ConsoleRoster, HasEachAgentOnceWithItsState) {
  EXPECT_THAT(names(roster_of(some_facts())),
              ElementsAre("busy running", "next waiting", "old idle", "quiet paused", "shaky idle",
                          "tired held_off"));
}

TEST(ConsoleRoster, APausedFleetPausesAllButWhatRuns) {
  auto facts = some_facts();
  facts.snapshot.paused = {"*", "quiet"};
  EXPECT_THAT(names(roster_of(facts)), ElementsAre("busy running", "next paused", "old paused",
                                                   "quiet paused", "shaky paused", "tired paused"));
}

TEST(ConsoleRoster, ChoosesByStateAndPartOfTheName) {
  const auto all = roster_of(some_facts());
  EXPECT_THAT(names(chosen(all, "", "")), testing::SizeIs(6));
  EXPECT_THAT(names(chosen(all, "idle", "")), ElementsAre("old idle", "shaky idle"));
  EXPECT_THAT(names(chosen(all, "failing", "")), ElementsAre("shaky idle", "tired held_off"));
  EXPECT_THAT(names(chosen(all, "", "us")), ElementsAre("busy running"));
  EXPECT_THAT(names(chosen(all, "running", "old")), ElementsAre());
}

}  // namespace
}  // namespace botburrow::console
