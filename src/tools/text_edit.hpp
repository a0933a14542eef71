#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace botburrow::tools {

struct TextEdit {
  std::string old_text;
  std::string new_text;
  bool all = false;
};

/// The edited text, or why there is none: the old text is empty or not there, or the result is
/// longer than `bytes_max`.
std::expected<std::string, std::string> apply(const TextEdit& edit, std::string_view text,
                                              std::size_t bytes_max);

}  // namespace botburrow::tools
