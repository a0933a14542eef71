#include "queue/work_item.hpp"

#include "queue/results.hpp"
#include "queue/work_queue.hpp"

#include <gtest/gtest.h>

namespace botburrow::queue {
namespace {

WorkItem example() {
  return {.agent_id = AgentId("claude-coder-1"),
          .agent_name = "claude-coder-1",
          .task_type = TaskType::inbox,
          .priority = Priority::high,
          .inbox_count = 3,
          .created_at = 1770500000.5};
}

constexpr std::string_view kExample =
    R"({"agent_id": "claude-coder-1", "agent_name": "claude-coder-1", "task_type": "inbox", "priority": "high", "inbox_count": 3, "created_at": 1770500000.5})";

TEST(WorkItem, IsWrittenByteForByteAsTheContractShows) {
  EXPECT_EQ(encode(example()), kExample);
}

TEST(WorkItem, ReadsWhatItWrites) {
  WorkItem item = example();
  EXPECT_EQ(decode_item(encode(item)), item);

  item.notification_id = "n-1";
  item.work_id = WorkId("w");
  item.attempt = 2;
  item.history = {{.activation_id = "a", .runner_id = "r", .at = "t", .reason = "say \"no\""}};
  item.v = 2;
  EXPECT_EQ(decode_item(encode(item)), item);
}

TEST(WorkItem, DefaultsAndUnknownFieldsAreAccepted) {
  const auto item = decode_item(
      R"({"agent_id":"a","agent_name":"A b","task_type":"discovery","priority":"urgent","inbox_count":-4,"extra":[1]})");
  ASSERT_TRUE(item);
  EXPECT_EQ(item->agent_name, "A b");
  EXPECT_EQ(item->task_type, TaskType::discovery);
  EXPECT_EQ(item->priority, Priority::normal);
  EXPECT_EQ(item->inbox_count, 0);
  EXPECT_EQ(item->created_at, 0);
  EXPECT_EQ(item->v, 1);
}

TEST(WorkItem, MalformedElementsAreNothing) {
  for (const std::string_view text :
       {"", "x", "[]", "1", "{}", R"({"agent_id":"a"})", R"({"agent_id":"a","agent_name":"a"})",
        R"({"agent_id":1,"agent_name":"a","task_type":"inbox"})",
        R"({"agent_id":"","agent_name":"a","task_type":"inbox"})",
        R"({"agent_id":"a","agent_name":"a","task_type":"work"})",
        R"({"agent_id":"a\nb","agent_name":"a","task_type":"inbox"})"}) {
    EXPECT_FALSE(decode_item(text)) << text;
  }
  const std::string good = R"({"agent_id":"a","agent_name":"a","task_type":"inbox","x":")";
  EXPECT_TRUE(decode_item(good + std::string(kItemBytesMax - good.size() - 2, 'y') + "\"}"));
  EXPECT_FALSE(decode_item(good + std::string(kItemBytesMax - good.size() - 1, 'y') + "\"}"));
}

TEST(WorkItem, AgentIdsHaveBounds) {
  EXPECT_TRUE(valid_agent_id("a"));
  EXPECT_TRUE(valid_agent_id("Zoë the agent"));
  EXPECT_TRUE(valid_agent_id(std::string(256, 'a')));
  EXPECT_FALSE(valid_agent_id(""));
  EXPECT_FALSE(valid_agent_id(std::string(257, 'a')));
  EXPECT_FALSE(valid_agent_id("a\tb"));
  EXPECT_FALSE(valid_agent_id("\xff"));
}

TEST(Fence, IsComparedInOrderAndReadStrictly) {
  EXPECT_LT((Fence{1, 99}), (Fence{2, 1}));
  EXPECT_LT((Fence{2, 1}), (Fence{2, 2}));
  EXPECT_EQ((Fence{7, 9007199254740993}).to_string(), "7.9007199254740993");
  EXPECT_EQ(parse_fence("7.12"), (Fence{7, 12}));
  for (const std::string_view text : {"", "7", "7.", ".1", "7.1.2", "-1.2", "7.x", " 7.1"}) {
    EXPECT_FALSE(parse_fence(text)) << text;
  }
}

TEST(RunnerMode, AcceptsItsTaskTypes) {
  EXPECT_TRUE(accepts(RunnerMode::notification, TaskType::inbox));
  EXPECT_FALSE(accepts(RunnerMode::notification, TaskType::discovery));
  EXPECT_FALSE(accepts(RunnerMode::exploration, TaskType::inbox));
  EXPECT_TRUE(accepts(RunnerMode::exploration, TaskType::discovery));
  EXPECT_TRUE(accepts(RunnerMode::hybrid, TaskType::inbox));
  EXPECT_TRUE(accepts(RunnerMode::hybrid, TaskType::discovery));
}

TEST(ActivationResult, ReadsWhatItWrites) {
  const ActivationResult result{.agent_id = AgentId("a"),
                                .agent_name = "A",
                                .success = true,
                                .comments_created = 2,
                                .tokens_input = 10,
                                .tokens_output = 5,
                                .cost_usd = 0.25,
                                .duration_seconds = 1.5,
                                .timestamp = "2026-02-07T10:00:00.000Z",
                                .activation_id = ActivationId("x"),
                                .status = "success"};
  const std::string text = encode(result);
  EXPECT_NE(text.find(R"("tokens_used": 15, "duration_seconds": 1.5, "error": null)"),
            std::string::npos)
      << text;
  const auto back = decode_result(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), text);
}

TEST(ActivationResult, ReadsResultsOfTheOriginal) {
  const auto result = decode_result(
      R"({"agent_id":"a","agent_name":"a","success":false,"posts_created":0,"comments_created":0,"notifications_processed":0,"tokens_used":7,"duration_seconds":2.0,"error":"boom","timestamp":"2026-02-07T10:00:00.123456+00:00"})");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->tokens_used(), 7);
  EXPECT_EQ(result->status, "failure");
  EXPECT_EQ(result->error, "boom");
}

}  // namespace
}  // namespace botburrow::queue
