#include "cli/redis_process.hpp"

#include "base/error.hpp"
#include "net/redis.hpp"
#include "tests/support/program.hpp"
#include "tests/support/run_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/mount.h>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::uintmax_t kRoom = 1u << 30;

TEST(RedisEndText, TheLastComplaintCountsNotWhatEveryStartSays) {
  const auto end = read_redis_end(
      "1:C 23 Nov 2026 02:45:46.631 # Redis version=7.0.15, bits=64\n"
      "1:M 23 Nov 2026 02:45:46.631 # Fatal error: cannot do it\n"
      "1:M 23 Nov 2026 02:45:46.654 # Server initialized\n"
      "1:M 23 Nov 2026 02:45:46.654 # WARNING Memory overcommit must be enabled!\n"
      "1:M 23 Nov 2026 02:45:46.657 * Ready\n",
      kRoom);
  EXPECT_EQ(end.error, "Fatal error: cannot do it");
  EXPECT_EQ(end.cause, "unknown");
  EXPECT_EQ(end.fix, "");
}

TEST(RedisEndText, AFullDiskIsKnownByItsLogOrByItsVolume) {
  for (const std::string text :
       {"1:M x # Error writing to the AOF file: No space left on device\n1:M x # Can't recover "
        "from AOF write error when the AOF fsync policy is 'always'. Exiting...\n",
        "1:M x # Short write while writing to the AOF file: (nwritten=1, expected=2)\n1:M x # "
        "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...\n"}) {
    const auto end = read_redis_end(text, kRoom);
    EXPECT_EQ(end.cause, "disk_full");
    EXPECT_THAT(end.error, HasSubstr("Can't recover from AOF write error"));
    EXPECT_THAT(end.fix, HasSubstr("free space"));
  }
  EXPECT_EQ(read_redis_end("", 1000).cause, "disk_full") << "its log could not be written either";
  EXPECT_EQ(read_redis_end("", kRoom).cause, "unknown");
}

TEST(RedisEndText, DamagedDataSaysHowToRepairIt) {
  const auto end = read_redis_end(
      "1:M x # Bad file format reading the append only file appendonly.aof.1.incr.aof: make a "
      "backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>\n",
      kRoom);
  EXPECT_EQ(end.cause, "damaged_data");
  EXPECT_THAT(end.fix, HasSubstr("redis-check-aof --fix"));
}

TEST(RedisEndText, ALineIsBoundedAndValid) {
  const auto end = read_redis_end("1:M x # \xff" + std::string(5000, 'x') + "\n", kRoom);
  EXPECT_LE(end.error.size(), 310u);
  EXPECT_EQ(end.error.find('\xff'), std::string::npos);
}

class RedisProcessTest : public testing::Test {
 protected:
  class Lines final : public LogSink {
   public:
    void write(LogLevel, std::string_view line) override { all.emplace_back(line); }
    std::string of(std::string_view event) const {
      for (const auto& line : all)
        if (line.find(event) != std::string::npos) return line;
      return "";
    }
    std::vector<std::string> all;
  };
  RedisProcess process(const std::string& folder) {
    return RedisProcess(ioc.get_executor(), folder, random, Log(lines, {}),
                        {.path = path, .folder_stays = stays});
  }
  net::RedisReply ask(RedisProcess& from, net::Redis::Args args) {
    net::Redis redis(ioc.get_executor(), net::parse_redis_url(from.url()), {}, Log::none(), random);
    redis.start();
    std::exception_ptr failure;
    net::RedisReply reply;
    try {
      reply = test::run_task(ioc, redis.command(std::move(args), Deadline::in(10s)));
    } catch (...) {
      failure = std::current_exception();
    }
    test::run_task(ioc, redis.stop());
    if (failure) std::rethrow_exception(failure);
    return reply;
  }

  /// A program in a folder of its own, which becomes PATH.
  void put_server(const std::string& name, const std::string& script) {
    folder.write("bin/" + name, "#!/bin/sh\n" + script);
    std::filesystem::permissions(folder.file("bin/" + name), std::filesystem::perms::owner_all);
    path = folder.file("bin");
  }
  std::string start_failure(RedisProcess redis) {
    try {
      test::run_task(ioc, redis.start(), 60s);
    } catch (const Error& error) {
      return error.message();
    }
    test::run_task(ioc, redis.stop());
    return "it came up";
  }

  std::string path;
  bool stays = true;
  boost::asio::io_context ioc{1};
  SeededRandom random{1};
  std::shared_ptr<Lines> lines = std::make_shared<Lines>();
  test::ScratchFolder folder;
};

TEST_F(RedisProcessTest, OneThatWasKilledComesBackWithItsData) {
  auto redis = process(folder.file("data"));
  test::run_task(ioc, redis.start());
  ask(redis, {"SET", "k", "v"});
  const auto info = ask(redis, {"INFO", "server"}).str();
  ::kill(std::stoi(info.substr(info.find("process_id:") + 11)), SIGKILL);
  ASSERT_TRUE(test::run_until(ioc, [&] { return !lines->of("redis_exited").empty(); }));
  EXPECT_THAT(lines->of("redis_exited"), HasSubstr(R"("signal":9,"cause":"unknown")"));
  EXPECT_THAT(lines->of("redis_exited"), HasSubstr("/data/redis/redis.log"));
  EXPECT_EQ(ask(redis, {"GET", "k"}).str(), "v");
  test::run_task(ioc, redis.stop());
}

