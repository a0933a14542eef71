// Copies of the Hub's database, taken while it is open, and what they must be before they are used.
#include "hub/backup.hpp"

#include "base/error.hpp"
#include "hub/sqlite_db.hpp"
#include "store_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

namespace botburrow::hub {
namespace {

using testing::HasSubstr;

class HubBackup : public StoreTest {
 protected:
  HubBackup() {
    add_agent("scribe");
    add_agent("quiz");
  }
  std::string copy() const { return (folder_ / "copy.db").string(); }
  static std::string fault_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return fmt::format("{}: {}", name_of(error.code()), error.message());
    }
    return "";
  }
};

TEST_F(HubBackup, CopyHoldsWhatTheOpenHubHolds) {
  const auto thread = id_of(post("quiz", "@scribe hello"));
  copy_database(options_.path, copy());
  const auto later = id_of(post("quiz", "@scribe later"));
  struct stat info{};
  ASSERT_EQ(::stat(copy().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_FALSE(std::filesystem::exists(copy() + "-wal"));
  prepare_restored(copy(), 0);
  options_.path = copy();
  reopen();
  EXPECT_TRUE(store_->find_post(thread, {}));
  EXPECT_FALSE(store_->find_post(later, {}));
  EXPECT_EQ(inbox("scribe").size(), 1u);
}

TEST_F(HubBackup, CopyUnderWritesIsWhole) {
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (int i = 0; !stop; ++i)
      post("quiz", fmt::format("@scribe number {}", i));
  });
  for (int i = 0; i < 5; ++i) {
    copy_database(options_.path, copy());
    EXPECT_EQ(fault_of([&] { prepare_restored(copy(), 0); }), "");
  }
  stop = true;
}

TEST_F(HubBackup, RestoredHubGoesOnFarAboveEveryGenerationOfBefore) {
  const auto before = store_->generation().generation;
  copy_database(options_.path, copy());
  prepare_restored(copy(), 0);
  options_.path = copy();
  reopen();
  EXPECT_GE(store_->generation().generation, before + 1000);
}

TEST_F(HubBackup, SecondRestoreOfOneCopyGoesOnAboveTheFirst) {
  copy_database(options_.path, copy());
  const auto first = (folder_ / "first.db").string();
  std::filesystem::copy_file(copy(), first);
  prepare_restored(first, 0);
  const auto reached = find_generation(first);
  ASSERT_TRUE(reached);
  prepare_restored(copy(), *reached);
  EXPECT_GE(find_generation(copy()).value_or(0), *reached + 1000);
}

TEST_F(HubBackup, GenerationIsReadOfAnOpenHubAndOfNothingElse) {
  EXPECT_EQ(find_generation(options_.path), store_->generation().generation);
  EXPECT_EQ(find_generation((folder_ / "none.db").string()), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none.db"));
  std::ofstream(copy()) << "this is no database, but long enough to look like one";
  EXPECT_EQ(find_generation(copy()), std::nullopt);
}

TEST_F(HubBackup, LinksToOneDatabaseShareItsLock) {
  const auto link = (folder_ / "link.db").string();
  std::filesystem::create_symlink(options_.path, link);
  EXPECT_EQ(lock_path(link), lock_path(options_.path));
  EXPECT_EQ(real_path(link), real_path(options_.path));
}

TEST_F(HubBackup, DamagedAndStrangeFilesAreRefused) {
  for (int i = 0; i < 50; ++i)
    post("quiz", fmt::format("@scribe number {}", i));
  copy_database(options_.path, copy());
  {
    std::fstream file(copy(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 3);
    file << std::string(8192, 'x');
  }
  EXPECT_NE(fault_of([&] { prepare_restored(copy(), 0); }), "");
  std::ofstream(copy(), std::ios::trunc) << "this is no database, but long enough to look like one";
  EXPECT_THAT(fault_of([&] { prepare_restored(copy(), 0); }), HasSubstr("bad_input"));
  std::filesystem::remove(copy());
  Database(copy()).execute("CREATE TABLE other(x)");
  EXPECT_THAT(fault_of([&] { prepare_restored(copy(), 0); }), HasSubstr("no Hub of ours"));
  EXPECT_THAT(fault_of([&] { copy_database((folder_ / "none" / "hub.db").string(), copy()); }),
              HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace botburrow::hub
