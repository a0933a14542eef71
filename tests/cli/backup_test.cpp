// The file of backup, and what the commands refuse before they change anything.
#include "hub/backup.hpp"

#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "cli/backup_file.hpp"
#include "hub/store.hpp"
#include "run_program.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

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

TEST_F(BackupCommand, MakesNoFolderWhereAVolumeIsMissing) {
  const auto folder = folder_.path() + "/volume/of";
  const Ran ran = run({"backup", folder + "/b", "--only", "redis"});
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr(folder + " is not there; make it, or mount its volume"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/volume"));
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

/// With the database of a Hub that does not run.
class RestoreHub : public BackupCommand {
 protected:
  RestoreHub() {
    redis_.ask({"SET", "work:generation", "set:1"});
    make_database(database());
  }
  static void make_database(const std::string& path) {
    hub::open_sqlite_store({.path = path}, system_clock(), system_random());
  }
  /// As whoever has set nothing runs it.
  Ran run_bare(std::vector<std::string> words) {
    return run_program({.arguments = std::move(words), .environment = {{"HOME", folder_.path()}}});
  }
  Ran back_up() { return run({"backup", file(), "--hub-database", database(), "--force"}); }
  Ran restore(const std::string& database) {
    return run({"restore", file(), "--hub-database", database, "--force"});
  }
  std::string database() const { return folder_.path() + "/hub.db"; }
  static std::int64_t generation_of(const std::string& path) {
    return hub::find_generation(path).value_or(-1);
  }
};

TEST_F(RestoreHub, SecondRestoreOfOneBackupBeginsAboveTheFirst) {
  ASSERT_EQ(back_up().exit_code, 0);
  ASSERT_EQ(restore(database()).exit_code, 0);
  const auto first = generation_of(database());
  ASSERT_EQ(restore(database()).exit_code, 0);
  EXPECT_GE(generation_of(database()), first + 1000);
}

TEST_F(RestoreHub, GenerationOfRedisCountsWhereTheDatabaseIsLost) {
  ASSERT_EQ(back_up().exit_code, 0);
  redis_.ask({"SET", "work:generation", "set:5000"});
  std::filesystem::remove(database());
  ASSERT_EQ(restore(database()).exit_code, 0);
  EXPECT_EQ(generation_of(database()), 6000);
  std::filesystem::remove(database());
  redis_.ask({"SET", "work:generation", "set:7000"});
  ASSERT_EQ(run({"restore", file(), "--only", "hub", "--hub-database", database()}).exit_code, 0);
  EXPECT_EQ(generation_of(database()), 8000);
}

TEST_F(RestoreHub, WhereNobodyKnowsTheGenerationItIsAboveAllThatWereCounted) {
  ASSERT_EQ(back_up().exit_code, 0);
  std::filesystem::remove(database());
  redis_.flush();
  ASSERT_EQ(restore(database()).exit_code, 0);
  EXPECT_GT(generation_of(database()), 1'700'000'000);
}

TEST_F(RestoreHub, DatabaseThatIsNamedIsTheOneThatIsWrittenWithoutAnySetting) {
  ASSERT_EQ(back_up().exit_code, 0);
  const auto own = folder_.path() + "/.local/state/botburrow/hub.db";
  make_database(own);
  const auto before = text_of(own);
  const auto named = folder_.path() + "/named.db";
  const Ran both = run_bare({"restore", file(), "--hub-database", named, "--force"});
  EXPECT_EQ(both.exit_code, 64);
  EXPECT_THAT(both.err, HasSubstr("--redis-url"));
  EXPECT_FALSE(std::filesystem::exists(named));
  const Ran alone =
      run_bare({"restore", file(), "--hub-database", named, "--only", "hub", "--force"});
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_GT(generation_of(named), 0);
  EXPECT_EQ(text_of(own), before) << "another Hub's";
}

TEST_F(RestoreHub, FolderOfUpAndPartsApartAreNotMixed) {
  ASSERT_EQ(back_up().exit_code, 0);
  for (const auto& [flag, value] :
       {std::pair{"--hub-database", database()}, std::pair{"--redis-url", redis_.url()}}) {
    const Ran mixed =
        run({"restore", file(), "--data", folder_.path() + "/up", flag, value, "--force"});
    EXPECT_EQ(mixed.exit_code, 64) << flag;
    EXPECT_THAT(mixed.err, HasSubstr("not both"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/up"));
}

TEST_F(RestoreHub, CountsThatAreOffAreSaidAndHoldNothingUp) {
  redis_.ask({"HSET", "work:stats", "enqueued", "7"});
  const Ran made = back_up();
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("warning: the census of Redis does not close"));
  std::filesystem::remove(database());
  const Ran back = restore(database());
  EXPECT_EQ(back.exit_code, 0) << back.err;
  EXPECT_THAT(back.err, HasSubstr("warning: the census does not close after restoring"));
  EXPECT_TRUE(std::filesystem::exists(database())) << "Redis is restored, and so the Hub must be";
}

TEST_F(RestoreHub, LinkLeadsToTheDatabaseAndToItsLock) {
  ASSERT_EQ(back_up().exit_code, 0);
  const auto link = folder_.path() + "/link.db";
  std::filesystem::create_symlink(database(), link);
  const auto before = generation_of(database());
  {
    const FileLock hub(hub::lock_path(database()), {.what = "it", .cure = "wait"});
    const Ran served = restore(link);
    EXPECT_NE(served.exit_code, 0);
    EXPECT_THAT(served.err, HasSubstr("in use by process"));
  }
  ASSERT_EQ(restore(link).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_GT(generation_of(database()), before);
}

TEST_F(RestoreHub, DatabaseStaysItsOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  constexpr uid_t kHub = 12345;
  const auto owner_of = [](const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_uid : 0;
  };
  ASSERT_EQ(back_up().exit_code, 0);
  std::filesystem::remove(database() + ".lock");
  ASSERT_EQ(::chown(database().c_str(), kHub, kHub), 0);
  ASSERT_EQ(restore(database()).exit_code, 0);
  EXPECT_EQ(owner_of(database()), kHub);
  EXPECT_EQ(owner_of(database() + ".lock"), kHub);
  // A new one is the folder's owner's.
  const auto folder = folder_.path() + "/hub";
  std::filesystem::create_directory(folder);
  ASSERT_EQ(::chown(folder.c_str(), kHub, kHub), 0);
  ASSERT_EQ(restore(folder + "/hub.db").exit_code, 0);
  EXPECT_EQ(owner_of(folder + "/hub.db"), kHub);
  EXPECT_EQ(owner_of(folder + "/hub.db.lock"), kHub);
  // Redis beside it would be root's.
  const Ran mixed = run_bare({"restore", file(), "--data", folder, "--force"});
  EXPECT_NE(mixed.exit_code, 0);
  EXPECT_THAT(mixed.err, HasSubstr("belongs to user 12345"));
}

}  // namespace
}  // namespace botburrow::cli
