// Tools of MCP servers as an agent's tools, on servers that behave as they are told.
#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/program.hpp"
#include "tests/support/run_task.hpp"
#include "tools/mcp_session.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using test::run_task;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Trust that a test owns.
class FakeTrust final : public mcp::TrustStore {
 public:
  Task<mcp::TrustVerdict> check(std::string server, mcp::DefinitionsSeen seen) override {
    if (std::exchange(fails_once, false)) throw Error(errc::redis_unavailable, "no Redis");
    const auto [known, first] = trusted.try_emplace(server, seen);
    if (known->second.sha256 == seen.sha256) co_return mcp::TrustVerdict{.trusted = true};
    co_return mcp::TrustVerdict{.changed = mcp::difference(known->second, seen)};
  }
  Task<std::vector<Waiting>> waiting() override { co_return std::vector<Waiting>{}; }
  Task<Approval> approve(std::string, std::string) override { co_return Approval{}; }
  std::map<std::string, mcp::DefinitionsSeen> trusted;
  bool fails_once = false;
};

/// What one run wrote, and the next one reads.
class FakeJournal final : public EffectJournal {
 public:
  struct Line {
    Effect effect;
    std::optional<WriteOutcome> outcome;
  };
  std::optional<PastEffect> take_past(const std::string& scope, const std::string& slot) override {
    for (auto& line : past) {
      if (line.effect.scope != scope || line.effect.slot != slot) continue;
      PastEffect found{.effect = line.effect, .outcome = line.outcome};
      line.effect.slot = "(taken)";
      return found;
    }
    return std::nullopt;
  }
  Task<> intend(Effect effect) override {
    if (full) throw Error(errc::journal_full, "the journal is full");
    lines.push_back({std::move(effect), std::nullopt});
    co_return;
  }
  void record(const std::string& scope, const std::string& slot,
              const WriteOutcome& outcome) override {
    for (auto& line : lines) {
      if (line.effect.scope == scope && line.effect.slot == slot)
        line.outcome = outcome_from_json(to_json_object(outcome));
    }
  }
  /// A later run of the same work begins.
  void next_run() { past = std::exchange(lines, {}); }
  std::vector<Line> lines, past;
  bool full = false;
};

class McpToolTest : public testing::Test {
 protected:
  McpToolTest() { settings.times = {.quiet_max = 5s, .total_max = 5s}; }
  ~McpToolTest() override { stop(); }

  void add(const std::string& name, const std::string& way,
           std::vector<std::string> idempotent = {}, std::vector<std::string> reads = {}) {
    McpEntry entry{.name = name,
                   .argv = {BOTBURROW_FAKE_MCP, way},
                   .read_grant = name + ":read",
                   .write_grant = name + ":write",
                   .read_tools = std::move(reads),
                   .idempotent_tools = std::move(idempotent)};
    registry.set(std::move(entry));
    servers.push_back({.name = name});
    grants.push_back(name + ":write");
  }
  void start() {
    McpServices services{.registry = registry,
                         .settings = settings,
                         .http = http,
                         .trust = trust,
                         .pool = pool,
                         .clock = system_clock(),
                         .metrics = metrics,
                         .credential = [this](const std::string& name) {
                           const auto found = credentials.find(name);
                           return Secret(found == credentials.end() ? "" : found->second);
                         }};
    session = std::make_unique<McpSession>(
        services,
        McpGround{.launcher = confined ? nullptr : &launcher,
                  .workspace = []() -> Task<std::string> { co_return "/tmp"; }},
        McpSession::Agent{.id = AgentId("scribe"),
                          .name = "scribe",
                          .grants = definitions::GrantSet(grants),
                          .servers = servers},
        McpCalls{.journal = journal,
                 .may_write = [this] { return may_write; },
                 .scope = [this] { return scope; },
                 .agent_id = "scribe",
                 .metrics = metrics},
        log);
    box = std::make_unique<Toolbox>(log, metrics, GrantTable(definitions::GrantSet(grants), false));
    run_task(ioc, session->ensure_started(*box, Deadline::in(20s)));
  }
  void stop() {
    if (session) run_task(ioc, session->stop());
    session.reset();
  }
  std::vector<std::string> offered() const {
    std::vector<std::string> names;
    for (const auto& spec : box->specs())
      names.push_back(spec.name);
    return names;
  }
  llm::ToolResult call(std::string tool, std::string text, Deadline deadline = Deadline::in(20s)) {
    bool fatal = false;
    return run_task(ioc, box->call({.id = "1",
                                    .name = std::move(tool),
                                    .arguments = json::object{{"text", std::move(text)}}},
                                   deadline, fatal));
  }

