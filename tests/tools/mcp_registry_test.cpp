#include "tools/mcp_registry.hpp"

#include "base/error.hpp"
#include "tests/support/program.hpp"
#include "tools/mcp_names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::tools {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

McpRegistry parsed(const char* text) {
  auto result = parse_mcp_registry(text, "mcp-servers.yaml");
  for (const auto& problem : result.problems)
    ADD_FAILURE() << definitions::to_text(problem);
  return std::move(result.registry);
}

std::string fault(const char* text) {
  const auto result = parse_mcp_registry(text, "mcp-servers.yaml");
  std::string all;
  for (const auto& problem : result.problems)
    all += definitions::to_short_text(problem) + "\n";
  return all;
}

TEST(McpRegistry, ReadsEveryField) {
  const auto registry = parsed(R"(
servers:
  tickets:
    command: mcp-tickets
    args: ["--root", "${WORKSPACE}", 7]
    sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    credential: {name: TICKETS_TOKEN, from: TICKETS_KEY}
    grants: {read: tickets:view, write: tickets:change}
    read_tools: [get_*, list_*]
    idempotent_tools: [get_*]
    hosts: [tickets.example.com, "other.example.com:8443"]
)");
  const auto* entry = registry.find("tickets");
  ASSERT_TRUE(entry);
  EXPECT_THAT(entry->argv, ElementsAre("mcp-tickets", "--root", "${WORKSPACE}", "7"));
  EXPECT_TRUE(entry->needs_workspace());
  EXPECT_EQ(entry->credential->from, "TICKETS_KEY");
  EXPECT_EQ(entry->credential->variable, "TICKETS_TOKEN");
  EXPECT_EQ(entry->grant_for("get_ticket"), "tickets:view");
  EXPECT_EQ(entry->grant_for("close_ticket"), "tickets:change");
  EXPECT_TRUE(entry->is_idempotent("get_ticket"));
  EXPECT_FALSE(entry->is_idempotent("list_tickets"));
  EXPECT_THAT(entry->hosts, ElementsAre("tickets.example.com", "other.example.com:8443"));
}

TEST(McpRegistry, AnEntryReplacesABuiltInOne) {
  const auto registry = parsed(R"(
servers:
  github:
    url: https://mcp.example.org/
    credential: {header: Authorization, prefix: "Bearer ", from: GITHUB_PAT}
)");
  const auto* github = registry.find("github");
  EXPECT_EQ(github->url, "https://mcp.example.org/");
  EXPECT_THAT(github->argv, IsEmpty());
  EXPECT_EQ(github->credential->prefix, "Bearer ");
  EXPECT_EQ(github->read_grant, "github:read");
  EXPECT_FALSE(github->reads("get_issue"));  // nothing is left of the built-in one
  EXPECT_TRUE(registry.find("brave"));
}

TEST(McpRegistry, TheBuiltInOnesKeepReadingAndWritingApart) {
  const auto registry = McpRegistry::built_in();
  EXPECT_EQ(registry.find("github")->grant_for("create_issue"), "github:write");
  EXPECT_EQ(registry.find("github")->grant_for("list_issues"), "github:read");
  EXPECT_EQ(registry.find("filesystem")->grant_for("write_file"), "filesystem:write");
  EXPECT_EQ(registry.find("filesystem")->grant_for("read_text_file"), "filesystem:read");
  EXPECT_EQ(registry.find("brave")->grant_for("brave_web_search"), "brave:search");
  EXPECT_EQ(registry.find("postgres")->grant_for("query"), "postgres:write");
}

TEST(McpRegistry, FaultsNamePlaceAndCure) {
  EXPECT_THAT(fault("servers: {a: {}}"),
              AllOf(HasSubstr("servers.a"), HasSubstr("url or a command")));
  EXPECT_THAT(fault("servers: {a: {url: \"https://x\", command: y}}"), HasSubstr("only one"));
  EXPECT_THAT(fault("servers: {a: {url: \"ftp://x\"}}"), HasSubstr("no http or https URL"));
  EXPECT_THAT(fault("servers: {a: {url: \"https://me:secret@x/\"}}"), HasSubstr("holds a user"));
  EXPECT_THAT(fault("servers: {a: {command: x, sha256: abc}}"), HasSubstr("sha256sum"));
  EXPECT_THAT(fault("servers: {a: {command: x, comand: y}}"), HasSubstr("comand"));
  EXPECT_THAT(fault("servers: {A!: {command: x}}"), HasSubstr("no name of a server"));
  EXPECT_THAT(fault("servers: {a: {command: x, grants: {read: \"a:*\"}}}"), HasSubstr("wildcard"));
  EXPECT_THAT(fault("servers: {a: {command: x, credential: {from: A}}}"), HasSubstr("variable"));
  EXPECT_THAT(fault("servers: {a: {url: \"https://x\", credential: {from: A}}}"),
              HasSubstr("header"));
  EXPECT_THAT(fault("[]"), HasSubstr("servers:"));
  EXPECT_THAT(fault("servers: {a: {command: x}}\nextra: 1"), HasSubstr("extra"));
}