TEST_F(RedisProcessTest, DamagedDataEndsTheStartWithACure) {
  {
    auto redis = process(folder.file("data"));
    test::run_task(ioc, redis.start());
    for (int i = 0; i < 20; ++i)
      ask(redis, {"SET", "k" + std::to_string(i), "some value"});
    test::run_task(ioc, redis.stop());
  }
  const std::string file = "data/redis/appendonlydir/appendonly.aof.1.incr.aof";
  auto bytes = folder.read(file);
  ASSERT_GT(bytes.size(), 200u);
  bytes.replace(bytes.size() / 2, 20, 20, '#');
  folder.write(file, bytes);

  auto redis = process(folder.file("data"));
  try {
    test::run_task(ioc, redis.start(), 60s);
    FAIL() << "it came up";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::io);
    EXPECT_THAT(error.message(), HasSubstr("redis-check-aof --fix"));
    EXPECT_THAT(error.message(), HasSubstr("redis.log"));
    EXPECT_EQ(error.message().find('\n'), std::string::npos);
  }
  EXPECT_THAT(lines->of("redis_exited"), HasSubstr(R"("cause":"damaged_data")"));
}

TEST_F(RedisProcessTest, AServerIsLookedForInPathAndValkeyWillDo) {
  EXPECT_THAT(find_redis_server(""), HasSubstr("redis-server"));  // of this machine
  put_server("redis-server", "exit 1\n");
  EXPECT_EQ(find_redis_server(path), folder.file("bin/redis-server"));
  std::filesystem::remove(folder.file("bin/redis-server"));
  put_server("valkey-server", "exec redis-server \"$@\"\n");
  EXPECT_NE(find_redis_server(path), folder.file("bin/valkey-server"))
      << "the real one comes first";
}

TEST_F(RedisProcessTest, WhatItSaysInsteadOfComingUpIsShown) {
  put_server("redis-server", "echo 'first words' >&2; echo 'libssl.so.3: not found' >&2; exit 3\n");
  auto said = start_failure(process(folder.file("data")));
  EXPECT_THAT(said, HasSubstr("did not come up: libssl.so.3: not found"));
  EXPECT_THAT(said, testing::Not(HasSubstr("REDIS_URL")));
  EXPECT_THAT(said, testing::Not(HasSubstr("redis.log"))) << "there is none";
  EXPECT_THAT(lines->of("redis_exited"), HasSubstr(R"("error":"libssl.so.3: not found")"));

  put_server("redis-server", "exit 3\n");
  EXPECT_THAT(start_failure(process(folder.file("data"))),
              HasSubstr("did not come up: it ended with exit code 3"));

  put_server("redis-server",
             "echo 'x # Fatal error' >> " + folder.file("data/redis/redis.log") + "; exit 1\n");
  said = start_failure(process(folder.file("data")));
  EXPECT_THAT(said, HasSubstr("did not come up: Fatal error; its log is "));
  stays = false;
  said = start_failure(process(folder.file("data")));
  EXPECT_THAT(said, testing::Not(HasSubstr("redis.log")));
}

/// A volume of 16 MiB; only root may make one.
class SmallVolume {
 public:
  explicit SmallVolume(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=16m") == 0;
  }
  ~SmallVolume() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST_F(RedisProcessTest, AFullVolumeIsNamedAndItComesBackWhenThereIsRoom) {
  const auto path = folder.file("small");
  SmallVolume volume(path);
  if (!volume.mounted()) GTEST_SKIP() << "may not mount a file system here";
  folder.write("small/ballast", std::string(4 << 20, 'x'));
  auto redis = process(path);
  test::run_task(ioc, redis.start());
  ask(redis, {"SET", "kept", "v"});
  bool taken = true;
  for (int i = 0; i < 40 && taken; ++i) {
    try {
      ask(redis, {"SET", "k" + std::to_string(i), std::string(1 << 20, 'x')});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), errc::redis_unavailable) << error.message();
      taken = false;
    }
  }
  EXPECT_FALSE(taken);

  ASSERT_TRUE(test::run_until(ioc, [&] { return !lines->of("redis_exited").empty(); }));
  const auto line = lines->of("redis_exited");
  EXPECT_THAT(line, HasSubstr(R"("cause":"disk_full")"));
  EXPECT_THAT(line, HasSubstr("free space on the volume of the data folder"));
  EXPECT_THAT(line, HasSubstr("small/redis/redis.log"));

  std::filesystem::remove(path + "/ballast");
  EXPECT_EQ(ask(redis, {"GET", "kept"}).str(), "v");
  EXPECT_EQ(ask(redis, {"SET", "new", "v"}).str(), "OK");
  test::run_task(ioc, redis.stop());
}

}  // namespace
}  // namespace botburrow::cli
