// What a sandbox does for those who use it. What it keeps in, tests/escape shows.
#include "sandbox/sandbox.hpp"

#include "base/error.hpp"
#include "base/stop.hpp"
#include "tests/sandbox/sandbox_world.hpp"

#include <signal.h>

namespace botburrow::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class SandboxTest : public ::testing::Test {
 protected:
  SandboxWorld world;
};

TEST_F(SandboxTest, TheProbeFindsTheBestTierHere) {
  const auto report = world.run(world.sandboxes.tier());
  ASSERT_EQ(report.tier, Tier::bwrap) << report.reason;
  EXPECT_TRUE(report.shell);
  EXPECT_TRUE(report.programs);
  EXPECT_THAT(world.metrics.expose(), HasSubstr("botburrow_sandbox_tier{tier=\"bwrap\"} 1"));
  EXPECT_THAT(world.metrics.expose(), HasSubstr("botburrow_sandbox_tier{tier=\"none\"} 0"));
  // What the probe used is gone.
  EXPECT_TRUE(std::filesystem::is_empty(world.root.path()));
}

TEST_F(SandboxTest, ACommandAnswersWithItsOutputsAndItsCode) {
  const auto result = world.run_line("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.process.out, "out\n");
  EXPECT_EQ(result.process.err, "err\n");
  EXPECT_EQ(result.process.status.code, 3);
  EXPECT_FALSE(result.process.timed_out);
  EXPECT_EQ(result.cut, Cut::none);
}

TEST_F(SandboxTest, CommandsShareTheWorkspaceWithTheFileTools) {
  const auto files = world.run(world.place.files());
  ASSERT_TRUE(files->write("a.txt", "from outside\n", patience()));
  EXPECT_EQ(world.out_of("cat a.txt; echo inside > b.txt; mkdir -p d; mv a.txt d/"),
            "from outside\n");
  EXPECT_EQ(files->read_all("b.txt", 100), "inside\n");
  EXPECT_EQ(files->read_all("d/a.txt", 100), "from outside\n");
  ASSERT_TRUE(files->write("d/a.txt", "changed\n", patience()));
  ASSERT_TRUE(files->write("new/c.txt", "x\n", patience()));
  EXPECT_EQ(world.out_of("cat d/a.txt; rm -r new d b.txt; ls -A"), "changed\n");
}

TEST_F(SandboxTest, OneSandboxServesAllCommandsAndIsQuickThen) {
  const auto box = world.sandbox();
  world.run_line("echo kept > /tmp/kept");
  EXPECT_EQ(world.out_of("cat /tmp/kept"), "kept\n");
  EXPECT_EQ(world.sandbox(), box);
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_sandbox_starts_total{outcome=\"started\"} 1"));
}

TEST_F(SandboxTest, NothingOfTheRunnerIsInTheEnvironment) {
  EXPECT_EQ(world.run_command({.argv = {"/usr/bin/env"}}).process.out, "");
  EXPECT_EQ(
      world.run_command({.argv = {"/usr/bin/env"}, .environment = {"A=1", "B=x y"}}).process.out,
      "A=1\nB=x y\n");
}

