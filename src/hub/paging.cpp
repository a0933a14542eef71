#include "hub/paging.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace botburrow::hub {
namespace {

[[noreturn]] void bad_cursor(std::string_view cursor) {
  throw Error(
      errc::invalid_argument,
      fmt::format("cursor \"{}\": not one of this list; take next_cursor of the page before",
                  cursor.substr(0, 80)));
}

template <class Number>
Number number(std::string_view part) {
  Number value{};
  const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (failed != std::errc() || end != part.data() + part.size()) bad_cursor(part);
  return value;
}

}  // namespace

std::string make_cursor(char kind, const std::vector<std::string>& parts) {
  return fmt::format("{}{}", kind, fmt::join(parts, ","));
}

std::optional<std::vector<std::string>> read_cursor(std::string_view cursor, char kind,
                                                    std::size_t parts) {
  if (cursor.empty()) return std::nullopt;
  if (cursor.front() != kind || cursor.size() > 100) bad_cursor(cursor);
  std::vector<std::string> found;
  for (std::size_t from = 1; from <= cursor.size();) {
    const auto comma = std::min(cursor.find(',', from), cursor.size());
    found.emplace_back(cursor.substr(from, comma - from));
    from = comma + 1;
  }
  if (found.size() != parts) bad_cursor(cursor);
  return found;
}

std::int64_t cursor_integer(std::string_view part) {
  return number<std::int64_t>(part);
}
double cursor_real(std::string_view part) {
  return number<double>(part);
}
std::string cursor_part(double value) {
  return fmt::format("{}", value);
}

std::int64_t page_offset(const Page& page) {
  const auto parts = read_cursor(page.cursor, 'o', 1);
  return std::max<std::int64_t>(0, parts ? cursor_integer(parts->front()) : page.offset);
}

std::string next_offset_cursor(const Page& page, std::size_t shown, std::int64_t total) {
  const auto next = page_offset(page) + static_cast<std::int64_t>(shown);
  return shown == 0 || next >= total ? std::string() : make_cursor('o', {fmt::format("{}", next)});
}

}  // namespace botburrow::hub
