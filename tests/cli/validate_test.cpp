// `botburrow validate`: the built program, with what the operator's settings add to it.
#include "tests/cli/run_program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class ValidateCommand : public testing::Test {
 protected:
  ValidateCommand() {
    write("agents/clocky/config.yaml",
          "name: clocky\ntype: native\nbrain: {model: m}\n"
          "capabilities: {grants: [ctx:write], mcp_servers: [clock]}\n");
    write("agents/clocky/system-prompt.md",
          "You are clocky, an agent of a test, and you answer in one sentence.\n");
    write("servers.yaml",
          "servers:\n  clock:\n    command: clock-server\n"
          "    grants: {read: ctx:read, write: ctx:write}\n");
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(
        (std::filesystem::path(folder_.path()) / name).parent_path());
    folder_.write(name, text);
  }
  Ran validate(std::map<std::string, std::string> environment = {}) {
    environment.emplace("HOME", folder_.path());
    return run_program(
        {.arguments = {"validate", folder_.path()}, .environment = std::move(environment)});
  }

  ScratchFolder folder_;
};

TEST_F(ValidateCommand, KnowsTheOperatorsServersAndTheirGrants) {
  const Ran ran = validate({{"MCP_SERVERS_FILE", folder_.path() + "/servers.yaml"}});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, Not(HasSubstr("clock\"")));
  EXPECT_THAT(ran.out, Not(HasSubstr("ctx:write")));
}

TEST_F(ValidateCommand, WithoutTheOperatorsFileTheyAreNoMoreThanAnInfo) {
  const Ran ran = validate({{"MCP_SERVERS_FILE", "/nonexistent/servers.yaml"}});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("INFO [clocky]"));
  EXPECT_THAT(ran.out, HasSubstr("\"clock\" is not a known server, unless"));
  EXPECT_THAT(ran.out, HasSubstr("0 errors, 0 warnings"));
}

TEST_F(ValidateCommand, AFaultOfTheOperatorsFileIsSaid) {
  write("servers.yaml", "servers: [1\n");
  const Ran ran = validate({{"MCP_SERVERS_FILE", folder_.path() + "/servers.yaml"}});
  EXPECT_THAT(ran.err, HasSubstr("warning: MCP_SERVERS_FILE: "));
  EXPECT_THAT(ran.out, HasSubstr("0 errors, 0 warnings"));
}

}  // namespace
}  // namespace botburrow::cli
