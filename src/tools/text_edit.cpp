#include "tools/text_edit.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

namespace botburrow::tools {
namespace {

constexpr std::size_t kShownBytes = 50;

}  // namespace

std::expected<std::string, std::string> apply(const TextEdit& edit, std::string_view text,
                                              std::size_t bytes_max) {
  if (edit.old_text.empty()) return std::unexpected("old_text is empty");
  std::string edited;
  std::size_t from = 0;
  for (auto at = text.find(edit.old_text); at != std::string_view::npos;
       at = text.find(edit.old_text, from)) {
    edited.append(text.substr(from, at - from)).append(edit.new_text);
    from = at + edit.old_text.size();
    if (edited.size() > bytes_max) break;
    if (!edit.all) break;
  }
  if (from == 0) {
    return std::unexpected(fmt::format("Text not found in file: {}...",
                                       valid_utf8(utf8_prefix(edit.old_text, kShownBytes))));
  }
  edited.append(text.substr(from));
  if (edited.size() > bytes_max)
    return std::unexpected(fmt::format("the edited file would be longer than {} bytes", bytes_max));
  return edited;
}

}  // namespace botburrow::tools
