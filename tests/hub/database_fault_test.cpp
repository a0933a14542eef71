#include "hub/database_fault.hpp"

#include "base/error.hpp"
#include "hub/sqlite_db.hpp"
#include "tests/hub/hub_harness.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/small_volume.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

namespace botburrow::hub::test {
namespace {

using botburrow::test::SmallVolume;
using ::testing::HasSubstr;
using ::testing::Not;

std::string cause_of(int sqlite_code, int system_error) {
  return std::string(database_fault(sqlite_code, system_error).cause);
}

TEST(DatabaseFault, TheSystemTellsWhatSqliteMeans) {
  EXPECT_EQ(cause_of(SQLITE_FULL, 0), "disk_full");
  EXPECT_EQ(cause_of(SQLITE_IOERR_WRITE, ENOSPC), "disk_full");
  EXPECT_EQ(cause_of(SQLITE_IOERR_SHMSIZE, EDQUOT), "disk_full");
  EXPECT_EQ(cause_of(SQLITE_IOERR_WRITE, EFBIG), "disk_full");
  EXPECT_EQ(cause_of(SQLITE_IOERR_FSYNC, EIO), "io_error");
  EXPECT_EQ(cause_of(SQLITE_IOERR_WRITE, 0), "io_error");
  EXPECT_EQ(cause_of(SQLITE_IOERR_WRITE, EROFS), "read_only");
  EXPECT_EQ(cause_of(SQLITE_CANTOPEN, EROFS), "read_only");
  EXPECT_EQ(cause_of(SQLITE_CANTOPEN, ENOSPC), "disk_full");
  EXPECT_EQ(cause_of(SQLITE_CANTOPEN, EACCES), "no_permission");
  EXPECT_EQ(cause_of(SQLITE_CANTOPEN, EISDIR), "cannot_open");
  EXPECT_EQ(cause_of(SQLITE_READONLY, 0), "no_permission");
  EXPECT_EQ(cause_of(SQLITE_READONLY, EROFS), "read_only");
  EXPECT_EQ(cause_of(SQLITE_READONLY, ENOSPC), "no_permission") << "of an earlier call";
  EXPECT_EQ(cause_of(SQLITE_READONLY_DBMOVED, 0), "database_moved");
  EXPECT_EQ(cause_of(SQLITE_BUSY_SNAPSHOT, 0), "database_busy");
  EXPECT_EQ(cause_of(SQLITE_NOMEM, 0), "out_of_memory");
  EXPECT_EQ(cause_of(SQLITE_CORRUPT_INDEX, 0), "database_damaged");
}

TEST(DatabaseFault, EachHasWordsAndACure) {
  for (const auto* cause : {"disk_full", "read_only", "no_permission", "io_error", "database_moved",
                            "database_busy", "out_of_memory", "cannot_open", "database_damaged"}) {
    const auto* fault = find_database_fault(cause);
    ASSERT_NE(fault, nullptr) << cause;
    EXPECT_FALSE(fault->words.empty() || fault->fix.empty()) << cause;
    EXPECT_EQ(fault->heals, std::string_view(cause) != "database_damaged");
  }
  EXPECT_EQ(find_database_fault(""), nullptr);
  EXPECT_EQ(find_database_fault("stale_fence"), nullptr);
}

Error failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return Error(errc::internal, "nothing failed");
}

TEST(DatabaseFault, APageLimitIsAFullDisk) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("bb-full-" + system_random().uuid4());
  std::filesystem::create_directories(folder);
  {
    Database db((folder / "hub.db").string());
    db.execute("CREATE TABLE t (x); PRAGMA max_page_count=4");
    const auto full = failure_of([&] {
      for (int i = 0; i < 100; ++i)
        Sql(db, "INSERT INTO t VALUES (?1)", std::string(4000, 'x')).run();
    });
    EXPECT_EQ(full.detail(), "disk_full");
    EXPECT_EQ(full.retry(), Retry::after_backoff);
    EXPECT_THAT(full.message(), HasSubstr("database or disk is full; free space on its volume"));
  }
  std::filesystem::remove_all(folder);
}

/// The Hub looks at its database every five seconds.
void until(HubHarness& hub, const std::function<bool()>& condition) {
  ASSERT_TRUE(botburrow::test::run_until(hub.ioc, condition, std::chrono::seconds(60)));
}

