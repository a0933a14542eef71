#include "hub/sqlite_db.hpp"

#include "base/error.hpp"
#include "hub/database_fault.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace botburrow::hub {
namespace {

constexpr int kBusyMs = 3000;
/// Of SQLite's machine. One step may compare a text of 40,000 characters with a pattern.
constexpr int kStepsBetweenLooks = 200;

[[noreturn]] void fail_with(const DatabaseFault& fault, const std::string& path,
                            std::string_view reason) {
  throw Error(errc::io, fmt::format("hub database {}: {}; {}", path, reason, fault.fix),
              fault.heals ? Retry::after_backoff : Retry::never)
      .with_detail(std::string(fault.cause));
}

/// The errno behind a failure: SQLite keeps one for each file, and one for calls on none.
int last_system_error(sqlite3* handle) {
  int error = sqlite3_system_errno(handle);
  if (error == 0) sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  sqlite3_file* wal = nullptr;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (error == 0 && wal != nullptr && wal->pMethods != nullptr)
    wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &error);
  return error;
}

}  // namespace

// Before SQLite would make it readable by everyone; its WAL follows suit.
void ensure_database_file(const std::string& path) {
  std::error_code failed;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  if (failed)
    fail_with(file_fault(failed.value()), path, "cannot make its folder: " + failed.message());
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    const int error = errno;
    fail_with(file_fault(error), path, fmt::format("cannot open: {}", std::strerror(error)));
  }
  ::close(file);
}

void require_room(const std::string& path, std::size_t bytes) {
  const auto beside = path + ".room";
  const int file = ::open(beside.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    const int error = errno;
    fail_with(file_fault(error), path, fmt::format("cannot write: {}", std::strerror(error)));
  }
  ::unlink(beside.c_str());
  const int error = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  ::close(file);
  if (error != 0)
    fail_with(file_fault(error), path,
              fmt::format("no room for {} KiB: {}", bytes / 1024, std::strerror(error)));
}

Database::Database(std::string path, Opening opening) : path_(std::move(path)) {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  // Only for the first connection: closing any descriptor of a file drops the POSIX locks that this
  // process holds on it, and another process would then take the WAL for its own to delete.
  if (opening == Opening::create) {
    ensure_database_file(path_);
    flags |= SQLITE_OPEN_CREATE;
  }
  try {
    if (const int code = sqlite3_open_v2(path_.c_str(), &handle_, flags, nullptr);
        code != SQLITE_OK)
      fail(code);
    opened_ = file_at(path_);
    sqlite3_busy_timeout(handle_, kBusyMs);
    execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
        "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192; PRAGMA journal_size_limit=67108864;");
  } catch (...) {
    sqlite3_close_v2(handle_);
    throw;
  }
}

Database::~Database() {
  for (auto& [text, statements] : idle_) {
    for (auto* statement : statements)
      sqlite3_finalize(statement);
  }
  sqlite3_close_v2(handle_);
}

std::optional<Database::FileId> Database::file_at(const std::string& path) {
  struct stat seen{};
  if (::stat(path.c_str(), &seen) != 0) return std::nullopt;
  return FileId{.device = seen.st_dev, .inode = seen.st_ino};
}

void Database::require_in_place() {
  const auto wal = file_at(path_ + "-wal");
  if (!opened_wal_) opened_wal_ = wal;
  if (opened_ == file_at(path_) && opened_wal_ == wal) return;
  fail_with(*find_database_fault(kDatabaseMoved), path_,
            "its file, or the -wal beside it, was moved or deleted while in use");
}

void Database::fail(int code) const {
  const std::string reason = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  const int system_error = handle_ != nullptr ? last_system_error(handle_) : 0;
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      throw Error(errc::bad_settings, fmt::format("hub database {}: {}; BOTBURROW_DATABASE_URL "
                                                  "names another kind of file",
                                                  path_, reason));
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_NOMEM:
    case SQLITE_PERM:
    case SQLITE_CORRUPT: {
      const bool is_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
      const auto said = is_system && system_error != 0
                            ? fmt::format("{} ({})", reason, std::strerror(system_error))
                            : reason;
      fail_with(database_fault(code, system_error), path_, said);
    }
    default:
      throw Error(errc::internal,
                  fmt::format("hub database {}: {} (code {})", path_, reason, code));
  }
}

