#include "base/log.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <limits>
#include <string>
#include <vector>

namespace botburrow {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

struct Lines final : LogSink {
  void write(LogLevel level, std::string_view line) override {
    levels.push_back(level);
    lines.emplace_back(line);
  }
  std::vector<LogLevel> levels;
  std::vector<std::string> lines;
};

struct LogTest : testing::Test {
  Log log(Log::Options options = {}) { return {sink, options}; }
  json::value only_line() const {
    EXPECT_EQ(sink->lines.size(), 1U);
    return parse_json(sink->lines.at(0), "log line");
  }
  std::shared_ptr<Lines> sink = std::make_shared<Lines>();
};

TEST_F(LogTest, ALineIsAnEventWithItsFields) {
  log().info(
      "queue_full",
      {{"size", 3}, {"share", 0.5}, {"ok", true}, {"name", "x"}, LogField::raw("list", "[1,2]")});

  const auto line = only_line();
  EXPECT_EQ(string_field(line, "event"), "queue_full");
  EXPECT_EQ(string_field(line, "level"), "info");
  EXPECT_TRUE(parse_rfc3339(string_field(line, "timestamp").value()));
  EXPECT_EQ(int_field(line, "size"), 3);
  EXPECT_EQ(number_field(line, "share"), 0.5);
  EXPECT_EQ(bool_field(line, "ok"), true);
  EXPECT_EQ(string_field(line, "name"), "x");
  EXPECT_EQ(array_field(line, "list").size(), 2U);
}

TEST_F(LogTest, ALineIsJsonWhateverItsStringsHold) {
  std::string hostile = "\"}\n{\"level\":\"error\",\x1b[31m\\ \xff\xc0\xaf";
  hostile.push_back('\0');

  log().error(hostile, {{"a", hostile}, {hostile, 1}});

  EXPECT_THAT(sink->lines.at(0), Not(HasSubstr("\n")));
  const auto line = only_line();
  EXPECT_EQ(string_field(line, "event"), valid_utf8(hostile));
  EXPECT_EQ(string_field(line, "a"), valid_utf8(hostile));
}

TEST_F(LogTest, NumbersThatJsonLacksAreNull) {
  log().info("n", {{"a", std::numeric_limits<double>::quiet_NaN()},
                   {"b", std::numeric_limits<double>::infinity()}});

  EXPECT_TRUE(only_line().at("a").is_null());
  EXPECT_TRUE(only_line().at("b").is_null());
}

TEST_F(LogTest, WholeNumbersKeepTheirSign) {
  log().info("n", {{"least", std::numeric_limits<std::int64_t>::min()},
                   {"most", std::numeric_limits<std::uint64_t>::max()}});

  EXPECT_EQ(only_line().at("least").as_int64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(only_line().at("most").as_uint64(), std::numeric_limits<std::uint64_t>::max());
}

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
  const auto quiet = log({.level = LogLevel::warning});

  quiet.debug("d");
  quiet.info("i");
  quiet.warning("w");
  quiet.error("e");

  EXPECT_THAT(sink->levels, testing::ElementsAre(LogLevel::warning, LogLevel::error));
  EXPECT_FALSE(quiet.enabled(LogLevel::info));
  EXPECT_TRUE(quiet.enabled(LogLevel::warning));
}

TEST_F(LogTest, ContextRidesAlongInCopiesOnly) {
  const auto outer = log();
  const auto inner = outer.with({{"agent_id", "a1"}}).with({{"fence", 7}});

  inner.info("with");
  outer.info("without");

  EXPECT_EQ(string_field(parse_json(sink->lines[0], ""), "agent_id"), "a1");
  EXPECT_EQ(int_field(parse_json(sink->lines[0], ""), "fence"), 7);
  EXPECT_EQ(find_field(parse_json(sink->lines[1], ""), "agent_id"), nullptr);
}

TEST_F(LogTest, TheConsoleFormIsForPeople) {
  const auto console = log({.format = LogFormat::console}).with({{"agent", "a1"}});

  console.warning("limit_reached", {{"kind", "posts"}, {"n", 2}});

  EXPECT_THAT(
      sink->lines.at(0),
      testing::MatchesRegex(
          R"([0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} warning limit_reached kind="posts" n=2 agent="a1")"));
}

TEST_F(LogTest, TheConsoleFormCannotSteerATerminal) {
  log({.format = LogFormat::console})
      .info("x", {{"a",
                   "\x1b[2J\x7f\xc2\x9b"
                   "31mé\n"}});

  EXPECT_THAT(sink->lines.at(0), HasSubstr(R"(a="\u001b[2J\u007f\u009b31mé\n")"));
}

TEST_F(LogTest, ColourSurroundsOnlyOurOwnWords) {
  log({.format = LogFormat::console, .colour = true}).error("x", {{"a", 1}});

  EXPECT_THAT(sink->lines.at(0), HasSubstr("\x1b[31merror"));
  EXPECT_THAT(sink->lines.at(0), testing::EndsWith("\x1b[0m a=1"));
}

TEST(LogThrottle, LetsOneThroughAPeriod) {
  LogThrottle throttle(10s);
  const Instant start(100s);

  EXPECT_TRUE(throttle.allow(start));
  EXPECT_FALSE(throttle.allow(start + 10s - 1ns));
  EXPECT_TRUE(throttle.allow(start + 10s));
  EXPECT_FALSE(throttle.allow(start + 11s));
  throttle.reset();
  EXPECT_TRUE(throttle.allow(start + 11s));
}

/// A pipe of two pages.
struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    ::fcntl(ends[1], F_SETPIPE_SZ, 8192);
  }
  ~Pipe() {
    close_reader();
    ::close(ends[1]);
  }
  void close_reader() {
    if (ends[0] >= 0) ::close(ends[0]);
    ends[0] = -1;
  }
  std::string read_all() {
    std::string all;
    int waiting = 0;
    while (::ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting > 0) {
      std::string part(static_cast<std::size_t>(waiting), '\0');
      const auto got = ::read(ends[0], part.data(), part.size());
      if (got <= 0) break;
      all.append(part, 0, static_cast<std::size_t>(got));
    }
    return all;
  }
  int ends[2] = {-1, -1};
};

