// The file of backup, and what the commands refuse before they change anything.
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/backup_file.hpp"
#include "run_program.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class BackupFile : public testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/b"; }
  /// Some keys, and a "database" of more than one piece.
  BackupHeader write() {
    folder_.write("hub", std::string(2'500'000, 'h'));
    queue::RedisDump dump{.epoch = 7, .generation = "set:3", .census = {}, .keys = {}};
    dump.census = {.enqueued = 3, .waiting = 1, .leased = 1, .dead = 0, .done = 1};
    dump.keys = {{.key = "work:queue:high", .ttl_ms = -1, .payload = std::string("\0\n\xff", 3)},
                 {.key = "agent:tries:a", .ttl_ms = 5000, .payload = ""}};
    BackupHeader header{.program = "0.1.0", .id = "id", .created_at = "2026-02-07T12:00:00Z"};
    write_backup(path(), header, dump, folder_.path() + "/hub");
    return header;
  }
  std::string fault_of() {
    try {
      check_backup(path());
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }
  void spoil(std::size_t at) {
    auto text = text_of(path());
    text[at] = static_cast<char>(text[at] ^ 1);
    folder_.write("b", text);
  }
  ScratchFolder folder_;
};

TEST_F(BackupFile, ComesBackAsItWasWritten) {
  write();
  const auto header = check_backup(path());
  EXPECT_EQ(header.id, "id");
  ASSERT_TRUE(header.redis && header.hub);
  EXPECT_EQ(header.redis->census.leased, 1);
  EXPECT_EQ(header.hub->bytes, 2'500'000u);
  const auto dump = read_redis_part(path(), header);
  EXPECT_EQ(dump.epoch, 7);
  ASSERT_EQ(dump.keys.size(), 2u);
  EXPECT_EQ(dump.keys[0].payload, std::string("\0\n\xff", 3));
  EXPECT_EQ(dump.keys[0].ttl_ms, -1);
  EXPECT_EQ(dump.keys[1].ttl_ms, 5000);
  extract_hub_part(path(), header, folder_.path() + "/out");
  EXPECT_EQ(text_of(folder_.path() + "/out"), text_of(folder_.path() + "/hub"));
}

TEST_F(BackupFile, IsForItsOwnerOnlyAndLeavesNothingBeside) {
  write();
  struct stat info{};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const std::filesystem::directory_iterator all(folder_.path());
  EXPECT_EQ(std::distance(begin(all), end(all)), 2);
}

TEST_F(BackupFile, EveryPartIsSummed) {
  write();
  const auto size = text_of(path()).size();
  const auto body = size - 2'500'000;
  spoil(30);
  EXPECT_THAT(fault_of(), HasSubstr("table of contents is damaged"));
  write();
  spoil(body - 5);
  EXPECT_THAT(fault_of(), HasSubstr("the part of Redis is damaged"));
  write();
  spoil(size - 1);
  EXPECT_THAT(fault_of(), HasSubstr("the part of the Hub is damaged"));
  EXPECT_THAT(fault_of(), HasSubstr("nothing was changed"));
}

TEST_F(BackupFile, CutShortOrLongerIsSaid) {
  write();
  const auto text = text_of(path());
  for (const std::size_t left : {std::size_t{40}, text.size() - 1, text.size() - 2'400'000}) {
    folder_.write("b", text.substr(0, left));
    EXPECT_THAT(fault_of(), HasSubstr("cut short")) << left;
  }
  folder_.write("b", text + "x");
  EXPECT_THAT(fault_of(), HasSubstr("something stands behind its end"));
}

TEST_F(BackupFile, OtherFilesAndNewerFormatsAreSaid) {
  folder_.write("b", "");
  EXPECT_THAT(fault_of(), HasSubstr("no backup of botburrow"));
  folder_.write("b", "REDIS0011\xfa");
  EXPECT_THAT(fault_of(), HasSubstr("no backup of botburrow"));
  folder_.write("b", "botburrow-backup 2\n{}\n");
  EXPECT_THAT(fault_of(), HasSubstr("it has format 2, and this program knows 1"));
}

/// Against a Redis of its own; the Hub is left out.
class BackupCommand : public testing::Test {
 protected:
  Ran run(std::vector<std::string> words) {
    return run_program({.arguments = std::move(words),
                        .environment = {{"HOME", folder_.path()},
                                        {"REDIS_URL", redis_.url()},
                                        {"HUB_URL", "http://127.0.0.1:1"}}});
  }
  std::string file() const { return folder_.path() + "/b"; }
  test::PrivateRedis redis_;
  ScratchFolder folder_;
};

TEST_F(BackupCommand, RestoresTheQueueAfterRedisLostIt) {
  redis_.ask({"SET", "work:generation", "set:1"});
  run({"queue", "add", "scribe", "--unchecked"});
  const Ran made = run({"backup", file(), "--only", "redis", "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("\"waiting\":1"));
  redis_.flush();
  const Ran back = run({"restore", file(), "--only", "redis"});
  ASSERT_EQ(back.exit_code, 0) << back.err;
  EXPECT_THAT(back.out, HasSubstr("enqueued 1 = waiting 1"));
  EXPECT_THAT(run({"queue"}).out, HasSubstr("scribe"));
}

TEST_F(BackupCommand, RefusesToReplaceUnlessForced) {
  run({"queue", "add", "scribe", "--unchecked"});
  ASSERT_EQ(run({"backup", file(), "--only", "redis"}).exit_code, 0);
  const Ran twice = run({"backup", file(), "--only", "redis"});
  EXPECT_NE(twice.exit_code, 0);
  EXPECT_THAT(twice.err, HasSubstr("--force"));
  EXPECT_EQ(run({"backup", file(), "--only", "redis", "--force"}).exit_code, 0);
  const Ran full = run({"restore", file(), "--only", "redis"});
  EXPECT_NE(full.exit_code, 0);
  EXPECT_THAT(full.err, HasSubstr("--force replaces them"));
  EXPECT_EQ(run({"restore", file(), "--only", "redis", "--force"}).exit_code, 0);
}

TEST_F(BackupCommand, SaysWhatItDoesNotKnow) {
  const Ran hubless = run({"backup", file()});
  EXPECT_EQ(hubless.exit_code, 64);
  EXPECT_THAT(hubless.err, HasSubstr("--hub-database"));
  const Ran nowhere = run({"backup", file(), "--hub-database", folder_.path() + "/none.db"});
  EXPECT_THAT(nowhere.err, HasSubstr("no database is there"));
  folder_.write("b", "no backup");
  const Ran strange = run({"restore", file()});
  EXPECT_EQ(strange.exit_code, 65);
  EXPECT_THAT(strange.err, HasSubstr("no backup of botburrow"));
  const Ran missing = run({"restore", folder_.path() + "/missing"});
  EXPECT_NE(missing.exit_code, 0);
  EXPECT_THAT(missing.err, HasSubstr("No such file"));
  EXPECT_EQ(run({"restore"}).exit_code, 64);
  EXPECT_EQ(run({"backup", file(), "--only", "mail"}).exit_code, 64);
}

}  // namespace
}  // namespace botburrow::cli
