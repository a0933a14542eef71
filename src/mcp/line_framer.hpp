#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::mcp {

/// Finds the `id` of a message while its bytes pass by: a whole number under the key `id` of the
/// outermost object, wherever it stands in there. Keeps a few bytes whatever the message's size.
class IdScanner {
 public:
  void feed(std::string_view bytes);
  /// Nothing until it has been seen, and for texts as ids.
  std::optional<std::int64_t> id() const;

 private:
  void take(char c);
  void end_of_string();

  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool expects_key_ = false;  ///< at depth 1, after `{` or `,`
  bool key_is_id_ = false;
  bool reads_value_ = false;  ///< after `"id":`
  std::string word_;          ///< a key, or the id's digits
  std::optional<std::string> digits_;
};

/// Cuts the bytes of a peer into lines, as stdio carries messages. A line over the limit is dropped
/// as it comes, and told of once its end has been seen.
class LineFramer {
 public:
  using OnLine = std::function<void(std::string_view line)>;
  /// `id` of the message in that line, if it could be told.
  using OnOversized = std::function<void(std::optional<std::int64_t> id, std::size_t bytes)>;

  explicit LineFramer(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  /// Blank lines are skipped, and a carriage return at a line's end.
  void feed(std::string_view bytes, const OnLine& on_line, const OnOversized& on_oversized);
  /// Bytes of a line whose end has not come; never over the limit.
  std::size_t held() const { return line_.size(); }

 private:
  void append(std::string_view piece);
  void end_line(const OnLine& on_line, const OnOversized& on_oversized);

  std::size_t line_bytes_max_;
  std::string line_;
  std::optional<IdScanner> scanner_;  ///< of a line over the limit
  std::size_t oversized_bytes_ = 0;
};

}  // namespace botburrow::mcp
