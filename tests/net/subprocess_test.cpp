#include "net/subprocess.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "net/output_capture.hpp"
#include "net/unique_fd.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/detached.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

namespace botburrow::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::run_task;
using test::run_until;
using testing::HasSubstr;

ProcessOptions shell(std::string script) {
  return {.argv = {"sh", "-c", std::move(script)}, .environment = {"PATH=/usr/bin:/bin"}};
}

ProcessResult run(ProcessOptions options, std::string input = "",
                  std::chrono::nanoseconds within = 20s, std::chrono::nanoseconds grace = 5s) {
  asio::io_context ioc;
  return run_task(ioc,
                  run_process(std::move(options), std::move(input), Deadline::in(within), grace));
}

std::optional<Error> start_failure(ProcessOptions options) {
  asio::io_context ioc;
  try {
    Process::spawn(ioc.get_executor(), std::move(options));
  } catch (const Error& error) {
    return error;
  }
  return {};
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

/// A process still runs: it is there and no zombie.
bool runs(int pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(in, text);
  const auto at = text.rfind(") ");
  return at != std::string::npos && text[at + 2] != 'Z' && text[at + 2] != 'X';
}

bool gone_within(int pid, std::chrono::milliseconds limit = 5s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (runs(pid)) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

class Folder {
 public:
  Folder() {
    std::string path = "/tmp/bb-subprocess-XXXXXX";
    path_ = ::mkdtemp(path.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(std::string_view name, std::string_view content, int mode) const {
    const auto path = path_ / name;
    std::ofstream(path) << content;
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
    return path.string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(RunProcess, ReturnsExitCodeAndBothOutputs) {
  const auto result = run(shell("echo out; echo err >&2; exit 3"));

  EXPECT_EQ(result.status.code, 3);
  EXPECT_EQ(result.status.signal, 0);
  EXPECT_FALSE(result.status.ok());
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_FALSE(result.timed_out);
  EXPECT_TRUE(run({.argv = {"/bin/true"}}).status.ok());
}

TEST(RunProcess, TellsASignalFromAnExitCode) {
  const auto result = run(shell("kill -SEGV $$"));

  EXPECT_EQ(result.status.signal, SIGSEGV);
  EXPECT_EQ(result.status.code, -1);
}

TEST(RunProcess, FeedsItsInputToTheEnd) {
  const std::string input(3 << 20, 'x');
  const auto result = run(shell("wc -c"), input);

  EXPECT_THAT(result.out, HasSubstr("3145728"));
}

TEST(RunProcess, AChildThatReadsNothingDoesNotHurtUs) {
  const auto result = run(shell("exec <&-; echo done"), std::string(3 << 20, 'x'));

  EXPECT_EQ(result.out, "done\n");
  EXPECT_TRUE(result.status.ok());
}

TEST(RunProcess, WithoutInputStdinIsEmpty) {
  EXPECT_EQ(run(shell("cat; echo end")).out, "end\n");
}

TEST(RunProcess, TheEnvironmentIsExactlyTheOneGiven) {
  ::setenv("BB_LEAK", "1", 1);
  ProcessOptions options{.argv = {"env"}, .environment = {"A=1", "B=two words"}};

  EXPECT_EQ(run(options).out, "A=1\nB=two words\n");
  ::unsetenv("BB_LEAK");
}

TEST(RunProcess, RunsInTheFolderGiven) {
  const Folder folder;
  auto options = shell("pwd");
  options.working_directory = folder.path();

  EXPECT_EQ(run(options).out, folder.path() + "\n");
}

TEST(RunProcess, ArgumentsAreNotInterpreted) {
  EXPECT_EQ(run({.argv = {"printf", "%s|", "a b", "$HOME", "'\"", ""}}).out, "a b|$HOME|'\"||");
}

TEST(RunProcess, OutputIsBoundedAndItsMiddleDropped) {
  auto options = shell("head -c 1000000 /dev/zero | tr '\\0' 'a'; echo END; echo short >&2");
  options.output_bytes_max = 1000;
  const auto result = run(options);

  EXPECT_EQ(result.out.size(), 1000u);
  EXPECT_EQ(result.out_omitted, 1'000'004u - 1000u);
  EXPECT_TRUE(result.out.starts_with("aaaa"));
  EXPECT_TRUE(result.out.ends_with("aaEND\n"));
  EXPECT_EQ(result.err, "short\n");
  EXPECT_EQ(result.err_omitted, 0u);
}

TEST(RunProcess, NothingOfTheOutputIsLostAtTheEnd) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(run({.argv = {"head", "-c", "60000", "/dev/zero"}}).out.size(), 60'000u);
  }
}

TEST(RunProcess, TheDeadlineEndsTheWholeTreeAlsoIfItIgnoresTerm) {
  const auto started = std::chrono::steady_clock::now();
  const auto result = run(
      shell(
          "trap '' TERM; (trap '' TERM; echo $$; exec sleep 100) & echo $!; echo; wait; sleep 100"),
      "", 200ms, 100ms);

  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status.signal, SIGKILL);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
  std::istringstream pids(result.out);
  int count = 0;
  for (int pid = 0; pids >> pid; ++count)
    EXPECT_TRUE(gone_within(pid)) << pid;
  EXPECT_EQ(count, 2);
}

TEST(RunProcess, AChildMayCleanUpAfterTheDeadline) {
  const auto result =
      run(shell("trap 'echo cleaned; exit 7' TERM; echo ready; while :; do sleep 0.01; done"), "",
          500ms, 10s);

  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status.code, 7);
  EXPECT_EQ(result.out, "ready\ncleaned\n");
}

TEST(RunProcess, AStoppedChildIsEndedToo) {
  const auto result = run(shell("kill -STOP $$"), "", 100ms, 10s);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status.signal, SIGTERM);
}

TEST(RunProcess, AGrandchildThatHoldsThePipeIsKilledAndNotWaitedFor) {
  const auto started = std::chrono::steady_clock::now();
  const auto result = run(shell("sleep 100 & echo $!; exit 0"));

  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
  EXPECT_TRUE(result.status.ok());
  EXPECT_TRUE(gone_within(std::stoi(result.out)));
}

TEST(RunProcess, ADaemonInASessionOfItsOwnIsNotWaitedFor) {
  const auto started = std::chrono::steady_clock::now();
  const auto result = run(shell("setsid sh -c 'echo $$; exec sleep 100' & sleep 0.3; exit 0"));

  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
  const int daemon = std::stoi(result.out);
  EXPECT_TRUE(runs(daemon));
  ::kill(daemon, SIGKILL);
}

TEST(RunProcess, CancellingEndsTheTreeBeforeItReturns) {
  asio::io_context ioc;
  const Folder folder;
  asio::cancellation_signal signal;
  bool done = false;
  std::exception_ptr failure;
  auto options =
      shell("echo $$ > pid; trap 'echo > cleaned; exit' TERM; while :; do sleep 0.01; done");
  options.working_directory = folder.path();
  asio::co_spawn(
      ioc, run_process(options, "", Deadline::in(60s), 5s),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr f, ProcessResult) {
        failure = f;
        done = true;
      }));
  const auto pid_file = folder.path() + "/pid";
  ASSERT_TRUE(run_until(ioc, [&] {
    return std::filesystem::exists(pid_file) && std::filesystem::file_size(pid_file) > 1;
  }));
  int pid = 0;
  std::ifstream(pid_file) >> pid;

  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(run_until(ioc, [&] { return done; }));

  EXPECT_TRUE(is_cancellation(failure));
  EXPECT_TRUE(gone_within(pid));
  EXPECT_TRUE(std::filesystem::exists(folder.path() + "/cleaned"));
}

