// The Hub's tools as an MCP server offers them, against our Hub.
#include "tools/hub_server_tools.hpp"

#include "mcp/server_rules.hpp"
#include "tests/tools/hub_world.hpp"
#include "tools/uncounted_agent_state.hpp"

namespace botburrow::tools {
namespace {

using test::HubWorld;
using testing::ElementsAre;
using testing::HasSubstr;

class NoProgress final : public mcp::CallProgress {
 public:
  Task<> progressed(double, std::optional<double>, std::string) override { co_return; }
};

class HubServerTools : public testing::Test {
 protected:
  HubServerTools() { world.agent("scribe"); }

  void offer(std::vector<std::string> grants,
             definitions::Limits limits = {.min_interval_seconds = 0}) {
    const definitions::GrantSet held(std::move(grants));
    tools = make_hub_server_tools(
        {.hub = *world.hub,
         .agent = AgentId("scribe"),
         .grants = held,
         .writer =
             [this, held, limits] {
               auto writer = std::make_shared<HubWriter>(
                   *world.hub, counted ? static_cast<queue::AgentState&>(state) : uncounted,
                   world.clock, HubWriter::Identity{.id = AgentId("scribe"), .name = "scribe"},
                   HubWriter::Rules{.limits = limits, .grants = held}, [] { return true; }, journal,
                   world.log, world.metrics);
               writer->begin_work(WorkId(world.random.uuid4()));
               return writer;
             },
         .log = world.log,
         .metrics = world.metrics});
  }
  struct Said {
    json::value document;
    bool is_error = false;
  };
  Said call(std::string_view name, json::object arguments) {
    const auto tool = std::ranges::find(tools, name, &mcp::ServerTool::name);
    EXPECT_NE(tool, tools.end()) << name;
    NoProgress progress;
    const auto reply = world.run(tool->handler(std::move(arguments), progress));
    const auto text = string_field(reply.content.at(0), "text").value_or("");
    return {.document = try_parse_json(text).value_or(json::value()), .is_error = reply.is_error};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& tool : tools) {
      if (tool.listed) out.push_back(tool.name);
    }
    return out;
  }

  HubWorld world;
  queue::RedisAgentState state{world.redis, world.log};
  UncountedAgentState uncounted;
  NoEffectJournal journal;
  bool counted = false;
  std::vector<mcp::ServerTool> tools;
};

TEST_F(HubServerTools, GrantsDecideWhatIsOffered) {
  offer({"hub:read"});
  EXPECT_THAT(names(), ElementsAre("hub_search", "hub_get_thread", "hub_get_notifications",
                                   "hub_get_budget_health"));
  offer({"hub:write"});
  EXPECT_THAT(names(), ElementsAre("hub_post"));
  offer({});
  EXPECT_THAT(names(), ElementsAre());
}

TEST_F(HubServerTools, ACallWithoutTheGrantIsToldWhichOneAndCounted) {
  offer({"hub:read"});
  const auto said = call("hub_post", {{"content", "words"}});
  EXPECT_TRUE(said.is_error);
  EXPECT_EQ(string_field(said.document, "error"),
            "hub_post is not allowed: this agent does not hold the grant hub:write");
  EXPECT_EQ(world.lines->count("grant_denied"), 1u);
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_grant_denied_total{grant=\"hub:write\"} 1"));
  offer({"hub:write"});
  EXPECT_TRUE(call("hub_search", {{"query", "x"}}).is_error);
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_grant_denied_total{grant=\"hub:read\"} 1"));
}

TEST_F(HubServerTools, PostsAndCommentsAreTheAgents) {
  offer({"hub:read", "hub:write"});
  const auto post =
      call("hub_post",
           {{"content", "a lease is a loan"}, {"title", "Leases"}, {"community", "m/general"}});
  EXPECT_FALSE(post.is_error);
  EXPECT_EQ(post.document.at("success"), true);
  EXPECT_EQ(post.document.at("message"), "Post created");
  const auto id = string_field(post.document, "post_id").value();
  const auto comment = call("hub_post", {{"content", "and it ends"}, {"reply_to", id}});
  EXPECT_EQ(comment.document.at("message"), "Comment posted");

  const auto thread = call("hub_get_thread", {{"post_id", id}}).document;
  EXPECT_EQ(thread.at("root").at("author"), "scribe");
  EXPECT_EQ(thread.at("root").at("title"), "Leases");
  EXPECT_EQ(thread.at("comments").at(0).at("content"), "and it ends");
  EXPECT_EQ(thread.at("comments").at(0).at("author"), "scribe");
}

TEST_F(HubServerTools, SearchAndInboxAnswerDocuments) {
  offer({"hub:read"});
  world.new_post("@scribe what is a lease? " + std::string(400, 'x'), "A question");

  const auto found = call("hub_search", {{"query", "lease"}}).document;
  EXPECT_EQ(found.at("count"), 1);
  EXPECT_EQ(found.at("results").at(0).at("title"), "A question");
  EXPECT_EQ(string_field(found.at("results").at(0), "content")->size(), 303u);
  const auto inbox = call("hub_get_notifications", {}).document;
  EXPECT_EQ(inbox.at("count"), 1);
  EXPECT_EQ(inbox.at("notifications").at(0).at("from"), "owner");
  const auto budget = call("hub_get_budget_health", {}).document;
  EXPECT_EQ(budget.at("status"), "healthy");
}

TEST_F(HubServerTools, FailuresAreDocumentsToo) {
  offer({"hub:read", "hub:write"});
  const auto missing = call("hub_get_thread", {{"post_id", "nothing-such"}});
  EXPECT_TRUE(missing.is_error);
  EXPECT_THAT(*string_field(missing.document, "error"), HasSubstr("nothing-such"));
  world.front->rule([](const auto&) { return test::HubFront::answer(503); });
  const auto away = call("hub_search", {{"query", "x"}});
  EXPECT_TRUE(away.is_error);
  EXPECT_NE(string_field(away.document, "error"), std::nullopt);
}

TEST_F(HubServerTools, LimitsHold) {
  counted = true;
  offer({"hub:read", "hub:write"},
        {.max_daily_posts = 1, .max_responses_per_thread = 1, .min_interval_seconds = 0});
  EXPECT_FALSE(call("hub_post", {{"content", "one"}}).is_error);
  const auto second = call("hub_post", {{"content", "two"}});
  EXPECT_TRUE(second.is_error);
  EXPECT_EQ(second.document.at("error"), "Limit reached: max_daily_posts (1)");

  const auto thread = world.new_post("a thread");
  EXPECT_FALSE(call("hub_post", {{"content", "one"}, {"reply_to", thread}}).is_error);
  EXPECT_EQ(call("hub_post", {{"content", "two"}, {"reply_to", thread}}).document.at("error"),
            "Limit reached: max_responses_per_thread (1)");
}

}  // namespace
}  // namespace botburrow::tools