  boost::asio::io_context ioc;
  std::shared_ptr<test::LogLines> lines = std::make_shared<test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  Metrics metrics;
  BlockingPool pool{1};
  net::HttpClient http{ioc.get_executor(), {}};
  mcp::PlainLauncher launcher{ioc.get_executor(), {{"PATH", "/usr/bin:/bin"}}};
  McpRegistry registry;
  McpSettings settings;
  FakeTrust trust;
  FakeJournal journal;
  std::map<std::string, std::string> credentials;
  std::vector<definitions::McpServer> servers;
  std::vector<std::string> grants;
  std::string scope = "n:1";
  bool may_write = true, confined = false;
  std::unique_ptr<McpSession> session;
  std::unique_ptr<Toolbox> box;
};

TEST_F(McpToolTest, ToolsOfAServerAreTheAgents) {
  add("fake", "good");
  start();

  EXPECT_THAT(offered(),
              ElementsAre("mcp_fake_echo", "mcp_fake_slow", "mcp_fake_last", "mcp_fake_shaped"));
  EXPECT_EQ(call("mcp_fake_echo", "hello").content, "echo: hello");
  EXPECT_TRUE(call("mcp_fake_echo", "fail").is_error);
  EXPECT_THAT(call("mcp_fake_echo", "refuse").content, HasSubstr("MCP error -32602"));
  EXPECT_EQ(lines->count("mcp_server_started", "\"tools_count\":4"), 1u);
  EXPECT_THAT(
      metrics.expose(),
      HasSubstr(R"(botburrow_mcp_calls_total{agent_id="scribe",server="fake",status="ok"} 1)"));
  EXPECT_THAT(metrics.expose(),
              HasSubstr(R"(botburrow_mcp_servers{server="fake",state="running"} 1)"));
}

TEST_F(McpToolTest, OnlyToolsOfAHeldGrantAreOffered) {
  add("fake", "good", {}, {"echo"});
  grants = {"fake:read"};
  start();
  EXPECT_THAT(offered(), ElementsAre("mcp_fake_echo"));
  EXPECT_THAT(call("mcp_fake_slow", "").content, HasSubstr("does not hold the grant fake:write"));
}

TEST_F(McpToolTest, AServerWithoutAGrantIsNotStarted) {
  add("fake", "good");
  grants = {"other:write"};
  start();
  EXPECT_THAT(offered(), ElementsAre());
  EXPECT_EQ(lines->count("missing_grants_for_mcp"), 1u);
  EXPECT_THAT(metrics.expose(), HasSubstr(R"(botburrow_grant_denied_total{grant="fake:read"} 1)"));
  EXPECT_THAT(call("mcp_fake_echo", "x").content, HasSubstr("does not hold the grant fake:read"));
  EXPECT_EQ(lines->count("grant_denied", "mcp_fake_echo"), 1u);
  EXPECT_EQ(lines->count("mcp_server_started"), 0u);
}

TEST_F(McpToolTest, OneServerThatDoesNotStartTakesNoOtherWithIt) {
  add("broken", "odd");
  add("fake", "good");
  servers.push_back({.name = "stranger"});
  start();
  EXPECT_THAT(offered(), Contains("mcp_fake_echo"));
  EXPECT_EQ(lines->count("mcp_server_start_failed", "failed to start MCP server 'broken'"), 1u);
  EXPECT_EQ(lines->count("mcp_server_start_failed", "MCP server 'broken' failed to start"), 1u);
  EXPECT_EQ(lines->count("unknown_mcp_server"), 1u);
}

TEST_F(McpToolTest, ARequiredServerThatDoesNotStartEndsTheRun) {
  add("broken", "odd");
  servers.front().required = true;
  EXPECT_THROW(start(), Error);
}

TEST_F(McpToolTest, WithoutASandboxNoProcessIsStarted) {
  add("fake", "good");
  confined = true;
  start();
  EXPECT_THAT(offered(), ElementsAre());
  EXPECT_EQ(lines->count("mcp_server_start_failed", "there is no sandbox"), 1u);
}