TEST(RunProcess, ThreeHundredAtOnceLeakNothing) {
  asio::io_context ioc;
  run_task(ioc, run_process({.argv = {"true"}}, "", Deadline::in(10s)));
  const auto before = open_descriptors();
  int done = 0;
  int good = 0;
  const auto one = [](int number, int& count, int& right) -> Task<> {
    const auto text = std::to_string(number);
    const auto result =
        co_await run_process(shell("cat; ls /proc/self/fd | wc -l"), text, Deadline::in(60s));
    // 0, 1, 2 and the folder that ls itself reads.
    right += result.out == text + "4\n" ? 1 : 0;
    ++count;
  };
  for (int i = 0; i < 300; ++i)
    asio::co_spawn(ioc, one(i, done, good), asio::detached);

  EXPECT_TRUE(run_until(ioc, [&] { return done == 300; }, 100s));

  EXPECT_EQ(good, 300);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left";
}

TEST(Process, AMissingProgramIsNotFound) {
  const auto by_name = start_failure({.argv = {"no-such-program"}});
  ASSERT_TRUE(by_name);
  EXPECT_EQ(by_name->code(), errc::not_found);
  EXPECT_THAT(by_name->message(), HasSubstr("no-such-program"));
  EXPECT_EQ(start_failure({.argv = {"/no/such/program"}})->code(), errc::not_found);
}