TEST(McpRegistry, TheFileMayBeAbsentAndMustNotBeBroken) {
  test::ScratchFolder folder;
  EXPECT_TRUE(load_mcp_registry(folder.file("none.yaml")).find("github"));
  folder.write("broken.yaml", "servers: {a: {}}");
  EXPECT_THROW(load_mcp_registry(folder.file("broken.yaml")), Error);
  EXPECT_THROW(load_mcp_registry(folder.path().string()), Error);
}

TEST(McpRegistry, GlobsMatchInLinearTime) {
  EXPECT_TRUE(matches_glob("get_*", "get_issue"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("a*b*c", "a_b_b_c"));
  EXPECT_FALSE(matches_glob("get_*", "forget_it"));
  EXPECT_FALSE(matches_glob("get", "get_issue"));
  EXPECT_FALSE(matches_glob("", "x"));
  EXPECT_FALSE(matches_glob("a*a*a*a*a*a*a*a*b", std::string(20'000, 'a')));
}

definitions::McpServer own(std::string command, std::map<std::string, std::string> env = {}) {
  return {.name = "mine", .command = std::move(command), .args = {"--x"}, .env = std::move(env)};
}

TEST(OwnMcpServer, DoesNotTakeTheGrantsOfAnother) {
  const OwnServerPolicy policy{.commands_allowed = {"mcp-mine"}};
  for (const char* name : {"hub", "github"}) {
    auto server = own("mcp-mine");
    server.name = name;
    EXPECT_THAT(own_mcp_server(server, policy, McpRegistry::built_in()).fault,
                HasSubstr("is a server of the operator's"));
  }
}

TEST(OwnMcpServer, RunsOnlyWhatTheOperatorAllows) {
  const OwnServerPolicy policy{.commands_allowed = {"mcp-mine"}, .variables_allowed = {"MY_KEY"}};
  const auto registry = McpRegistry::built_in();

  const auto good =
      own_mcp_server(own("mcp-mine", {{"A", "plain"}, {"B", "${MY_KEY}"}, {"C", "secret:my-key"}}),
                     policy, registry);
  ASSERT_TRUE(good.entry) << good.fault;
  EXPECT_THAT(good.entry->argv, ElementsAre("mcp-mine", "--x"));
  EXPECT_EQ(good.entry->environment.at("C"), "${MY_KEY}");
  EXPECT_EQ(good.entry->grant_for("anything"), "mine:write");
  EXPECT_THAT(own_mcp_server(own("sh"), policy, registry).fault, HasSubstr("MCP_COMMAND_ALLOW"));
  EXPECT_THAT(own_mcp_server(own("mcp-mine", {{"A", "${HUB_API_KEY}"}}), policy, registry).fault,
              HasSubstr("HUB_API_KEY"));
  EXPECT_THAT(
      own_mcp_server(own("mcp-mine", {{"A", "secret:hub-api-key"}}), policy, registry).fault,
      HasSubstr("HUB_API_KEY"));
  EXPECT_NE(own_mcp_server(own("mcp-mine", {{"A", "${MY_KEY"}}), policy, registry).fault, "");
  EXPECT_NE(own_mcp_server(own("mcp-mine", {{"LD PRELOAD", "x"}}), policy, registry).fault, "");
}

TEST(OwnMcpServer, NoArgumentAsksForMoreThanTheWorkspace) {
  const OwnServerPolicy policy{.commands_allowed = {"mcp-mine"}, .variables_allowed = {"MY_KEY"}};
  const auto registry = McpRegistry::built_in();
  const auto fault_of = [&](std::string argument) {
    auto server = own("mcp-mine");
    server.args = {std::move(argument)};
    return own_mcp_server(server, policy, registry).fault;
  };

  EXPECT_EQ(fault_of("--root=${WORKSPACE}/a"), "");
  EXPECT_EQ(fault_of("$HOME"), "");
  EXPECT_THAT(fault_of("${MY_KEY}"), HasSubstr("args"));
  EXPECT_THAT(fault_of("${WORKSPACE}${HUB_API_KEY}"), HasSubstr("args"));
  EXPECT_THAT(fault_of("${WORKSPACE"), HasSubstr("args"));
}

TEST(McpToolNames, FitEveryProviderAndNoTwoAreTheSame) {
  McpToolNames names;
  EXPECT_EQ(names.add("github", "create_issue"), "mcp_github_create_issue");
  EXPECT_EQ(names.add("github", "admin.tools.list"), "mcp_github_admin_tools_list");
  const auto twin = names.add("github", "admin/tools.list");
  EXPECT_THAT(twin, testing::MatchesRegex("mcp_github_admin_tools_list_[0-9a-f]+"));
  const auto crossed = names.add("github_admin", "tools_list");
  EXPECT_NE(crossed, "mcp_github_admin_tools_list");
  const auto longest = names.add("github", std::string(200, 'x'));
  EXPECT_EQ(longest.size(), 64u);
  EXPECT_NE(longest, names.add("github", std::string(201, 'x')));
}

}  // namespace
}  // namespace botburrow::tools
