#pragma once

#include "base/time.hpp"

namespace botburrow::hub {

class Database;

/// Brings the schema up to date, each numbered step in one transaction with its row in
/// schema_version, under the database's write lock. Running again does nothing. A schema newer than
/// this program is left alone: later versions only add. Throws Error{bad_settings} naming the step
/// that failed.
void migrate(Database& db, WallTime now);

/// The highest step applied; 0 for a fresh file.
int schema_version(Database& db);

}  // namespace botburrow::hub