TEST_F(McpToolTest, ACredentialReachesItsServerAndNothingElse) {
  add("fake", "good");
  auto entry = *registry.find("fake");
  entry.credential = McpCredential{.from = "FAKE_KEY", .variable = "TOKEN"};
  registry.set(entry);
  credentials["FAKE_KEY"] = "canary-5513";
  start();
  EXPECT_EQ(call("mcp_fake_echo", "$TOKEN").content, "canary-5513");
  EXPECT_EQ(call("mcp_fake_echo", "$FAKE_KEY").content, "(unset)");
  EXPECT_THAT(lines->all(), Not(HasSubstr("canary-5513")));
  EXPECT_THAT(metrics.expose(), Not(HasSubstr("canary-5513")));
}

TEST_F(McpToolTest, AnArgumentHoldsTheWorkspaceAndNoCredential) {
  add("fake", "good");
  auto entry = *registry.find("fake");
  entry.argv.insert(entry.argv.end(), {"${WORKSPACE}/a:${WORKSPACE}", "${WORKSPACE}${FAKE_KEY}"});
  registry.set(entry);
  credentials["FAKE_KEY"] = "canary-5514";
  start();
  EXPECT_EQ(call("mcp_fake_echo", "what are your arguments?").content,
            "/tmp/a:/tmp /tmp${FAKE_KEY}");
}

TEST_F(McpToolTest, AServerWithoutItsCredentialIsLeftOut) {
  add("fake", "good");
  auto entry = *registry.find("fake");
  entry.credential = McpCredential{.from = "FAKE_KEY", .variable = "TOKEN"};
  registry.set(entry);
  start();
  EXPECT_EQ(lines->count("mcp_server_start_failed", "FAKE_KEY is not set"), 1u);
}

TEST_F(McpToolTest, AProgramThatIsNotThePinnedOneIsNotStarted) {
  add("fake", "good");
  auto entry = *registry.find("fake");
  entry.sha256 = std::string(64, '0');
  registry.set(entry);
  start();
  EXPECT_EQ(lines->count("mcp_server_start_failed", "is not the file that the registry pins"), 1u);
}

TEST_F(McpToolTest, APinIsOfTheProgramThatRuns) {
  const test::ScratchFolder folder;
  const auto linked = folder.file("fake-server");
  std::filesystem::create_symlink(BOTBURROW_FAKE_MCP, linked);
  launcher = mcp::PlainLauncher(ioc.get_executor(), {{"PATH", folder.path().string()}});
  add("fake", "good");
  auto entry = *registry.find("fake");
  entry.argv.front() = "fake-server";
  std::ifstream file(linked, std::ios::binary);
  entry.sha256 = sha256_hex(std::string(std::istreambuf_iterator<char>(file), {}));
  registry.set(entry);
  start();
  EXPECT_EQ(call("mcp_fake_echo", "hello").content, "echo: hello") << lines->all();
}

TEST_F(McpToolTest, AnAgentsOwnServerNeedsTheOperatorsWord) {
  servers.push_back({.name = "mine", .command = BOTBURROW_FAKE_MCP, .args = {"good"}});
  grants = {"mine:write"};
  start();
  EXPECT_EQ(lines->count("custom_mcp_config_not_supported", "MCP_COMMAND_ALLOW"), 1u);
  EXPECT_THAT(metrics.expose(),
              HasSubstr(R"(botburrow_grant_denied_total{grant="MCP_COMMAND_ALLOW"} 1)"));
  EXPECT_THAT(call("mcp_mine_echo", "x").content, HasSubstr("MCP_COMMAND_ALLOW does not name it"));
  stop();

  settings.own.commands_allowed = {BOTBURROW_FAKE_MCP};
  start();
  EXPECT_EQ(call("mcp_mine_echo", "hello").content, "echo: hello");
  EXPECT_TRUE(trust.trusted.contains("scribe:mine"));
  EXPECT_FALSE(trust.trusted.contains("mine"));
}

TEST_F(McpToolTest, ChangedDefinitionsAreWithheld) {
  trust.trusted["fake"] = {.sha256 = "what it was before"};
  add("fake", "good");
  start();
  EXPECT_THAT(offered(), ElementsAre());
  EXPECT_EQ(lines->count("mcp_server_quarantined", "botburrow mcp approve fake"), 1u);
}

