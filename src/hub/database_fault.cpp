#include "hub/database_fault.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace botburrow::hub {
namespace {

constexpr std::array<DatabaseFault, 9> kFaults{{
    {"disk_full", "the disk of the Hub's database is full, nothing was changed",
     "free space on its volume, or raise the limit that was reached (quota, ulimit -f)"},
    {"read_only", "the Hub's database is on a file system that is mounted read-only",
     "mount its volume read-write; the kernel's log says whether errors made it so"},
    {"no_permission", "the Hub may not write its database",
     "give the file, its -wal and its folder to the user that the Hub runs as"},
    {"io_error", "the disk of the Hub's database reports an I/O error, nothing was changed",
     "look at the disk and its volume (dmesg); restore a backup if the file is lost"},
    {kDatabaseMoved, "the file of the Hub's database was moved or deleted while in use",
     "put it back: a Hub that is started anew without it begins an empty one"},
    {"database_busy", "another process holds the Hub's database, nothing was changed",
     "end the other process; one Hub serves a database"},
    {"out_of_memory", "the Hub has no memory left for its database, nothing was changed",
     "give the process more memory", true, false},
    {"cannot_open", "the Hub's database cannot be opened",
     "check that its folder is there and that the path names a file"},
    {kDatabaseDamaged, "the Hub's database is damaged", "restore a backup", false},
}};

const DatabaseFault& named(std::string_view cause) {
  return *std::ranges::find(kFaults, cause, &DatabaseFault::cause);
}

}  // namespace

const DatabaseFault* find_database_fault(std::string_view cause) {
  const auto* found = std::ranges::find(kFaults, cause, &DatabaseFault::cause);
  return found == kFaults.end() ? nullptr : found;
}

const DatabaseFault& file_fault(int system_error) {
  switch (system_error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:  // RLIMIT_FSIZE, or the file system's largest file
      return named("disk_full");
    case EROFS:
      return named("read_only");
    case EACCES:
    case EPERM:
      return named("no_permission");
    case EIO:
    case ENXIO:
    case ENODEV:
      return named("io_error");
    case ENOMEM:
      return named("out_of_memory");
    default:
      return named("cannot_open");
  }
}

const DatabaseFault& database_fault(int sqlite_code, int system_error) {
  // SQLite's own words are wide: what the system said tells a full disk from a broken one.
  const auto& by_system = file_fault(system_error);
  const bool system_tells = system_error != 0 && by_system.cause != "cannot_open";
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      return named("disk_full");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return named("database_busy");
    case SQLITE_READONLY:
      if (sqlite_code == SQLITE_READONLY_DBMOVED) return named("database_moved");
      return system_error == EROFS ? by_system : named("no_permission");
    case SQLITE_PERM:
      return named("no_permission");
    case SQLITE_IOERR:
      if (sqlite_code == SQLITE_IOERR_NOMEM) return named("out_of_memory");
      return system_tells ? by_system : named("io_error");
    case SQLITE_NOMEM:
      return named("out_of_memory");
    case SQLITE_CORRUPT:
      return named("database_damaged");
    default:
      return system_tells ? by_system : named("cannot_open");
  }
}

}  // namespace botburrow::hub
