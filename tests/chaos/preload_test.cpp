// The clockshim and the syscall killer on real programs.

#include "net/subprocess.hpp"
#include "tests/chaos/program/service.hpp"
#include "tests/support/program.hpp"
#include "tests/support/run_task.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ctime>

namespace botburrow::chaos {
namespace {

using namespace std::chrono_literals;

struct Counters {
  std::atomic<long long> armed, left, seen;
};

class Preload : public testing::Test {
 protected:
  net::ProcessResult run(std::vector<std::string> words,
                         std::vector<std::string> environment = {}) {
    return test::run_task(
        io_, net::run_process({.argv = std::move(words), .environment = std::move(environment)}, "",
                              Deadline::in(20s)));
  }
  long long date_under(const ClockOffset& clock) {
    const auto result = run({"date", "+%s"}, {std::string("LD_PRELOAD=") + BOTBURROW_CLOCKSHIM,
                                              "BB_CLOCK_FILE=" + clock.path()});
    EXPECT_TRUE(result.status.ok()) << result.err;
    return std::stoll(result.out);
  }
  net::ProcessResult run_killed_at(long long stop, std::vector<std::string> words) {
    counters_->armed = 1;
    counters_->left = stop;
    words.insert(words.begin(), {BOTBURROW_SYSCALL_KILLER, counters_.path()});
    return run(std::move(words));
  }

  boost::asio::io_context io_;
  test::ScratchFolder folder_;
  MappedFile<Counters> counters_{folder_.file("counters")};
};

TEST_F(Preload, ClockshimMovesTheWallClockBothWays) {
  ClockOffset clock(folder_.file("clock"));
  for (const auto off : {0h, 72h, -72h}) {
    set_clock(clock, off);
    const auto wrong = date_under(clock) - static_cast<long long>(std::time(nullptr));
    EXPECT_NEAR(static_cast<double>(wrong), static_cast<double>(std::chrono::seconds(off).count()),
                5);
  }
  EXPECT_EQ(clock_of(clock), -72h);
}
TEST_F(Preload, SyscallKillerKillsAtTheStopItIsTold) {
  const auto result = run_killed_at(25, {"/bin/ls", "/"});
  EXPECT_EQ(result.status.code, 128 + SIGKILL);
  EXPECT_EQ(counters_->seen, 25);
  EXPECT_EQ(result.out, "");
}
TEST_F(Preload, SyscallKillerLetsOthersRun) {
  const auto result = run_killed_at(1'000'000, {"/bin/echo", "hello"});
  EXPECT_EQ(result.status.code, 0);
  EXPECT_EQ(result.out, "hello\n");
  EXPECT_GT(counters_->seen, 10);
  counters_->seen = 0;
  counters_->armed = 0;
  const auto unarmed = run({BOTBURROW_SYSCALL_KILLER, counters_.path(), "/bin/false"});
  EXPECT_EQ(unarmed.status.code, 1) << "its exit code is the program's";
  EXPECT_EQ(counters_->seen, 0);
}

}  // namespace
}  // namespace botburrow::chaos
