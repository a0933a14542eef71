#include "llm/transcript.hpp"

#include "llm/tool_names.hpp"
#include "tests/llm/samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace botburrow::llm {
namespace {

Message calling(std::vector<std::string> ids) {
  Message message;
  message.role = Role::assistant;
  for (auto& id : ids)
    message.tool_calls.push_back({id, "t", json::object{}, {}});
  return message;
}

TEST(Transcript, JoinsSystemsAndUsersAndDropsBlankTexts) {
  const auto out =
      arranged({Message::system("one"), Message::user("a"), Message::system("two"),
                Message::user("  "), Message::user("b"), Message::assistant({.text = " \n"})},
               "x");
  EXPECT_EQ(out.system, "one\n\ntwo");
  ASSERT_EQ(out.turns.size(), 1u);
  EXPECT_EQ(out.turns[0].text, "a\n\nb");
}

TEST(Transcript, ResultsStandInTheOrderOfTheirCallsAlsoWhenTheUserSpokeBetween) {
  const auto out =
      arranged({Message::user("go"), calling({"1", "2"}), Message::tool({{"2", "t", "two", false}}),
                Message::user("hurry"), Message::tool({{"1", "t", "one", false}})},
               "x");
  ASSERT_EQ(out.turns.size(), 3u);
  ASSERT_EQ(out.turns[2].results.size(), 2u);
  EXPECT_EQ(out.turns[2].results[0].content, "one");
  EXPECT_EQ(out.turns[2].results[1].content, "two");
  EXPECT_EQ(out.turns[2].text, "hurry");
}

TEST(Transcript, ACallWithoutResultGetsAnErrorResult) {
  const auto out =
      arranged({Message::user("go"), calling({"1"}), Message::assistant({.text = "done"})}, "x");
  ASSERT_EQ(out.turns.size(), 4u);
  ASSERT_EQ(out.turns[2].results.size(), 1u);
  EXPECT_TRUE(out.turns[2].results[0].is_error);
  EXPECT_EQ(out.turns[2].results[0].call_id, "1");
}

TEST(Transcript, AResultThatNobodyAskedForBecomesText) {
  const auto out = arranged({Message::user("go"), Message::tool({{"9", "t", "lost", false}})}, "x");
  ASSERT_EQ(out.turns.size(), 1u);
  EXPECT_EQ(out.turns[0].text, "go\n\nResult of t: lost");
  EXPECT_TRUE(out.turns[0].results.empty());
}

TEST(Transcript, AUserBeginsAndBlocksOfOthersAreLeftOut) {
  Message message = Message::assistant(
      {.text = "hi", .provider = "anthropic", .provider_blocks = {{{"type", "x"}}}});
  EXPECT_TRUE(arranged({message}, "openai").turns.at(1).provider_blocks.empty());
  EXPECT_EQ(arranged({message}, "anthropic").turns.at(1).provider_blocks.size(), 1u);
  EXPECT_FALSE(arranged({message}, "x").turns.front().assistant);
  EXPECT_FALSE(arranged({}, "x").turns.front().text.empty());
}

TEST(ToolNames, BecomeValidStayDifferentAndComeBack) {
  const std::string longest(80, 'x');
  const std::vector<ToolSpec> tools{tool("a.b"),   tool("a/b"),         tool("a_b"),
                                    tool(longest), tool(longest + "y"), tool("")};
  const ToolNames names(tools, {});
  std::set<std::string> seen;
  for (const auto& one : tools) {
    const auto wire = names.to_wire(one.name);
    EXPECT_THAT(wire, testing::MatchesRegex("[a-zA-Z0-9_-]+"));
    EXPECT_LE(wire.size(), 64u);
    EXPECT_TRUE(seen.insert(wire).second) << wire;
    EXPECT_EQ(names.from_wire(wire), one.name);
  }
  EXPECT_EQ(names.to_wire("a_b"), "a_b");
  EXPECT_EQ(names.from_wire("invented"), "invented");
}

TEST(ModelJson, MessagesAndAnswersComeBackEqual) {
  auto request = after_one_call();
  request.messages[3].provider_blocks = {{{"type", "thinking"}, {"signature", "s"}}};
  request.messages[3].provider_blocks_of = "anthropic";
  request.messages[3].tool_calls[0].malformed = "{broken";
  for (const auto& message : request.messages) {
    const auto text = to_json(to_json_value(message));
    EXPECT_EQ(to_json(to_json_value(message_from_json(parsed(text)))), text);
  }
  ModelAnswer answer{.text = "t",
                     .tool_calls = request.messages[3].tool_calls,
                     .stop = StopReason::pause,
                     .usage = {1, 2, 3, 4, true},
                     .model = "m",
                     .provider = "p",
                     .offline = true,
                     .cost_usd = 0.25,
                     .failure = "exit code 3",
                     .provider_blocks = {1}};
  const auto again = answer_from_json(parsed(shown(answer)));
  EXPECT_EQ(shown(again), shown(answer));
  EXPECT_EQ(again.usage, answer.usage);
  EXPECT_EQ(again.stop, StopReason::pause);
  EXPECT_EQ(again.cost_usd, 0.25);
  EXPECT_EQ(again.failure, "exit code 3");
  EXPECT_THROW(message_from_json(parsed(R"({"role":"king"})")), Error);
  EXPECT_THROW(answer_from_json(parsed(R"({"text":"x"})")), Error);
}

}  // namespace
}  // namespace botburrow::llm
