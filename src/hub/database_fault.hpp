#pragma once

#include <string_view>

namespace botburrow::hub {

/// What keeps the Hub from its database: told apart so that each has its own cure. `cause` is the
/// problem body's `code`, the log's `cause`, and the detail() of the Error.
struct DatabaseFault {
  std::string_view cause;
  std::string_view words;  ///< for whoever asked: names no path
  std::string_view fix;
  bool heals = true;          ///< once the cure is applied, without a restart
  bool stops_writing = true;  ///< the next write would meet it, too
};

inline constexpr std::string_view kDatabaseDamaged = "database_damaged";
inline constexpr std::string_view kDatabaseMoved = "database_moved";

/// By a result code of SQLite (extended) and the errno of its last system call; never a success.
const DatabaseFault& database_fault(int sqlite_code, int system_error);
/// By the errno of a call of our own on the file or its folder.
const DatabaseFault& file_fault(int system_error);
/// The fault of an Error, by its detail(); null for what is none.
const DatabaseFault* find_database_fault(std::string_view cause);

}  // namespace botburrow::hub