TEST_F(McpToolTest, ChangesDuringARunAreWithheldFromThere) {
  add("fake", "changes", {"*"});
  start();
  EXPECT_EQ(call("mcp_fake_echo", "one").content, "echo: one");
  EXPECT_THAT(call("mcp_fake_echo", "two").content, HasSubstr("withheld"));
  EXPECT_THAT(call("mcp_fake_echo", "three").content, HasSubstr("withheld"));
  EXPECT_EQ(lines->count("mcp_server_quarantined"), 1u);
}

TEST_F(McpToolTest, AChangeThatCouldNotBeJudgedIsLookedAtAgain) {
  add("fake", "changes");
  start();
  EXPECT_EQ(call("mcp_fake_echo", "one").content, "echo: one");
  trust.fails_once = true;
  EXPECT_TRUE(call("mcp_fake_echo", "two").is_error);
  EXPECT_TRUE(journal.lines.back().outcome->not_sent);
  EXPECT_THAT(call("mcp_fake_echo", "three").content, HasSubstr("withheld"));
}

TEST_F(McpToolTest, OneServerShowsAModelOnlySoMuch) {
  add("fake", "long-winded");
  start();
  // Each definition is of some 8 KiB.
  EXPECT_GT(box->specs().size(), 20u);
  EXPECT_LT(box->specs().size(), 40u);
  EXPECT_EQ(lines->count("mcp_tools_not_offered", "\"server\":\"fake\""), 1u);
}

TEST_F(McpToolTest, NothingHiddenInASchemaReachesTheModel) {
  add("fake", "hides");
  start();
  const auto shown = to_json(box->specs().front().input_schema);
  EXPECT_THAT(shown, HasSubstr("plain"));
  EXPECT_THAT(shown, Not(HasSubstr("\u200b")));
}

TEST_F(McpToolTest, ACallThatMayChangeSomethingIsWrittenDownFirst) {
  add("fake", "good", {"last"});
  start();
  call("mcp_fake_echo", "hello");
  call("mcp_fake_last", "hello");

  ASSERT_EQ(journal.lines.size(), 1u);
  const auto& line = journal.lines.front();
  EXPECT_EQ(line.effect.scope, "n:1");
  EXPECT_EQ(line.effect.path, "mcp:fake/echo");
  EXPECT_EQ(line.effect.body.at("arguments").at("text"), "hello");
  EXPECT_EQ(line.outcome->output, "echo: hello");
}

TEST_F(McpToolTest, ALaterRunGetsWhatTheFirstOneHeard) {
  add("fake", "good");
  start();
  call("mcp_fake_echo", "hello");
  call("mcp_fake_echo", "fail");
  stop();
  journal.next_run();
  registry.set({.name = "fake",
                .argv = {BOTBURROW_FAKE_MCP, "dies-in-call"},
                .read_grant = "fake:read",
                .write_grant = "fake:write"});
  start();

  // Were it called again, the server would die of it.
  EXPECT_EQ(call("mcp_fake_echo", "hello").content, "echo: hello");
  EXPECT_TRUE(call("mcp_fake_echo", "fail").is_error);
  EXPECT_THAT(call("mcp_fake_echo", "another").content, HasSubstr("not known whether"));
}

TEST_F(McpToolTest, WhatALaterRunGoesOverIsNotTakenForItsNextCall) {
  add("fake", "good", {"slow"});
  start();
  call("mcp_fake_echo", "hello");
  call("mcp_fake_echo", "fail");
  stop();
  journal.next_run();
  start();
  const auto go_over = [&](std::string tool, std::string text) {
    box->made_before(
        {.id = "1", .name = std::move(tool), .arguments = json::object{{"text", text}}}, "");
  };

  go_over("mcp_fake_echo", "hello");
  go_over("mcp_fake_echo", "never made");
  go_over("mcp_fake_slow", "hello");
  go_over("mcp_nobodys", "hello");
  // The same once more is a call of its own; what was not gone over is not made again.
  EXPECT_EQ(call("mcp_fake_echo", "hello").content, "echo: hello");
  EXPECT_EQ(journal.lines.size(), 1u);
  call("mcp_fake_echo", "fail");
  EXPECT_EQ(journal.lines.size(), 1u);
  EXPECT_EQ(call("mcp_fake_echo", "never made").content, "echo: never made");
  EXPECT_EQ(journal.lines.size(), 2u);
}

