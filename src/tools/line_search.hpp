#pragma once

#include "sandbox/walk.hpp"
#include "tools/linear_regex.hpp"

#include <cstddef>
#include <string>

namespace botburrow::tools {

/// Appends `name:line:text` to `found` for each line of the file that matches, until `found` has
/// `bytes_max`. A file with a zero byte among its first 8 KiB is passed over. False when patience
/// ended first. Blocks.
bool search_lines(int fd, const std::string& name, const LinearRegex& pattern,
                  const sandbox::Patience& patience, std::size_t bytes_max, std::string& found);

}  // namespace botburrow::tools