/// A Hub on a volume of its own.
class VolumeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SmallVolume::possible()) GTEST_SKIP() << "needs root that may mount";
    volume = std::make_unique<SmallVolume>(4u << 20);
  }
  HubOptions options() const {
    auto options = quiet_options();
    options.database_path = volume->path() + "/hub.db";
    return options;
  }
  std::unique_ptr<SmallVolume> volume;
};

TEST_F(VolumeTest, AFullDiskIsToldFromOtherFaultsAndHeals) {
  HubHarness hub(options());
  const auto key = hub.agent("scribe");
  const auto thread = hub.new_post(key, "hello");
  volume->fill();
  Answer refused;
  for (int i = 0; i < 2000 && refused.status != 503; ++i)
    refused =
        hub.post("/posts/" + thread + "/comments", key, {{"content", std::string(9000, 'x')}});
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.str("code"), "disk_full");
  EXPECT_THAT(refused.str("detail"), HasSubstr("disk of the Hub's database is full"));
  EXPECT_THAT(refused.str("hint"), HasSubstr("free space"));
  EXPECT_THAT(refused.text, Not(HasSubstr(volume->path()))) << "strangers see no path";
  EXPECT_FALSE(refused.header("retry-after").empty());
  EXPECT_EQ(hub.get("!/ready", "").status, 503) << "from the first write that failed";
  EXPECT_EQ(hub.get("/posts/" + thread, key).status, 200) << "reading goes on";
  for (int i = 0; i < 20; ++i)
    hub.post("/posts/" + thread + "/comments", key, {{"content", std::string(9000, 'x')}});
  EXPECT_EQ(hub.lines->count("hub_request_failed"), 1u) << "one line tells as much as twenty";
  EXPECT_EQ(hub.lines->count("hub_database_failed", "disk_full"), 1u);
  volume->empty();
  EXPECT_EQ(hub.post("/posts/" + thread + "/comments", key, {{"content", "after"}}).status, 201);
}

TEST_F(VolumeTest, ReadinessTellsOfAFullDiskBeforeAnybodyWrites) {
  HubHarness hub(options());
  const auto ready = [&hub] { return hub.get("!/ready", "").status; };
  until(hub, [&] { return ready() == 200; });
  volume->fill();
  until(hub, [&] { return ready() == 503; });
  EXPECT_THAT(hub.get("!/ready", "").str("reason"), HasSubstr("No space left"));
  volume->empty();
  until(hub, [&] { return ready() == 200; });
  EXPECT_EQ(hub.lines->count("hub_database_recovered"), 1u);
}

TEST_F(VolumeTest, AReadOnlyVolumeIsSaidAndWaitedFor) {
  {
    HubHarness first(options());
    first.agent("scribe");
    first.stop();
  }
  volume->make_read_only(true);
  HubHarness hub(options());
  ASSERT_TRUE(botburrow::test::run_until(
      hub.ioc, [&] { return hub.get("/posts", "any").str("code") == "read_only"; }));
  EXPECT_THAT(hub.get("/posts", "any").str("hint"), HasSubstr("mount its volume read-write"));
  EXPECT_THAT(hub.get("!/ready", "").str("reason"), HasSubstr("Read-only file system"));
  volume->make_read_only(false);
  botburrow::test::run_task(hub.ioc, hub.server->until_ready(), std::chrono::seconds(12));
  EXPECT_EQ(hub.get("!/ready", "").status, 200);
}

/// Which database file of a Hub, or what stands beside it.
std::filesystem::path file_of(const HubHarness& hub, const char* ending = "") {
  return hub.folder / (std::string("hub.db") + ending);
}

int post_status(HubHarness& hub, const std::string& key) {
  return hub.post("/posts", key, {{"title", "t"}, {"content", "x"}, {"community", "general"}})
      .status;
}