TEST(Process, WhatCannotRunSaysWhy) {
  const Folder folder;
  const auto data = folder.file("data", "hello", 0644);
  const auto orphan = folder.file("orphan", "#!/no/such/interpreter\n", 0755);

  const auto not_executable = start_failure({.argv = {data}});
  ASSERT_TRUE(not_executable);
  EXPECT_EQ(not_executable->code(), errc::io);
  EXPECT_THAT(not_executable->message(), HasSubstr("Permission denied"));
  EXPECT_THAT(start_failure({.argv = {orphan}})->message(), HasSubstr("interpreter"));
  EXPECT_THAT(start_failure({.argv = {"true"}, .working_directory = "/no/such/folder"})->message(),
              HasSubstr("working directory /no/such/folder"));
  EXPECT_EQ(start_failure({.argv = {}})->code(), errc::invalid_argument);
  EXPECT_EQ(start_failure({.argv = {"true", std::string("a\0b", 3)}})->code(),
            errc::invalid_argument);
  EXPECT_EQ(start_failure({.argv = {"true"}, .pass_fds = {{9999, 5}}})->code(), errc::io);
}

TEST(Process, AFailedStartLeavesNothingBehind) {
  const auto before = open_descriptors();
  for (int i = 0; i < 20; ++i)
    start_failure({.argv = {"/no/such/program"}, .want_stdin = true});

  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(Process, TalksWithAChildBothWays) {
  asio::io_context ioc;
  auto options = shell("while read line; do echo \"got $line\"; done; echo bye >&2; exit 4");
  options.want_stdin = true;
  const auto child = Process::spawn(ioc.get_executor(), options);
  const auto talk = [](Process& process) -> Task<std::string> {
    co_await process.write_stdin("one\n");
    std::string heard = co_await process.read_stdout(100);
    process.close_stdin();
    heard += co_await process.read_stderr(100);
    heard += co_await process.read_stdout(100);
    const auto status = co_await process.wait();
    const auto again = co_await process.wait();
    co_return heard + std::to_string(status.code) + std::to_string(again.code);
  };

  EXPECT_EQ(run_task(ioc, talk(*child)), "got one\nbye\n44");
}

TEST(Process, WritingToAChildThatClosedItsEndIsAnError) {
  asio::io_context ioc;
  auto options = shell("exec <&-; echo closed; sleep 100");
  options.want_stdin = true;
  const auto child = Process::spawn(ioc.get_executor(), options);
  EXPECT_EQ(run_task(ioc, child->read_stdout(100)), "closed\n");
  try {
    run_task(ioc, child->write_stdin(std::string(1 << 20, 'x')));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::io);
  }
}

TEST(Process, WaitCanBeCancelledAndAskedAgain) {
  asio::io_context ioc;
  const auto child = Process::spawn(ioc.get_executor(), shell("sleep 0.3; exit 9"));

  EXPECT_THROW(run_task(ioc, with_deadline("child", Deadline::in(20ms), child->wait())), Error);

  EXPECT_EQ(run_task(ioc, child->wait()).code, 9);
}

TEST(Process, DestroyingItKillsTheGroupAndReaps) {
  asio::io_context ioc;
  auto child = Process::spawn(ioc.get_executor(), shell("trap '' TERM; sleep 100 & echo $!; wait"));
  const int grandchild = std::stoi(run_task(ioc, child->read_stdout(100)));
  const int pid = child->pid();

  child.reset();

  EXPECT_FALSE(std::filesystem::exists(fmt::format("/proc/{}", pid)));
  EXPECT_TRUE(gone_within(grandchild));
}