TEST(FdLogSink, WritesWholeLines) {
  Pipe pipe;
  fd_log_sink(pipe.ends[1])->write(LogLevel::info, "one");
  fd_log_sink(pipe.ends[1])->write(LogLevel::info, "two");

  EXPECT_EQ(pipe.read_all(), "one\ntwo\n");
}

// The pipe is blocking, as that of a container's log usually is.
TEST(FdLogSink, APipeThatNobodyReadsCostsLinesNotTime) {
  Pipe pipe;
  const auto sink = fd_log_sink(pipe.ends[1]);
  const auto before = log_lines_dropped();
  const auto begun = BootClock::now();

  sink->write(LogLevel::info, std::string(3000, 'a'));
  sink->write(LogLevel::info, std::string(9000, 'b'));
  for (int i = 0; i < 100; ++i)
    sink->write(LogLevel::info, std::string(5000, 'c'));

  EXPECT_GE(log_lines_dropped() - before, 101U);
  // One wait of 100 ms, and none for each line after it.
  EXPECT_LT(BootClock::now() - begun, 2s);
}

TEST(FdLogSink, AfterACutLineANewOneBegins) {
  Pipe pipe;
  const auto sink = fd_log_sink(pipe.ends[1]);
  sink->write(LogLevel::info, std::string(9000, 'b'));
  const auto cut = pipe.read_all();
  ASSERT_FALSE(cut.empty());
  ASSERT_NE(cut.back(), '\n');

  sink->write(LogLevel::info, "whole");
  sink->write(LogLevel::info, "again");

  EXPECT_EQ(pipe.read_all(), "\nwhole\nagain\n");
}

TEST(FdLogSink, AReaderThatHasGoneIsCounted) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.close_reader();
  const auto before = log_lines_dropped();

  fd_log_sink(pipe.ends[1])->write(LogLevel::info, "x");

  EXPECT_EQ(log_lines_dropped(), before + 1);
}

TEST(FdLogSink, AFullDiskIsCounted) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  const auto before = log_lines_dropped();

  fd_log_sink(full)->write(LogLevel::info, "x");

  EXPECT_EQ(log_lines_dropped(), before + 1);
  ::close(full);
}

}  // namespace
}  // namespace botburrow