TEST(MovedDatabase, NothingIsAcknowledgedUntilTheFileIsBack) {
  HubHarness hub;
  const auto key = hub.agent("scribe");
  const auto before = hub.new_post(key, "kept");
  const auto aside = hub.folder / "aside.db";
  std::filesystem::rename(file_of(hub), aside);
  const auto refused =
      hub.post("/posts", key, {{"title", "t"}, {"content", "lost"}, {"community", "general"}});
  EXPECT_EQ(refused.status, 503) << refused.text;
  EXPECT_EQ(refused.str("code"), "database_moved");
  EXPECT_THAT(refused.str("hint"), HasSubstr("put it back"));
  EXPECT_EQ(hub.get("!/ready", "").status, 503);
  hub.get("/search?q=kept", key);
  EXPECT_FALSE(std::filesystem::exists(file_of(hub))) << "a search made an empty one";
  std::filesystem::rename(aside, file_of(hub));
  until(hub, [&] { return hub.get("!/ready", "").status == 200; });
  EXPECT_EQ(post_status(hub, key), 201);
  EXPECT_EQ(hub.get("/posts/" + before, key).status, 200);
}

TEST(MovedDatabase, AnIdleHubNoticesADeletedOne) {
  HubHarness hub;
  const auto key = hub.agent("scribe");
  for (const auto* ending : {"", "-wal", "-shm"})
    std::filesystem::remove(file_of(hub, ending));
  until(hub, [&] { return hub.get("!/ready", "").status == 503; });
  EXPECT_EQ(hub.lines->count("hub_database_failed", "database_moved"), 1u);
  EXPECT_EQ(post_status(hub, key), 503);
  // Another file under the name is not the one that is open.
  std::ofstream(file_of(hub)) << "";
  EXPECT_EQ(post_status(hub, key), 503);
}

TEST(MovedDatabase, ALogThatWasDeletedLosesNothingUnsaid) {
  HubHarness hub;
  const auto key = hub.agent("scribe");
  ASSERT_TRUE(std::filesystem::remove(file_of(hub, "-wal")));
  EXPECT_EQ(post_status(hub, key), 503);
}

TEST(MovedDatabase, SearchingDropsNoLockOfTheWriter) {
  HubHarness hub;
  const auto key = hub.agent("scribe");
  hub.new_post(key, "kept");
  ASSERT_EQ(hub.get("/search?q=kept", key).status, 200);
  // Another process that opens the file and closes it takes the -wal for its own, and deletes it,
  // where this one holds no lock.
  const auto code = std::system(
      fmt::format("sqlite3 '{}' 'select 1 from posts' >/dev/null 2>&1", file_of(hub).string())
          .c_str());
  if (code != 0) GTEST_SKIP() << "needs the program sqlite3";
  EXPECT_TRUE(std::filesystem::exists(file_of(hub, "-wal")));
  EXPECT_EQ(post_status(hub, key), 201);
}

TEST(DamagedDatabase, StaysDownWhateverCanStillBeWritten) {
  HubHarness hub;
  const auto key = hub.agent("scribe");
  for (int i = 0; i < 40; ++i)
    hub.new_post(key, std::string(9000, 'x'));
  {
    Database other(file_of(hub).string(), Database::Opening::existing);
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  {
    std::fstream file(file_of(hub), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8192);
    file << std::string(60 * 4096, '\x5a');
  }
  hub.stop();
  HubOptions options = quiet_options();
  options.database_path = file_of(hub).string();
  HubHarness again(options);
  Answer answer;
  until(again, [&] {
    answer = again.get("/posts", key);
    return answer.str("code") == "database_damaged";
  });
  EXPECT_FALSE(botburrow::test::run_until(
      again.ioc, [&] { return again.get("!/ready", "").status == 200; }, std::chrono::seconds(7)));
  EXPECT_EQ(again.lines->count("hub_database_recovered"), 0u);
}

TEST(BusyDatabase, IsNotReadyFromTheFirstWriteThatFailed) {
  HubHarness hub;
  const auto key = hub.agent("scribe");
  {
    Database other(file_of(hub).string(), Database::Opening::existing);
    const Transaction held(other);
    const auto refused =
        hub.post("/posts", key, {{"title", "t"}, {"content", "x"}, {"community", "general"}});
    EXPECT_EQ(refused.str("code"), "database_busy") << refused.text;
    EXPECT_EQ(hub.get("!/ready", "").status, 503);
  }
  until(hub, [&] { return hub.get("!/ready", "").status == 200; });
}

}  // namespace
}  // namespace botburrow::hub::test