void Database::execute(const std::string& script) {
  if (const int code = sqlite3_exec(handle_, script.c_str(), nullptr, nullptr, nullptr);
      code != SQLITE_OK) {
    fail(code);
  }
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}
std::int64_t Database::rows_changed() const {
  return sqlite3_changes64(handle_);
}

sqlite3_stmt* Database::take(std::string_view text) {
  if (const auto found = idle_.find(text); found != idle_.end() && !found->second.empty()) {
    auto* statement = found->second.back();
    found->second.pop_back();
    return statement;
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, text.data(), static_cast<int>(text.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) fail(code);
  return statement;
}

void Database::give_back(std::string_view text, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  idle_[std::string(text)].push_back(statement);
}

Sql::Sql(Database& db, std::string_view text, int)
    : db_(db), text_(text), statement_(db.take(text)) {}

Sql::~Sql() {
  db_.give_back(text_, statement_);
}

void Sql::bind(std::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() != nullptr ? value.data() : "";
  if (const int code = sqlite3_bind_text64(statement_, ++bound_, data, value.size(),
                                           SQLITE_TRANSIENT, SQLITE_UTF8);
      code != SQLITE_OK) {
    db_.fail(code);
  }
}

void Sql::bind(std::int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_, ++bound_, value); code != SQLITE_OK)
    db_.fail(code);
}

void Sql::bind(double value) {
  if (const int code = sqlite3_bind_double(statement_, ++bound_, value); code != SQLITE_OK)
    db_.fail(code);
}

void Sql::bind(std::nullopt_t) {
  if (const int code = sqlite3_bind_null(statement_, ++bound_); code != SQLITE_OK) db_.fail(code);
}

bool Sql::row() {
  column_ = 0;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_INTERRUPT && db_.limit_ != nullptr && db_.limit_->over()) return false;
  if (code != SQLITE_DONE) db_.fail(code);
  return false;
}

// SQLite goes on writing into files that nobody can find any more: what begins to write asks first,
// and a transaction once more before it is committed.
std::int64_t Sql::run() {
  if (sqlite3_stmt_readonly(statement_) == 0 && !db_.in_transaction()) db_.require_in_place();
  while (row()) {
  }
  return db_.rows_changed();
}

std::string Sql::text() {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column_));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column_));
  ++column_;
  return data == nullptr ? std::string() : std::string(data, size);
}

std::int64_t Sql::integer() {
  return sqlite3_column_int64(statement_, column_++);
}
double Sql::real() {
  return sqlite3_column_double(statement_, column_++);
}

WallTime Sql::time() {
  return WallTime(
      std::chrono::duration_cast<WallTime::duration>(std::chrono::milliseconds(integer())));
}

std::optional<WallTime> Sql::maybe_time() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL) return time();
  ++column_;
  return std::nullopt;
}

std::optional<double> Sql::maybe_real() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL) return real();
  ++column_;
  return std::nullopt;
}

std::optional<std::int64_t> Sql::maybe_integer() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL) return integer();
  ++column_;
  return std::nullopt;
}

TimeLimit::TimeLimit(Database& db, std::chrono::nanoseconds time)
    : db_(db), ends_(std::chrono::steady_clock::now() + time) {
  db_.limit_ = this;
  sqlite3_progress_handler(db_.handle_, kStepsBetweenLooks, &TimeLimit::look, this);
}

TimeLimit::~TimeLimit() {
  sqlite3_progress_handler(db_.handle_, 0, nullptr, nullptr);
  db_.limit_ = nullptr;
}

int TimeLimit::look(void* self) {
  auto& limit = *static_cast<TimeLimit*>(self);
  limit.over_ = limit.over_ || std::chrono::steady_clock::now() >= limit.ends_;
  return limit.over_ ? 1 : 0;
}

Transaction::Transaction(Database& db) : db_(db) {
  Sql(db_, "BEGIN IMMEDIATE").run();
}

Transaction::~Transaction() {
  if (!db_.in_transaction()) return;
  try {
    Sql(db_, "ROLLBACK").run();
  } catch (const Error&) {
    // A rollback that fails was done by SQLite itself; the error that led here is under way.
  }
}

void Transaction::commit() {
  db_.require_in_place();
  Sql(db_, "COMMIT").run();
}

}  // namespace botburrow::hub
