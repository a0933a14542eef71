#include "llm/offline.hpp"

#include "tests/llm/samples.hpp"
#include "tests/support/run_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kSystem = "You are **Scribe**, a careful note taker. Be brief.";

std::string notification(std::string_view words) {
  return "## New Notification\nType: You were mentioned\nFrom: ada\nTime: 2026-02-07 "
         "10:00\nContent:\n[hub text c1 by ada]\n" +
         std::string(words) +
         "\n[end of hub text]\n\nAnswer this. If no answer is called for, say exactly: No response "
         "needed.";
}

ModelRequest asking(std::string user, std::vector<std::string> tools = {}) {
  ModelRequest request;
  request.messages = {Message::system(std::string(kSystem)),
                      Message::user("## Thread Context\n### Leases\nold talk"),
                      Message::user(std::move(user))};
  for (auto& name : tools)
    request.tools.push_back(tool(std::move(name)));
  return request;
}

ModelAnswer answer_to(std::string_view words, std::vector<std::string> tools = {}) {
  return offline_answer(asking(notification(words), std::move(tools)));
}

TEST(OfflineModel, AnswersInItsOwnNameAndQuotesWhatWasAsked) {
  const auto answer = answer_to("@scribe What is a lease, and how does fencing work?");
  EXPECT_THAT(answer.text, StartsWith("Hello ada! Scribe here."));
  EXPECT_THAT(answer.text, HasSubstr("\"What is a lease, and how does fencing work?\""));
  EXPECT_THAT(answer.text, HasSubstr("Leases"));
  EXPECT_THAT(answer.text, HasSubstr("a careful note taker"));
  EXPECT_TRUE(answer.offline);
  EXPECT_EQ(answer.provider, "offline");
  EXPECT_EQ(answer.stop, StopReason::end);
  EXPECT_GT(answer.usage.input, 20);
  EXPECT_EQ(answer.usage.output, estimated_tokens(answer.text));
}

TEST(OfflineModel, MentionsNobodyAnew) {
  const auto answer =
      answer_to("Hi @scribe and @night-owl, mail me@example.org: what is @ada, a lease?");
  EXPECT_THAT(answer.text, Not(HasSubstr("@scribe")));
  EXPECT_THAT(answer.text, Not(HasSubstr("@night-owl")));
  EXPECT_THAT(answer.text, Not(HasSubstr("@ada")));
  EXPECT_THAT(answer.text, HasSubstr("me@example.org"));
}

TEST(OfflineModel, DoesNotAnswerAnotherOfflineModel) {
  EXPECT_EQ(answer_to("@scribe what do you say?\n\n[offline model]").text.substr(0, 19),
            "No response needed.");
}

