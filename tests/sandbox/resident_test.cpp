// Programs that stay for as long as an activation: MCP servers.
#include "sandbox/resident.hpp"

#include "base/error.hpp"
#include "tests/sandbox/sandbox_world.hpp"

#include <signal.h>

namespace botburrow::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ResidentTest : public ::testing::Test {
 protected:
  using Program = std::unique_ptr<net::Process>;
  static Place::CommandOf running(std::string line, std::vector<std::string> more = {}) {
    return [line, more](const Sandbox& where) {
      Command command{.argv = {"bash", "-c", line},
                      .environment = {"PATH=/usr/bin:/bin", "HOME=" + where.home(),
                                      "WORKSPACE=" + where.workspace()}};
      command.environment.insert(command.environment.end(), more.begin(), more.end());
      return command;
    };
  }
  Task<Program> start(std::string line, std::vector<std::string> more = {},
                      Place::Extra extra = {}) {
    return world.place.start_program(std::move(extra), running(std::move(line), std::move(more)),
                                     Deadline::in(60s));
  }
  static Task<std::string> ask(net::Process& process, std::string line) {
    co_await process.write_stdin(line + "\n");
    std::string answer;
    while (!answer.ends_with('\n')) {
      const auto bytes = co_await process.read_stdout(4096);
      if (bytes.empty()) break;
      answer += bytes;
    }
    co_return answer;
  }
  static constexpr const char* kEcho = "while read -r line; do echo \"got $line\"; done";

  SandboxWorld world;
};

TEST_F(ResidentTest, SeveralStartAtOnceAndAnswerLineByLine) {
  std::vector<Program> programs(3);
  world.run([&]() -> Task<> {
    TaskGroup starts(world.ioc.get_executor());
    for (auto& program : programs)
      starts.spawn("start", [&]() -> Task<> { program = co_await start(kEcho); });
    co_await starts.join();
    for (int round = 0; round < 3; ++round) {
      for (const auto& program : programs) {
        const auto answer = co_await ask(*program, std::to_string(round));
        EXPECT_EQ(answer, "got " + std::to_string(round) + "\n");
      }
    }
  }());
  // Beside them the commands of the agent go on, on the same workspace.
  EXPECT_EQ(world.out_of("echo still here"), "still here\n");
}

TEST_F(ResidentTest, EachHasItsOwnCredentialHomeAndProcesses) {
  world.run([&]() -> Task<> {
    const auto line = "while read -r line; do eval \"$line\"; done";
    const auto github = co_await start(line, {"TOKEN=for-github"});
    const auto other = co_await start(line);
    EXPECT_EQ(co_await ask(*github, "echo $TOKEN; echo private > $HOME/x; echo a > $WORKSPACE/y"),
              "for-github\n");
    EXPECT_EQ(co_await ask(*other, "echo \"token=$TOKEN\"; ls $HOME"), "token=\n");
    EXPECT_EQ(co_await ask(*other, "cat $WORKSPACE/y"), "a\n");
    EXPECT_EQ(co_await ask(*other, "cat /proc/*/environ | tr '\\0' '\\n' | grep -c for-github"),
              "0\n");
  }());
  EXPECT_EQ(world.out_of("cat /proc/*/environ | grep -c for-github; ls /home 2>/dev/null; :"),
            "0\n");
}

TEST_F(ResidentTest, TerminatingEndsTheWholeGroup) {
  world.run([&]() -> Task<> {
    const auto program = co_await start(
        "(trap '' TERM; exec setsid sleep 600) & trap 'exit 9' TERM; echo up; while :; do sleep "
        "0.01; done");
    EXPECT_EQ(co_await program->read_stdout(100), "up\n");
    EXPECT_EQ((co_await program->terminate(5s)).code, 9);
    // Its pipes have no writer any more.
    EXPECT_EQ(co_await program->read_stdout(100), "");
    while (!(co_await program->read_stderr(100)).empty()) {
    }
  }());
}

TEST_F(ResidentTest, ClosingThePlaceEndsItAndTheHandleStaysGood) {
  Program program;
  world.run([&]() -> Task<> {
    program = co_await start("trap '' TERM HUP INT; echo up; while :; do sleep 1; done");
    co_await program->read_stdout(100);
    co_await world.place.close();
    const auto status = co_await program->wait();
    EXPECT_EQ(status.signal, SIGKILL);
    EXPECT_EQ(co_await program->read_stdout(100), "");
    EXPECT_EQ((co_await program->terminate(1s)).signal, SIGKILL);
  }());
  EXPECT_TRUE(std::filesystem::is_empty(world.root.path()));
  program.reset();
}

TEST_F(ResidentTest, AProgramThatIsNotThereIsNamed) {
  try {
    world.run(world.place.start_program(
        {},
        [](const Sandbox&) {
          return Command{.argv = {"mcp-server-nowhere"}, .environment = {"PATH=/usr/bin"}};
        },
        Deadline::in(20s)));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::not_found);
    EXPECT_THAT(error.message(), HasSubstr("mcp-server-nowhere"));
  }
}

TEST_F(ResidentTest, ItsFoldersAreShownReadOnly) {
  TemporaryRoot elsewhere;
  const auto modules = elsewhere.path() / "opt/node_modules";
  put(modules / "server/data.txt", "beside\n");
  put(modules / "server/main.sh",
      "#!/bin/sh\ncat \"$(dirname \"$(readlink -f \"$0\")\")/data.txt\"\n"
      "touch \"$(dirname \"$0\")/planted\" 2>/dev/null && echo planted\n");
  std::filesystem::permissions(modules / "server/main.sh", std::filesystem::perms(0755));
  std::filesystem::create_directories(elsewhere.path() / "bin");
  std::filesystem::create_symlink(modules / "server/main.sh", elsewhere.path() / "bin/server");
  for (const auto& path : {elsewhere.path(), elsewhere.path() / "opt", modules, modules / "server"})
    std::filesystem::permissions(path, std::filesystem::perms(0755));
  const auto program = (elsewhere.path() / "bin/server").string();

  const auto located = locate_program(program, "/usr/bin:/bin", {});

  ASSERT_TRUE(located);
  EXPECT_THAT(located->read_only, ElementsAre(std::filesystem::canonical(modules).string()));
  world.run([&]() -> Task<> {
    const auto process = co_await world.place.start_program(
        {.read_only = located->read_only},
        [&](const Sandbox&) {
          return Command{.argv = {located->path}, .environment = {"PATH=/usr/bin:/bin"}};
        },
        Deadline::in(20s));
    EXPECT_EQ((co_await process->wait()).code, 1);
    EXPECT_EQ(co_await process->read_stdout(100), "beside\n");
  }());
}

}  // namespace
}  // namespace botburrow::sandbox
