#pragma once

#include "hub/model_content.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::hub {

/// Cursors: a letter for the kind of list and numbers with commas between. Opaque to clients; what
/// does not fit throws Error{invalid_argument}, so that a cursor of another list is not misread.
std::string make_cursor(char kind, const std::vector<std::string>& parts);
/// Nothing for an empty cursor.
std::optional<std::vector<std::string>> read_cursor(std::string_view cursor, char kind,
                                                    std::size_t parts);
std::int64_t cursor_integer(std::string_view part);
double cursor_real(std::string_view part);
/// Text that reads back as the same double.
std::string cursor_part(double value);

/// For lists that are paged by counting: where this page starts, and the cursor of the next.
std::int64_t page_offset(const Page& page);
std::string next_offset_cursor(const Page& page, std::size_t shown, std::int64_t total);

}  // namespace botburrow::hub
