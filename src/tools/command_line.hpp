#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::tools {

/// Splits a command into its words the way a shell would, with quotes and backslashes, and does
/// nothing else a shell would do: pipes, lists, redirections, substitutions, variables, patterns of
/// file names and assignments are refused with a text that names what was found. Inside quotes they
/// are plain text, except where a shell would look into double quotes.
std::expected<std::vector<std::string>, std::string> split_command(std::string_view command);

}  // namespace botburrow::tools
