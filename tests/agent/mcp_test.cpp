// Activations whose agents have servers of the Model Context Protocol: started when they are
// needed, called like any tool, and not twice after a crash.
#include "mcp/redis_trust.hpp"
#include "tests/agent/activation_world.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

namespace botburrow::agent {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class McpActivationTest : public ::testing::Test {
 protected:
  McpActivationTest() {
    server("good");
    world.define("ada", "", "[hub:read, hub:write, fake:write], mcp_servers: [fake]");
  }

  void server(const std::string& way) {
    registry.set({.name = "fake",
                  .argv = {BOTBURROW_FAKE_MCP, way},
                  .read_grant = "fake:read",
                  .write_grant = "fake:write"});
  }
  ActivationServices services() {
    auto all = world.services();
    all.mcp = &mcp;
    all.mcp_launcher = &launcher;
    return all;
  }
  ActivationWorld::Ran activate(queue::Claim claim) {
    Activation activation(services(), world.settings, std::move(claim),
                          {.may_write = [] { return true; }}, world.log);
    auto ending = world.run(activation.run(Deadline::in(20s)));
    return {.ending = std::move(ending), .tally = activation.tally()};
  }
  /// Runs it until `until`, and then it is as if its process had died.
  void die(queue::Claim claim, const std::function<bool()>& until) {
    Activation activation(services(), world.settings, std::move(claim),
                          {.may_write = [] { return true; }}, world.log);
    boost::asio::cancellation_signal signal;
    bool ended = false;
    boost::asio::co_spawn(world.ioc, test::detail::cancellable(activation.run(Deadline::in(20s))),
                          boost::asio::bind_cancellation_slot(
                              signal.slot(), [&](std::exception_ptr, Ending) { ended = true; }));
    ASSERT_TRUE(test::run_until(world.ioc, [&] { return ended || until(); }));
    boost::asio::post(world.ioc, [&] {
      if (!ended) signal.emit(boost::asio::cancellation_type::all);
    });
    ASSERT_TRUE(test::run_until(world.ioc, [&] { return ended; }));
  }
  std::vector<std::string> tools_offered(std::size_t request) const {
    std::vector<std::string> names;
    for (const auto& tool : world.model->requests.at(request).tools)
      names.push_back(tool.name);
    return names;
  }

  /// Whether a call of a tool is written down.
  bool called() {
    const auto read = world.run(world.journal.load(WorkId("w-1")));
    return std::ranges::any_of(
        read.lines, [](const auto& line) { return line.kind == queue::JournalKind::effect; });
  }

  ActivationWorld world;
  tools::McpRegistry registry;
  tools::McpSettings settings{.times = {.quiet_max = 5s, .total_max = 5s}};
  mcp::RedisTrust trust{world.redis};
  mcp::PlainLauncher launcher{world.ioc.get_executor(), {{"PATH", "/usr/bin:/bin"}}};
  tools::McpServices mcp{.registry = registry,
                         .settings = settings,
                         .http = *world.http,
                         .trust = trust,
                         .pool = world.pool,
                         .clock = world.clock,
                         .metrics = world.metrics,
                         .credential = [](const std::string&) { return Secret(); }};
};

TEST_F(McpActivationTest, AnAgentCallsToolsOfItsServer) {
  const auto post = world.new_post("@ada hello");
  world.model->then(calls({{"mcp_fake_echo", {{"text", "hello"}}}})).then(says("it said so"));

  const auto ran = activate(world.claim());

  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  EXPECT_THAT(tools_offered(0), Contains("mcp_fake_echo"));
  EXPECT_THAT(tools_offered(0), Contains("hub_search"));
  EXPECT_EQ(world.model->requests.at(1).messages.back().tool_results.at(0).content, "echo: hello");
  EXPECT_EQ(world.comments_by("ada", post).at(0).content, "it said so");
}

TEST_F(McpActivationTest, AnAgentThatHasNothingToDoStartsNoServer) {
  const auto ran = activate(world.claim());

  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_EQ(world.lines->count("mcp_server_started"), 0u);
}

TEST_F(McpActivationTest, AServerThatDoesNotStartIsMissedAndNoMore) {
  server("odd");
  world.new_post("@ada hello");
  world.model->then(says("without it"));

  EXPECT_EQ(activate(world.claim()).outcome(), "success");
  EXPECT_EQ(world.lines->count("mcp_server_start_failed"), 1u);
  EXPECT_THAT(tools_offered(0), Not(Contains("mcp_fake_echo")));
}

TEST_F(McpActivationTest, ARequiredServerThatIsAwayIsNotTheAgentsFault) {
  settings.own.commands_allowed = {BOTBURROW_FAKE_MCP};
  world.define(
      "ada", "",
      std::string("[hub:read, hub:write, fake:write], mcp_servers: [{name: fake, command: ") +
          BOTBURROW_FAKE_MCP + ", args: [odd], required: true}]");
  world.new_post("@ada hello");

  const auto ran = activate(world.claim());

  EXPECT_EQ(ran.outcome(), "skipped") << ran.ending.reason;
  EXPECT_THAT(ran.ending.reason, HasSubstr("fake"));
  EXPECT_THAT(world.unread("ada"), Not(IsEmpty()));
  EXPECT_TRUE(world.model->requests.empty());
}

TEST_F(McpActivationTest, ACallOfUnknownOutcomeIsToldToTheModelAndNotMadeAgain) {
  world.new_post("@ada hello");
  // It hangs in the call, and the runner dies there.
  world.model->then(calls({{"mcp_fake_slow", {{"text", "once"}}}}));
  die(world.claim(queue::TaskType::inbox, 5, "w-1"), [&] { return called(); });
  world.model->then(says("I looked, and it did"));

  const auto ran = activate(world.claim(queue::TaskType::inbox, 6, "w-1"));

  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  ASSERT_EQ(world.model->requests.size(), 2u);
  const auto& told = world.model->requests.at(1).messages.back().tool_results.at(0);
  EXPECT_TRUE(told.is_error);
  EXPECT_THAT(told.content, HasSubstr("not known whether"));
}

TEST_F(McpActivationTest, ChangedToolsAreWithheldUntilTheyAreApproved) {
  world.ask({"HSET", "mcp:tools", "fake", R"({"sha256":"as it was"})"});
  world.new_post("@ada hello");
  world.model->always(says("fine"));
  activate(world.claim());
  EXPECT_THAT(tools_offered(0), Not(Contains("mcp_fake_echo")));

  ASSERT_EQ(world.run(trust.approve("fake", "")).outcome,
            mcp::TrustStore::Approval::Outcome::approved);
  world.new_post("@ada hello again");
  activate(world.claim());
  EXPECT_THAT(tools_offered(1), Contains("mcp_fake_echo"));
}

}  // namespace
}  // namespace botburrow::agent
