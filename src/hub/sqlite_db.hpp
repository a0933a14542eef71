#pragma once

#include "base/time.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace botburrow::hub {

class TimeLimit;

/// Makes the folder and the file (private to its owner) where missing, and opens it for writing
/// once. Throws what Database throws.
void ensure_database_file(const std::string& path);

/// Takes `bytes` on the volume of the database for a moment, and gives them back: what writing
/// would meet now. Throws what Database throws.
void require_room(const std::string& path, std::size_t bytes);

/// One SQLite connection with its prepared statements. One thread at a time.
///
/// Every failure throws Error: io with the cause of a DatabaseFault as its detail, after_backoff
/// where it can heal (disk full, read-only, busy, …); internal for a fault of ours. The line names
/// the file and the cure.
class Database {
 public:
  enum class Opening {
    create,    ///< the folder and the file (private to its owner) where missing
    existing,  ///< beside another connection of this process: makes nothing
  };
  /// WAL, synchronous=FULL, foreign keys on. Throws Error{bad_settings} for a file that is no
  /// database.
  explicit Database(std::string path, Opening opening = Opening::create);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Several statements without parameters.
  void execute(const std::string& script);
  bool in_transaction() const;
  std::int64_t rows_changed() const;
  const std::string& path() const { return path_; }

  /// Throws (`database_moved`) where the path, or that of its WAL, no longer names the file that is
  /// open: what would be written then is gone with this process. SQLite itself asks only in its
  /// other journal modes.
  void require_in_place();

 private:
  /// Which file a path names.
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const FileId&, const FileId&) = default;
  };
  static std::optional<FileId> file_at(const std::string& path);
  friend class Sql;
  friend class TimeLimit;
  sqlite3_stmt* take(std::string_view text);
  void give_back(std::string_view text, sqlite3_stmt* statement);
  [[noreturn]] void fail(int code) const;

  std::string path_;
  std::optional<FileId> opened_;      // the file behind handle_
  std::optional<FileId> opened_wal_;  // made with the first transaction, kept until the last close
  sqlite3* handle_ = nullptr;
  TimeLimit* limit_ = nullptr;
  std::map<std::string, std::vector<sqlite3_stmt*>, std::less<>> idle_;
};

/// A statement with its parameters bound in order (`?1`, `?2`, …), values copied. The columns of a
/// row are read from left to right.
class Sql {
 public:
  template <class... Values>
  Sql(Database& db, std::string_view text, const Values&... values) : Sql(db, text, 0) {
    (bind(values), ...);
  }
  ~Sql();
  Sql(const Sql&) = delete;
  Sql& operator=(const Sql&) = delete;

  /// Another parameter, after those of the constructor.
  void bind(std::string_view value);
  void bind(const std::string& value) { bind(std::string_view(value)); }
  void bind(const char* value) { bind(std::string_view(value)); }
  void bind(std::int64_t value);
  void bind(int value) { bind(static_cast<std::int64_t>(value)); }
  void bind(bool value) { bind(static_cast<std::int64_t>(value)); }
  void bind(double value);
  void bind(WallTime value) { bind(to_unix_ms(value)); }
  void bind(std::nullopt_t);
  template <class T>
  void bind(const std::optional<T>& value) {
    if (value) {
      bind(*value);
    } else {
      bind(std::nullopt);
    }
  }

  /// The next row; false after the last.
  bool row();
  /// To the end, for statements without rows. Answers how many rows were changed.
  std::int64_t run();

  // The next column of this row. NULL reads as empty or 0.
  std::string text();
  std::int64_t integer();
  double real();
  bool flag() { return integer() != 0; }
  WallTime time();
  std::optional<WallTime> maybe_time();
  std::optional<double> maybe_real();
  std::optional<std::int64_t> maybe_integer();

 private:
  Sql(Database& db, std::string_view text, int);
  Database& db_;
  std::string text_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
  int column_ = 0;
};

/// For parameters that are stored as NULL when empty.
inline std::optional<std::string_view> or_null(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return text;
}

/// While it lives, reading ends early once `time` has passed: rows stop, as if there were no more.
/// One at a time, and not around writes.
class TimeLimit {
 public:
  TimeLimit(Database& db, std::chrono::nanoseconds time);
  ~TimeLimit();
  TimeLimit(const TimeLimit&) = delete;
  /// Whether rows were kept back.
  bool over() const { return over_; }

 private:
  friend class Sql;
  static int look(void* self);
  Database& db_;
  std::chrono::steady_clock::time_point ends_;
  bool over_ = false;
};

/// BEGIN IMMEDIATE; rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& db);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  void commit();

 private:
  Database& db_;
};

}  // namespace botburrow::hub
