// A runner that is killed leaves no process behind, and its next start no workspace.
#include "base/random.hpp"
#include "tests/sandbox/sandbox_world.hpp"

#include <fmt/format.h>

#include <signal.h>
#include <sys/wait.h>

#include <thread>

namespace botburrow::sandbox {
namespace {

namespace fs = std::filesystem;

std::size_t processes_with(const std::string& word) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos &&
        got(entry.path() / "cmdline").find(word) != std::string::npos)
      ++count;
  }
  return count;
}

bool within(std::chrono::seconds time, const std::function<bool()>& condition) {
  for (const auto deadline = Deadline::in(time); !deadline.passed();
       std::this_thread::sleep_for(5ms)) {
    if (condition()) return true;
  }
  return condition();
}

/// What a runner does until it is killed.
void hold_a_command(const SandboxSettings& settings, const std::string& line) {
  boost::asio::io_context ioc;
  Metrics metrics;
  Sandboxes sandboxes(settings, Log::none(), metrics);
  Place place(sandboxes, system_random().uuid4(), Log::none());
  test::run_task(
      ioc,
      [&]() -> Task<> {
        const auto box = co_await place.sandbox();
        co_await run_command(*box, SandboxWorld::bash(line), "", Deadline::in(60s));
      }(),
      60s);
}

class KilledRunner : public ::testing::TestWithParam<Backend> {};

TEST_P(KilledRunner, LeavesNothing) {
  const SandboxSettings settings{.backend = GetParam()};
  {
    SandboxWorld world(settings);
    if (world.run(world.sandboxes.tier()).tier == Tier::none) GTEST_SKIP() << "not on this machine";
  }
  TemporaryRoot root;
  auto its = settings;
  its.workspace_root = root.path();
  const auto word = "bb-left-" + system_random().uuid4();
  const auto line = fmt::format(
      "(setsid bash -c 'trap \"\" TERM HUP; exec -a {0} sleep 600' &); "
      "nohup bash -c 'exec -a {0} sleep 600' >/dev/null 2>&1 & exec -a {0} sleep 600",
      word);
  const pid_t runner = ::fork();
  if (runner == 0) {
    hold_a_command(its, line);
    ::_exit(0);
  }
  ASSERT_TRUE(within(30s, [&] { return processes_with(word) >= 3; }));

  ::kill(runner, SIGKILL);
  ::waitpid(runner, nullptr, 0);

  EXPECT_TRUE(within(5s, [&] { return processes_with(word) == 0; }));
  EXPECT_FALSE(fs::is_empty(root.path()));
  boost::asio::io_context ioc;
  Metrics metrics;
  Sandboxes next(its, Log::none(), metrics);
  test::run_task(ioc, next.start(), 60s);
  EXPECT_TRUE(fs::is_empty(root.path()));
}

INSTANTIATE_TEST_SUITE_P(Tiers, KilledRunner, ::testing::Values(Backend::bwrap, Backend::landlock),
                         [](const auto& info) {
                           return info.param == Backend::bwrap ? "bwrap" : "landlock";
                         });

}  // namespace
}  // namespace botburrow::sandbox
