#pragma once

#include "base/time.hpp"

#include <optional>

namespace botburrow::hub {

class Database;

/// Brings the schema up to date, each numbered step in one transaction with its row in
/// schema_version, under the database's write lock. Running again does nothing. A schema newer than
/// this program is left alone as long as it says that this program can still read it (column
/// oldest_reader: steps that only add keep it, so that two versions may take turns on one file).
/// Throws Error{bad_settings} naming the step that failed, or both versions where the file is too
/// new. `up_to`: no further than this step, for tests.
void migrate(Database& db, WallTime now, std::optional<int> up_to = std::nullopt);

/// The highest step applied; 0 for a fresh file.
int schema_version(Database& db);

}  // namespace botburrow::hub