TEST_F(SandboxTest, ProgramsAreFoundInTheirOwnPath) {
  EXPECT_EQ(world.run_command({.argv = {"echo", "hi"}, .environment = {"PATH=/nowhere:/usr/bin"}})
                .process.out,
            "hi\n");
  try {
    world.run_command({.argv = {"no-such-program"}, .environment = {"PATH=/usr/bin"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::not_found);
    EXPECT_EQ(error.message(), "program no-such-program not found in the sandbox");
  }
  EXPECT_EQ(world.out_of("echo still here"), "still here\n");
}

TEST_F(SandboxTest, InputIsFedAndLargeOutputIsCutInTheMiddle) {
  auto command = world.bash("cat; head -c 3000000 /dev/zero | tr '\\0' x; echo end");
  command.output_bytes_max = 1000;
  const auto result =
      world.run(run_command(*world.sandbox(), std::move(command), "begin ", Deadline::in(20s)));
  EXPECT_THAT(result.process.out, StartsWith("begin x"));
  EXPECT_THAT(result.process.out, EndsWith("xend\n"));
  EXPECT_EQ(result.process.out.size(), 1000U);
  EXPECT_EQ(result.process.out_omitted, 3'000'000U + 10 - 1000);
}

TEST_F(SandboxTest, AtItsDeadlineACommandEndsWithAllItStarted) {
  const auto result = world.run_line(
      "trap '' TERM; (trap '' TERM; setsid sleep 1000) & echo begun; sleep 1000", 300ms);
  EXPECT_TRUE(result.process.timed_out);
  EXPECT_EQ(result.process.out, "begun\n");
  EXPECT_EQ(result.process.status.signal, SIGKILL);
  EXPECT_EQ(world.run(world.sandbox()->measure()).processes, 0U);
}

TEST_F(SandboxTest, ACommandThatListensEndsByItself) {
  const auto result =
      world.run_line("trap 'echo bye; exit 7' TERM; while :; do sleep 0.01; done", 500ms);
  EXPECT_TRUE(result.process.timed_out);
  EXPECT_EQ(result.process.status.code, 7);
  EXPECT_EQ(result.process.out, "bye\n");
}

TEST_F(SandboxTest, CancellingKillsTheCommandAndTheSandboxGoesOn) {
  StopSource stop(world.ioc.get_executor());
  const auto box = world.sandbox();
  const auto run = [&]() -> Task<> {
    co_await sandbox::run_command(*box, SandboxWorld::bash("touch begun; sleep 1000"), "",
                                  Deadline::in(60s));
  };
  const auto begun = world.inside() / "begun";
  const auto stop_soon = [&]() -> Task<> {
    while (!std::filesystem::exists(begun))
      co_await sleep_for(1ms);
    stop.stop();
  };
  TaskGroup other(world.ioc.get_executor());
  other.spawn("stop", stop_soon);
  EXPECT_EQ(world.run(run_bounded(run(), Deadline::in(20s), stop)), BoundedEnd::stopped);
  world.run(other.join());
  EXPECT_EQ(world.run(box->measure()).processes, 0U);
  EXPECT_EQ(world.out_of("echo again"), "again\n");
}

TEST_F(SandboxTest, AProcessIsSpokenToWhileItRuns) {
  const auto box = world.sandbox();
  world.run([&]() -> Task<> {
    auto command = SandboxWorld::bash("while read line; do echo \"got $line\"; done; exit 4");
    command.want_stdin = true;
    const auto process = co_await box->spawn(std::move(command), Deadline::in(20s));
    for (const auto* word : {"one", "two"}) {
      co_await process->write_stdin(std::string(word) + "\n");
      EXPECT_EQ(co_await process->read_stdout(100), "got " + std::string(word) + "\n");
    }
    process->close_stdin();
    EXPECT_EQ((co_await process->wait()).code, 4);
    EXPECT_EQ(co_await process->read_stdout(100), "");
    EXPECT_EQ((co_await process->terminate(1s)).code, 4);
  }());
}

TEST_F(SandboxTest, LettingGoOfAProcessKillsIt) {
  const auto box = world.sandbox();
  world.run([&]() -> Task<> {
    auto process = co_await box->spawn(SandboxWorld::bash("sleep 1000"), Deadline::in(60s));
    EXPECT_EQ((co_await box->measure()).processes, 1U);
    process.reset();
  }());
  // The next one waits for its end.
  EXPECT_EQ(world.out_of("ps ax | grep -c '[s]leep'"), "0\n");
}

TEST_F(SandboxTest, MemoryIsMeasured) {
  const auto box = world.sandbox();
  const auto usage = world.run([&]() -> Task<SandboxUsage> {
    const auto process = co_await box->spawn(
        SandboxWorld::bash(
            "x=$(head -c 50000000 /dev/zero | tr '\\0' x); echo ready; sleep 1000; :"),
        Deadline::in(60s));
    co_await process->read_stdout(100);
    const auto seen = co_await box->measure();
    co_await process->terminate(0s);
    co_return seen;
  }());
  EXPECT_GT(usage.memory_bytes, 50'000'000U);
  EXPECT_GE(usage.processes, 1U);
}

TEST_F(SandboxTest, ACommandLineThatIsTooLongIsRefused) {
  try {
    world.run_command({.argv = {"/usr/bin/echo", std::string(200'000, 'x')}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::limit);
  }
  EXPECT_EQ(
      world.run_command({.argv = {"/usr/bin/echo", std::string(60'000, 'x')}}).process.out.size(),
      60'001U);
  EXPECT_THROW(world.run_command({.argv = {std::string("a\0b", 3)}}), Error);
}

TEST_F(SandboxTest, AProgramThatMayStartOnlyItselfCannotStartAnother) {
  auto command = world.bash("echo one; /usr/bin/id; echo $?");
  command.only_itself = true;
  const auto result = world.run_command(std::move(command));
  EXPECT_EQ(result.process.out, "one\n126\n");
  EXPECT_THAT(result.process.err, HasSubstr("Permission denied"));
}

TEST_F(SandboxTest, ASandboxThatDiesIsReplacedAFewTimes) {
  for (int time = 0; time < 3; ++time) {
    const auto box = world.sandbox();
    // From outside: nothing inside can do that.
    auto result = world.run([&]() -> Task<CommandResult> {
      TaskGroup killer(world.ioc.get_executor());
      killer.spawn("kill", [&]() -> Task<> {
        while (!std::filesystem::exists(world.root.path() / "place-1/up"))
          co_await sleep_for(1ms);
        std::filesystem::remove(world.root.path() / "place-1/up");
        static_cast<Cell&>(*box).kill();
      });
      auto command_result = co_await run_command(*box, SandboxWorld::bash("touch up; sleep 1000"),
                                                 "", Deadline::in(20s));
      co_await killer.join();
      co_return command_result;
    }());
    EXPECT_EQ(result.cut, Cut::gone);
    EXPECT_FALSE(box->usable());
    EXPECT_EQ(world.out_of("echo new"), "new\n");
  }
  static_cast<Cell&>(*world.sandbox()).kill();
  EXPECT_TRUE(test::run_until(world.ioc, [&, box = world.sandbox()] { return !box->usable(); }));
  EXPECT_THROW(world.sandbox(), Error);
}

// Empty files take no byte of a file system in memory, and a kilobyte each of the kernel.
TEST_F(SandboxTest, FilesInMemoryAreBoundedInNumber) {
  const auto result =
      world.run_line("cd /tmp; i=0; while :; do : > $i 2>/dev/null; i=$((i+1)); done", 60s);
  EXPECT_EQ(result.cut, Cut::files);
  EXPECT_THAT(cut_text(result.cut, {}), HasSubstr("65536 files in /tmp and /dev/shm"));
  EXPECT_EQ(world.out_of("ls /tmp | wc -l"), "0\n");
}

TEST_F(SandboxTest, AnExtraSandboxHasAHomeAndItsOwnProcesses) {
  const auto shared = world.sandbox();
  const auto extra = world.run(world.place.extra_sandbox({}));
  const auto in_extra = [&](std::string line) {
    return world
        .run(run_command(*extra, SandboxWorld::bash(std::move(line)), "", Deadline::in(20s)))
        .process.out;
  };
  EXPECT_EQ(in_extra("echo private > /home/agent/x; echo shared > /workspace/y; cat /home/agent/x"),
            "private\n");
  EXPECT_EQ(world.out_of("cat /workspace/y; ls /home 2>&1"),
            "shared\nls: cannot access '/home': No such file or directory\n");
  world.run(world.place.close());
  EXPECT_TRUE(std::filesystem::is_empty(world.root.path()));
}

TEST(Sandboxes, APrivateHomeHasTheQuotaOfAWorkspace) {
  SandboxWorld world({.quota_bytes = 8u << 20});
  if (world.run(world.sandboxes.tier()).tier == Tier::none) GTEST_SKIP() << "no sandbox here";
  const auto room = world.run(world.place.extra_sandbox({}));
  const auto result = world.run(run_command(
      *room,
      SandboxWorld::bash("cd " + room->home() +
                         "; i=0; while :; do i=$((i+1)); head -c 1M "
                         "/dev/zero > f$i || sleep 0.1; [ $i -lt 64 ] || sleep 20; done"),
      "", Deadline::in(20s)));
  EXPECT_EQ(result.cut, Cut::quota);
}

TEST(Sandboxes, RemovedFilesThatAreOpenCountInTheQuota) {
  SandboxWorld world({.quota_bytes = 8u << 20});
  if (world.run(world.sandboxes.tier()).tier == Tier::none) GTEST_SKIP() << "no sandbox here";
  const auto room = world.run(world.place.extra_sandbox({}));
  const auto run = [&](const std::string& line) {
    return world.run(run_command(*room, SandboxWorld::bash(line), "", Deadline::in(30s)));
  };
  const std::string hold =
      "hold() { exec {fd}<>f; rm f; head -c 3M /dev/zero >&$fd; }; hold; hold; ";
  const auto result = run(hold + "hold; echo written; sleep 60");
  EXPECT_EQ(result.cut, Cut::quota);
  EXPECT_EQ(result.process.out, "written\n");
  // Two of them fit, and the same one twice is one; process 1 has looked when this is over.
  EXPECT_EQ(run(hold + "exec {again}<&$fd; (sleep 3 & sleep 3; wait); echo fine").process.out,
            "fine\n");
}

#ifdef __x86_64__
TEST(Sandboxes, WhoClosesItselfToProcess1IsNotWatchedAndEnds) {
  SandboxWorld world;
  if (world.run(world.sandboxes.tier()).tier == Tier::none) GTEST_SKIP() << "no sandbox here";
  const auto room = world.run(world.place.extra_sandbox({}));
  // prctl(PR_SET_DUMPABLE, 0)
  const auto result = world.run(
      run_command(*room, SandboxWorld::bash("exec perl -e 'syscall(157, 4, 0, 0, 0, 0); sleep 60'"),
                  "", Deadline::in(30s)));
  EXPECT_EQ(result.cut, Cut::unwatched);
}
#endif

// A root that only root gets into, and no mounts: programs of another user cannot reach it.
TEST(Sandboxes, ATierThatWasNamedAndDoesNotHoldGivesNone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has workspaces that its programs cannot reach";
  SandboxWorld world({.backend = Backend::landlock});
  ::chmod(world.root.path().c_str(), 0700);
  const auto report = world.run(world.sandboxes.tier());
  EXPECT_EQ(report.tier, Tier::none);
  EXPECT_THAT(report.reason, HasSubstr("landlock: "));
  EXPECT_THROW(world.sandbox(), Error);
  EXPECT_THAT(world.run(world.place.refusal(Need::files)).value(),
              HasSubstr("sandbox tier is none"));
}

TEST(FaultOfAttempts, SaysWhatIsOpenOrThatNobodyCameToTry) {
  const auto of = [](std::string out) {
    return fault_of_attempts({.process = {.out = std::move(out)}});
  };
  EXPECT_EQ(of("done\n"), "");
  EXPECT_EQ(of("escaped mount\nbroken /dev/null: x\ndone\n"), "escaped mount, broken /dev/null: x");
  EXPECT_THAT(of(""), HasSubstr("ended early"));
}

TEST(CutText, NamesTheSetting) {
  EXPECT_EQ(cut_text(Cut::none, {}), "");
  EXPECT_EQ(cut_text(Cut::memory, {.memory_bytes = 64u << 20}),
            "used more than 64 MiB of memory (SANDBOX_MEMORY)");
}

}  // namespace
}  // namespace botburrow::sandbox