TEST(Process, HasASessionGroupAndSignalStateOfItsOwn) {
  asio::io_context ioc;
  sigset_t usr1;
  sigset_t before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
  auto* const old_pipe = ::signal(SIGPIPE, SIG_IGN);

  const auto child = Process::spawn(
      ioc.get_executor(),
      // exec: while a shell waits for a program it started, it holds its own signals back.
      shell("cut -d' ' -f5,6 /proc/$$/stat; exec grep -E '^Sig(Blk|Ign)' /proc/self/status"));
  run_task(ioc, child->wait());
  const auto out = run_task(ioc, child->read_stdout(1000));

  EXPECT_EQ(out, fmt::format("{0} {0}\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
                             child->pid()));
  ::signal(SIGPIPE, old_pipe);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Process, PassesTheDescriptorsAskedForAndNoOthers) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  asio::io_context ioc;
  // Swapped numbers: each source sits where another one is to go.
  auto options =
      shell("echo hello >&9; for n in $(seq 0 200); do [ ! -e /proc/$$/fd/$n ] || echo $n; done");
  options.pass_fds = {{write_end.get(), 9}, {read_end.get(), write_end.get()}};

  const auto child = Process::spawn(ioc.get_executor(), options);
  run_task(ioc, child->wait());
  char text[16] = {};
  EXPECT_EQ(::read(read_end.get(), text, sizeof text), 6);
  EXPECT_STREQ(text, "hello\n");
  const auto fds = run_task(ioc, child->read_stdout(1000));
  EXPECT_EQ(fds, write_end.get() < 9 ? fmt::format("0\n1\n2\n{}\n9\n", write_end.get())
                                     : fmt::format("0\n1\n2\n9\n{}\n", write_end.get()));
}

TEST(Process, DiesWithItsParentWhenAsked) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t parent = ::fork();
  if (parent == 0) {
    asio::io_context ioc;
    auto options = shell("exec sleep 100");
    options.die_with_parent = true;
    const auto child = Process::spawn(ioc.get_executor(), options);
    const int pid = child->pid();
    if (::write(write_end.get(), &pid, sizeof pid) != sizeof pid) ::_exit(1);
    for (;;)
      ::pause();
  }
  write_end.reset();
  int pid = 0;
  ASSERT_EQ(::read(read_end.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  EXPECT_TRUE(runs(pid));

  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);

  EXPECT_TRUE(gone_within(pid));
}

TEST(FindProgram, SearchesAbsoluteFoldersForExecutables) {
  const Folder folder;
  folder.file("data", "x", 0644);
  folder.file("tool", "#!/bin/sh\n", 0755);
  const auto path = ".::" + folder.path() + ":/bin";

  EXPECT_EQ(find_program("tool", path), folder.path() + "/tool");
  EXPECT_EQ(find_program("data", path), std::nullopt);
  EXPECT_EQ(find_program("sh", path), "/bin/sh");
  EXPECT_EQ(find_program("/bin/sh", ""), "/bin/sh");
  EXPECT_EQ(find_program("", path), std::nullopt);
  EXPECT_EQ(find_program("../bin/sh", path), std::nullopt);
  EXPECT_EQ(find_program("tmp", "/"), std::nullopt);
}

TEST(OutputCapture, KeepsBothEndsWhateverThePieces) {
  std::string all;
  for (int i = 0; i < 500; ++i)
    all += static_cast<char>('a' + i % 26);
  for (const std::size_t max : {0u, 1u, 7u, 100u, 499u, 500u, 501u}) {
    for (const std::size_t piece : {1u, 3u, 60u, 500u}) {
      OutputCapture capture(max);
      for (std::size_t at = 0; at < all.size(); at += piece)
        capture.append(std::string_view(all).substr(at, piece));
      const auto omitted = all.size() > max ? all.size() - max : 0;
      ASSERT_EQ(capture.omitted(), omitted) << max << " " << piece;
      const auto kept = capture.take();
      const auto head = std::min(max / 2, all.size());
      ASSERT_EQ(kept,
                omitted == 0 ? all : all.substr(0, head) + all.substr(all.size() - (max - head)))
          << max << " " << piece;
    }
  }
}

}  // namespace
}  // namespace botburrow::net
