#include "base/json.hpp"
#include "cli/replay_text.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::cli {
namespace {

using queue::JournalKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

queue::JournalLine line(JournalKind kind, json::object fields) {
  return {.at = "2026-01-02T03:04:05.678Z",
          .activation_id = ActivationId("a-1"),
          .kind = kind,
          .fields = std::move(fields)};
}
std::vector<std::string> shown(JournalKind kind, json::object fields, std::size_t bytes = 400) {
  return transcript_of({line(kind, std::move(fields))}, bytes);
}

TEST(Replay, NamesWhoClaimed) {
  EXPECT_THAT(shown(JournalKind::started, {{"agent_name", "scribe"},
                                           {"task_type", "inbox"},
                                           {"runner_id", "r-1"},
                                           {"attempt", 2},
                                           {"fence", "1.7"}}),
              ElementsAre("03:04:05.678  claim scribe of inbox work by r-1, attempt 2, fence 1.7 "
                          "(activation a-1)"));
}

TEST(Replay, ShowsMessagesAndToolResults) {
  const json::value messages{
      {{"role", "user"}, {"text", "one\ntwo"}},
      {{"role", "tool"},
       {"tool_results", {{{"call_id", "1"}, {"tool_name", "look"}, {"content", "seen"}}}}}};
  EXPECT_THAT(shown(JournalKind::model_call, {{"messages", messages}}),
              ElementsAre("03:04:05.678  model asked", "              user       one",
                          "                         two", "              result     look: seen"));
}

TEST(Replay, CutsLongTextsAndSaysSo) {
  const auto lines =
      shown(JournalKind::effect, {{"slot", "reply"}, {"body", {{"content", "abcdef"}}}}, 4);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[1], HasSubstr("abcd [… 2 bytes more; --full shows them]"));
}

TEST(Replay, TellsOutcomesOfEffectsApart) {
  EXPECT_THAT(shown(JournalKind::effect_done, {{"slot", "reply"}, {"id", "c-1"}})[0],
              HasSubstr("effect reply done: id c-1"));
  EXPECT_THAT(shown(JournalKind::effect_done,
                    {{"slot", "reply"}, {"refused", "gone"}, {"reason", "no such post"}})[0],
              HasSubstr("effect reply refused (gone): no such post"));
  EXPECT_THAT(shown(JournalKind::effect_done, {{"slot", "reply"}, {"not_sent", true}})[0],
              HasSubstr("effect reply not sent"));
}

TEST(Replay, WhatStrangersWroteCannotDriveTheTerminal) {
  const auto lines = shown(JournalKind::notification,
                           {{"notification", {{"id", "n\x1b[2J"}, {"content", "x\x1b[31m"}}}});
  for (const auto& one : lines)
    EXPECT_EQ(one.find('\x1b'), std::string::npos) << one;
}

TEST(Replay, DocumentHoldsTheLineAsItIsStored) {
  const auto document = to_document(line(JournalKind::ended, {{"outcome", "success"}}));
  EXPECT_EQ(string_field(document, "kind"), "ended");
  EXPECT_EQ(string_field(document, "outcome"), "success");
  EXPECT_EQ(string_field(document, "activation_id"), "a-1");
}

}  // namespace
}  // namespace botburrow::cli
