#include "hub/backup.hpp"

#include "base/error.hpp"
#include "hub/sqlite_db.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>

namespace botburrow::hub {
namespace {

constexpr int kBusyMs = 10'000;
constexpr std::int64_t kGenerationsSince = 1000;

using Handle = std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)>;

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw Error(errc::io, fmt::format("hub database {}: {}", path, reason));
}

Handle open(const std::string& path, int flags) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Handle opened(handle, &sqlite3_close_v2);
  if (code != SQLITE_OK) {
    fail(path, fmt::format("cannot be opened: {}; name it with --hub-database FILE",
                           handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code)));
  }
  sqlite3_busy_timeout(handle, kBusyMs);
  return opened;
}

}  // namespace

std::string real_path(const std::string& database) {
  std::error_code ignored;
  const auto real = std::filesystem::weakly_canonical(database, ignored);
  return real.empty() ? database : real.string();
}

std::string lock_path(const std::string& database) {
  return real_path(database) + ".lock";
}

std::optional<std::int64_t> find_generation(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  try {
    const auto db = open(path, SQLITE_OPEN_READWRITE);
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(db.get(), "SELECT generation FROM dataset", -1, &statement, nullptr);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> owned(statement,
                                                                           &sqlite3_finalize);
    if (code != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) return std::nullopt;
    return sqlite3_column_int64(statement, 0);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void copy_database(const std::string& from, const std::string& to) {
  // Opened for writing only because the write-ahead log's index must be; nothing is written.
  const auto source = open(from, SQLITE_OPEN_READWRITE);
  ::unlink(to.c_str());
  ensure_database_file(to);
  const auto target = open(to, SQLITE_OPEN_READWRITE);
  sqlite3_backup* copy = sqlite3_backup_init(target.get(), "main", source.get(), "main");
  if (copy == nullptr) fail(to, sqlite3_errmsg(target.get()));
  // In one step: it reads one snapshot, and in WAL mode holds nobody up.
  const int stepped = sqlite3_backup_step(copy, -1);
  const int finished = sqlite3_backup_finish(copy);
  if (stepped != SQLITE_DONE)
    fail(from, fmt::format("cannot be copied: {}", sqlite3_errstr(stepped)));
  if (finished != SQLITE_OK)
    fail(to, fmt::format("cannot be written: {}", sqlite3_errstr(finished)));
  // One file, without a log beside it.
  if (sqlite3_exec(target.get(), "PRAGMA journal_mode=DELETE", nullptr, nullptr, nullptr) !=
      SQLITE_OK)
    fail(to, sqlite3_errmsg(target.get()));
}

void prepare_restored(const std::string& path, std::int64_t above) {
  try {
    Database db(path);
    {
      Sql check(db, "PRAGMA quick_check(1)");
      if (!check.row() || check.text() != "ok")
        throw Error(errc::bad_input,
                    fmt::format("{}: the database in the backup is damaged", path));
    }
    Sql(db, "UPDATE dataset SET generation = max(generation, ?1) + ?2", above, kGenerationsSince)
        .run();
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const Error& error) {
    if (error.code() == errc::bad_input || error.code() == errc::io) throw;
    throw Error(errc::bad_input,
                fmt::format("the backup holds no Hub of ours: {}", error.message()));
  }
}

}  // namespace botburrow::hub
