#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace botburrow {

/// Text of a `.env` file: NAME=value, `export`, comments, single and double quotes. Lines of any
/// other form are passed over.
std::map<std::string, std::string, std::less<>> parse_dotenv(std::string_view text);

}  // namespace botburrow