TEST(OfflineModel, EveryAnswerIsLabelledAndTheSameForTheSameRequest) {
  for (const auto* words : {"hi", "thanks!", "say exactly: yes", "search for birds",
                            "use tool x {}", "", "answer SKIP"}) {
    const auto answer = answer_to(words, {"hub_search", "hub_post"});
    EXPECT_THAT(answer.text, HasSubstr(kOfflineLabel)) << words;
    EXPECT_EQ(shown(answer), shown(answer_to(words, {"hub_search", "hub_post"})));
  }
  auto request = asking(notification("say exactly: " + std::string(10'000, 'x')));
  request.max_tokens = 10;
  const auto cut = offline_answer(request);
  EXPECT_EQ(cut.stop, StopReason::max_tokens);
  EXPECT_THAT(cut.text, HasSubstr(kOfflineLabel));
}

TEST(OfflineModel, SaysExactlyWhatItIsToldButNotWhatTheFrameTellsEverybody) {
  EXPECT_THAT(answer_to("please say exactly: the moon is full").text,
              StartsWith("the moon is full\n"));
  EXPECT_THAT(answer_to("what is new?").text, Not(HasSubstr("No response needed")));
  EXPECT_THAT(answer_to("Thank you!").text, StartsWith("No response needed.\n"));
  EXPECT_THAT(answer_to("please answer SKIP").text, StartsWith("SKIP\n"));
}

TEST(OfflineModel, UsesToolsInTurnAndReportsTheirResults) {
  auto request = asking(
      notification(R"(use tool Read {"file_path":"a}b"} then use tool Write {"x":[1,{"y":2}]})"),
      {"Read", "Write"});
  const auto first = offline_answer(request);
  ASSERT_EQ(first.tool_calls.size(), 1u);
  EXPECT_EQ(first.stop, StopReason::tool_use);
  EXPECT_EQ(first.tool_calls[0].name, "Read");
  EXPECT_EQ(first.tool_calls[0].arguments, parsed(R"({"file_path":"a}b"})"));
  request.messages.push_back(Message::assistant(first));
  request.messages.push_back(Message::tool({{first.tool_calls[0].id, "Read", "old", false}}));
  const auto second = offline_answer(request);
  ASSERT_EQ(second.tool_calls.size(), 1u);
  EXPECT_EQ(second.tool_calls[0].arguments, parsed(R"({"x":[1,{"y":2}]})"));
  EXPECT_NE(second.tool_calls[0].id, first.tool_calls[0].id);
  request.messages.push_back(Message::assistant(second));
  request.messages.push_back(
      Message::tool({{second.tool_calls[0].id, "Write", "disk full", true}}));
  const auto last = offline_answer(request);
  EXPECT_TRUE(last.tool_calls.empty());
  EXPECT_THAT(last.text, HasSubstr("Write failed:\ndisk full"));
}

TEST(OfflineModel, ToolsThatAreNotOfferedAreNotCalled) {
  const auto answer = answer_to("use tool Bash {\"command\":\"ls\"}", {"Read"});
  EXPECT_TRUE(answer.tool_calls.empty());
  EXPECT_THAT(answer.text, HasSubstr("Bash"));
  auto request = asking(notification("search for birds"), {"hub_search"});
  request.may_call_tools = false;
  EXPECT_TRUE(offline_answer(request).tool_calls.empty());
}

TEST(OfflineModel, BrokenArgumentsBecomeAMalformedCall) {
  const auto answer = answer_to("use tool Read {\"file_path\": \nbye", {"Read"});
  ASSERT_EQ(answer.tool_calls.size(), 1u);
  EXPECT_TRUE(answer.tool_calls[0].malformed.has_value());
}

TEST(OfflineModel, SearchesTheHub) {
  const auto answer = answer_to("Could you search for \"lease fencing\"? Thanks.", {"hub_search"});
  ASSERT_EQ(answer.tool_calls.size(), 1u);
  EXPECT_EQ(answer.tool_calls[0].name, "hub_search");
  EXPECT_EQ(answer.tool_calls[0].arguments, parsed(R"({"query":"lease fencing"})"));
}

std::string discovery(std::string_view posts, std::string_view least = "0.7") {
  return "You are looking around. before you post; below " + std::string(least) +
         " do not post. If nothing fits, say exactly: "
         "Nothing to engage with right now.\n\n## Recent Posts\n" +
         std::string(posts);
}

constexpr std::string_view kPosts =
    "\n1. Weekly notes\n**By** bob in m/general\n**ID**: p1\n[hub text p1 by bob]\nAll "
    "quiet.\n[end of hub text]\n"
    "\n2. How do fences work?\n**By** eve in m/general\n**ID**: p2\n[hub text p2 by eve]\nI wonder "
    "about epochs.\n[end of hub text]\n";

TEST(OfflineModel, ExploringAnswersAQuestionWithItsConfidence) {
  auto request = asking(discovery(kPosts), {"hub_post"});
  const auto answer = offline_answer(request);
  EXPECT_THAT(answer.text, HasSubstr("Confidence: 0.8"));
  ASSERT_EQ(answer.tool_calls.size(), 1u);
  EXPECT_EQ(string_field(answer.tool_calls[0].arguments, "reply_to"), "p2");
  EXPECT_THAT(string_field(answer.tool_calls[0].arguments, "content").value(),
              HasSubstr("How do fences work?"));
  EXPECT_THAT(string_field(answer.tool_calls[0].arguments, "content").value(),
              HasSubstr(kOfflineLabel));
  request.messages.push_back(Message::assistant(answer));
  request.messages.push_back(
      Message::tool({{answer.tool_calls[0].id, "hub_post", "Comment posted", false}}));
  EXPECT_TRUE(offline_answer(request).tool_calls.empty());
}

TEST(OfflineModel, ExploringStaysQuietBelowTheConfidenceAskedFor) {
  const std::string quiet(kPosts.substr(0, kPosts.find("\n2.")));
  EXPECT_THAT(offline_answer(asking(discovery(quiet), {"hub_post"})).text,
              StartsWith("Nothing to engage with right now.\n"));
  EXPECT_EQ(offline_answer(asking(discovery(quiet, "0.5"), {"hub_post"})).tool_calls.size(), 1u);
  EXPECT_TRUE(offline_answer(asking(discovery(kPosts, "0.9"), {"hub_post"})).tool_calls.empty());
  EXPECT_THAT(offline_answer(asking(discovery(""), {"hub_post"})).text,
              StartsWith("Nothing to engage"));
  EXPECT_TRUE(offline_answer(asking(discovery(kPosts), {})).tool_calls.empty());
}

TEST(OfflineModel, TakesAnyTextWithoutFailing) {
  std::uint64_t seed = 7;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int j = 0; j < 200; ++j) {
      seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
      static constexpr std::string_view kBits[] = {"## Recent Posts",
                                                   "\n**By** ",
                                                   "**ID**:",
                                                   "[hub text ",
                                                   "]\n",
                                                   "use tool ",
                                                   "{",
                                                   "}",
                                                   "\"",
                                                   "\\",
                                                   "say exactly:",
                                                   "search for ",
                                                   "\xf0\x9f",
                                                   "x",
                                                   " ",
                                                   "\n",
                                                   "?",
                                                   "@",
                                                   "You are ",
                                                   ","};
      text += kBits[(seed >> 33) % std::size(kBits)];
    }
    EXPECT_FALSE(offline_answer(asking(text, {"hub_post", "hub_search", "x"})).text.empty());
  }
}

TEST(OfflineModel, StandsBehindTheInterface) {
  boost::asio::io_context io;
  Metrics metrics;
  const auto model = make_offline_model("claude-x", &metrics);
  const auto answer = test::run_task(io, model->complete(asking("hello there"), Deadline::never()));
  EXPECT_EQ(answer.model, "claude-x");
  EXPECT_EQ(model->provider(), "offline");
  EXPECT_THAT(metrics.expose(), HasSubstr("botburrow_llm_requests_total{provider=\"offline\",model="
                                          "\"claude-x\",outcome=\"success\"} 1"));
  EXPECT_THROW(
      test::run_task(io, model->complete(asking("hi"), Deadline::in(std::chrono::seconds(-1)))),
      Error);
}

}  // namespace
}  // namespace botburrow::llm
