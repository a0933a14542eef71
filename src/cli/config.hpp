#pragma once

#include "base/settings.hpp"
#include "cli/output.hpp"

namespace botburrow::cli {

/// The settings in force as a table: name, value (secrets masked), source.
void print_settings(const Settings& settings, const Output& output);

}  // namespace botburrow::cli
