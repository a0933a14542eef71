#include "tools/linear_regex.hpp"

#include <re2/re2.h>

namespace botburrow::tools {
namespace {

constexpr std::size_t kPatternBytesMax = 4096;
constexpr std::int64_t kMemoryBytes = 8 << 20;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

LinearRegex::LinearRegex(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
LinearRegex::LinearRegex(LinearRegex&&) noexcept = default;
LinearRegex& LinearRegex::operator=(LinearRegex&&) noexcept = default;
LinearRegex::~LinearRegex() = default;

std::expected<LinearRegex, std::string> LinearRegex::parse(std::string_view pattern,
                                                           Options options) {
  if (pattern.size() > kPatternBytesMax) return std::unexpected("longer than 4096 bytes");
  re2::RE2::Options how(re2::RE2::Quiet);
  how.set_max_mem(kMemoryBytes);
  how.set_case_sensitive(!options.ignore_case);
  auto compiled = std::make_unique<re2::RE2>(piece(pattern), how);
  if (!compiled->ok()) return std::unexpected(compiled->error());
  return LinearRegex(std::move(compiled));
}

bool LinearRegex::found_in(std::string_view text) const {
  return re2::RE2::PartialMatch(piece(text), *compiled_);
}

bool LinearRegex::matches_all_of(std::string_view text) const {
  return re2::RE2::FullMatch(piece(text), *compiled_);
}

}  // namespace botburrow::tools
