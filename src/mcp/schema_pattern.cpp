#include "mcp/schema_pattern.hpp"

#include <re2/re2.h>

namespace botburrow::mcp {
namespace {

constexpr std::size_t kPatternBytesMax = 256;
constexpr std::size_t kTextBytesMax = 4096;
/// Of the automaton: repetitions in repetitions that need more are not judged.
constexpr std::int64_t kMemoryBytes = 256 << 10;
constexpr std::size_t kReadingWork = 200;
/// States of the automaton that are looked at, at worst all of them for each byte.
constexpr std::size_t kStatesPerWork = 16;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

std::unique_ptr<re2::RE2> compiled(std::string_view pattern) {
  if (pattern.size() > kPatternBytesMax) return nullptr;
  re2::RE2::Options how(re2::RE2::Quiet);
  how.set_max_mem(kMemoryBytes);
  auto out = std::make_unique<re2::RE2>(piece(pattern), how);
  return out->ok() ? std::move(out) : nullptr;
}

}  // namespace

SchemaPattern::SchemaPattern(std::string_view pattern)
    : compiled_(compiled(pattern)), pattern_bytes_(pattern.size()) {}
SchemaPattern::SchemaPattern(SchemaPattern&&) noexcept = default;
SchemaPattern::~SchemaPattern() = default;

bool SchemaPattern::can_judge(std::string_view text) const {
  return compiled_ && text.size() <= kTextBytesMax;
}

bool SchemaPattern::found_in(std::string_view text) const {
  return re2::RE2::PartialMatch(piece(text), *compiled_);
}

std::size_t SchemaPattern::work_to_read() const {
  // One that was refused may have been expanded up to the limit first.
  const auto states = compiled_ ? static_cast<std::size_t>(compiled_->ProgramSize()) * 4
                                : static_cast<std::size_t>(kMemoryBytes) / 16;
  return pattern_bytes_ > kPatternBytesMax ? 1 : kReadingWork + states;
}

std::size_t SchemaPattern::work_to_match(std::string_view text) const {
  return 1 + static_cast<std::size_t>(compiled_->ProgramSize()) * text.size() / kStatesPerWork;
}

}  // namespace botburrow::mcp