TEST_F(McpToolTest, AnUnknownOutcomeIsToldAndNotRepeated) {
  add("fake", "good");
  start();
  call("mcp_fake_echo", "hello");
  journal.lines.front().outcome.reset();  // killed before it heard the answer
  stop();
  journal.next_run();
  start();

  const auto result = call("mcp_fake_echo", "hello");
  EXPECT_TRUE(result.is_error);
  EXPECT_THAT(result.content,
              HasSubstr("not known whether this call of mcp_fake_echo took effect"));
  EXPECT_TRUE(journal.lines.empty());
  // Made once more on purpose, it is another call.
  EXPECT_EQ(call("mcp_fake_echo", "hello").content, "echo: hello");
}

TEST_F(McpToolTest, WhatNeverLeftIsSentByALaterRun) {
  add("fake", "good");
  start();
  call("mcp_fake_echo", "hello");
  journal.lines.front().outcome = WriteOutcome{.not_sent = true};
  stop();
  journal.next_run();
  start();
  EXPECT_EQ(call("mcp_fake_echo", "hello").content, "echo: hello");
}

TEST_F(McpToolTest, TheSameCallTwiceInARunIsTwoCalls) {
  add("fake", "good");
  start();
  call("mcp_fake_echo", "hello");
  call("mcp_fake_echo", "hello");
  scope = "n:2";
  call("mcp_fake_echo", "hello");
  ASSERT_EQ(journal.lines.size(), 3u);
  EXPECT_NE(journal.lines[0].effect.slot, journal.lines[1].effect.slot);
  EXPECT_EQ(journal.lines[0].effect.slot, journal.lines[2].effect.slot);
}

TEST_F(McpToolTest, NothingIsCalledWithoutTrustOrJournal) {
  add("fake", "good");
  start();
  journal.full = true;
  EXPECT_THROW(call("mcp_fake_echo", "x"), Error);
  journal.full = false;
  may_write = false;
  try {
    call("mcp_fake_echo", "y");
    FAIL() << "it was called";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::stale_fence);
  }
}

TEST_F(McpToolTest, ATimedOutCallIsOfUnknownOutcome) {
  settings.times.quiet_max = 200ms;
  add("fake", "good");
  start();
  EXPECT_THAT(call("mcp_fake_slow", "x").content, HasSubstr("not known whether"));
  EXPECT_EQ(call("mcp_fake_echo", "hello").content, "echo: hello");
}

TEST_F(McpToolTest, AServerThatDiesIsStartedAgainWithinItsBudget) {
  settings.restarts_max = 2;
  add("fake", "dies-in-call");
  start();
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(call("mcp_fake_echo", std::to_string(i)).content, HasSubstr("not known whether"));
  const auto result = call("mcp_fake_echo", "4");
  EXPECT_TRUE(result.is_error);
  EXPECT_THAT(result.content, HasSubstr("not started again"));
  EXPECT_TRUE(journal.lines.back().outcome->not_sent);
}

TEST_F(McpToolTest, AnIdempotentCallIsMadeOnceMore) {
  add("fake", "dies-in-call", {"echo"});
  start();
  // It dies of the second one, too: two starts more would be needed for a third.
  const auto result = call("mcp_fake_echo", "x");
  EXPECT_TRUE(result.is_error);
  EXPECT_TRUE(journal.lines.empty());
  EXPECT_THAT(
      metrics.expose(),
      HasSubstr(R"(botburrow_mcp_calls_total{agent_id="scribe",server="fake",status="failed"} 2)"));
}

std::size_t children() {
  const auto ours = "PPid:\t" + std::to_string(::getpid());
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "status");
    for (std::string line; std::getline(file, line);)
      count += line == ours ? 1 : 0;
  }
  return count;
}

TEST_F(McpToolTest, StoppingLeavesNoProcessBehind) {
  const auto before = children();
  add("one", "good");
  add("two", "good");
  start();
  EXPECT_EQ(children(), before + 2);
  stop();
  EXPECT_EQ(children(), before);
}

}  // namespace
}  // namespace botburrow::tools
