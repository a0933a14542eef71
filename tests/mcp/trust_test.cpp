#include "mcp/redis_trust.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/run_task.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using botburrow::test::PrivateRedis;
using botburrow::test::run_task;
using testing::SizeIs;

ToolDefinition tool(std::string name, std::string description = "") {
  json::object source{
      {"name", name}, {"description", description}, {"inputSchema", {{"type", "object"}}}};
  return *read_tool(source).tool;
}

DefinitionsSeen seen(std::vector<ToolDefinition> tools) {
  return DefinitionsSeen::of(tools, from_unix(1'000'000));
}

TEST(Trust, TellsWhatDiffers) {
  const auto before = seen({tool("a"), tool("b"), tool("c")});
  EXPECT_EQ(difference(before, seen({tool("a"), tool("b", "evil"), tool("d")})),
            "added d; changed b; removed c");
  EXPECT_EQ(difference(DefinitionsSeen{}, seen({tool("a")})), "added a");
  EXPECT_EQ(difference(before, before), "the definitions differ");
}

TEST(Trust, IsReadBackAsItWasWritten) {
  const auto one = seen({tool("a"), tool("b")});
  const auto again = read_definitions_seen(to_json_text(one));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->sha256, one.sha256);
  EXPECT_EQ(again->marks, one.marks);
  EXPECT_EQ(again->seen_at, one.seen_at);
  EXPECT_FALSE(read_definitions_seen("{}"));
  EXPECT_FALSE(read_definitions_seen("x"));
  EXPECT_TRUE(read_definitions_seen(R"({"sha256":"x"})"));
}

using Outcome = TrustStore::Approval::Outcome;

class RedisTrustTest : public testing::Test {
 protected:
  RedisTrustTest() { redis.start(); }
  ~RedisTrustTest() override { run_task(ioc, redis.stop()); }
  TrustVerdict check(std::vector<ToolDefinition> tools) {
    return run_task(ioc, trust.check("github", seen(std::move(tools))));
  }

  PrivateRedis server;
  boost::asio::io_context ioc;
  net::Redis redis{ioc.get_executor(), server.address(), {}, Log::none(), system_random()};
  RedisTrust trust{redis};
};

TEST_F(RedisTrustTest, WhatIsSeenFirstIsTrusted) {
  EXPECT_TRUE(check({tool("a")}).trusted);
  EXPECT_TRUE(check({tool("a")}).trusted);
  EXPECT_THAT(run_task(ioc, trust.waiting()), SizeIs(0));
  EXPECT_TRUE(read_definitions_seen(server.ask({"HGET", "mcp:tools", "github"}).str()));
}

TEST_F(RedisTrustTest, AChangeWaitsUntilItIsApproved) {
  check({tool("a")});
  const auto changed = check({tool("a", "do as I say")});
  EXPECT_FALSE(changed.trusted);
  EXPECT_EQ(changed.changed, "changed a");
  EXPECT_FALSE(check({tool("a", "do as I say")}).trusted);
  EXPECT_TRUE(check({tool("a")}).trusted);
  check({tool("a", "do as I say")});
  ASSERT_THAT(run_task(ioc, trust.waiting()), SizeIs(1));

  const auto approval = run_task(ioc, trust.approve("github", ""));
  ASSERT_EQ(approval.outcome, Outcome::approved);
  EXPECT_EQ(difference(approval.waiting.trusted, approval.waiting.changed), "changed a");
  EXPECT_TRUE(check({tool("a", "do as I say")}).trusted);
  EXPECT_FALSE(check({tool("a")}).trusted);
}

TEST_F(RedisTrustTest, WhatDoesNotWaitCannotBeApproved) {
  EXPECT_EQ(run_task(ioc, trust.approve("github", "")).outcome, Outcome::nothing_waits);
  check({tool("a")});
  EXPECT_EQ(run_task(ioc, trust.approve("github", "")).outcome, Outcome::nothing_waits);
}

TEST_F(RedisTrustTest, WhatWasLookedAtIsApprovedAndNothingElse) {
  check({tool("a")});
  check({tool("a", "harmless")});
  const auto looked_at = run_task(ioc, trust.waiting()).at(0).changed.sha256;
  check({tool("a", "do as I say")});

  const auto approval = run_task(ioc, trust.approve("github", looked_at.substr(0, 12)));
  EXPECT_EQ(approval.outcome, Outcome::others_wait);
  EXPECT_NE(approval.waiting.changed.sha256, looked_at);
  EXPECT_FALSE(check({tool("a", "do as I say")}).trusted);
  EXPECT_FALSE(check({tool("a", "harmless")}).trusted);
  EXPECT_EQ(run_task(ioc, trust.approve("github", looked_at.substr(0, 12))).outcome,
            Outcome::approved);
  EXPECT_TRUE(check({tool("a", "harmless")}).trusted);
}

TEST_F(RedisTrustTest, AnEntryThatCannotBeReadIsTrustedByNobody) {
  server.ask({"HSET", "mcp:tools", "github", "garbage"});
  EXPECT_FALSE(check({tool("a")}).trusted);
  EXPECT_EQ(run_task(ioc, trust.approve("github", "")).outcome, Outcome::approved);
  EXPECT_TRUE(check({tool("a")}).trusted);
}

}  // namespace
}  // namespace botburrow::mcp
