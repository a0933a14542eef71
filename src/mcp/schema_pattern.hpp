#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace re2 {
class RE2;
}

namespace botburrow::mcp {

/// A `pattern` of a schema that a stranger wrote. Matching takes time linear in the text, whatever
/// the pattern (RE2); what RE2 does not know of ECMAScript (lookahead, references back, `\u`) makes
/// it a pattern that judges nothing.
class SchemaPattern {
 public:
  explicit SchemaPattern(std::string_view pattern);
  SchemaPattern(SchemaPattern&&) noexcept;
  ~SchemaPattern();

  /// False: too long a text, or no pattern that can be read.
  bool can_judge(std::string_view text) const;
  /// Requires can_judge().
  bool found_in(std::string_view text) const;

  /// What it costs at most, in units of some tens of nanoseconds.
  std::size_t work_to_read() const;
  std::size_t work_to_match(std::string_view text) const;

 private:
  std::unique_ptr<re2::RE2> compiled_;  ///< null: it judges nothing
  std::size_t pattern_bytes_;
};

}  // namespace botburrow::mcp
