#include "mcp/line_framer.hpp"

#include <charconv>

namespace botburrow::mcp {
namespace {

/// Longer keys and numbers are no id of ours.
constexpr std::size_t kWordMax = 24;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void IdScanner::feed(std::string_view bytes) {
  for (const char c : bytes)
    take(c);
}

void IdScanner::end_of_string() {
  in_string_ = false;
  if (depth_ == 1 && expects_key_) key_is_id_ = word_ == "id";
  expects_key_ = false;
}

void IdScanner::take(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      end_of_string();
    }
    if (word_.size() < kWordMax) word_ += c;
    return;
  }
  if (is_blank(c)) return;
  if (reads_value_ && c != ',' && c != '}') {
    if (word_.size() < kWordMax) word_ += c;
    // A text, a list or an object: its inside is skipped like any other.
    if (c != '"' && c != '{' && c != '[') return;
    reads_value_ = false;
  }
  switch (c) {
    case '"':
      in_string_ = true;
      word_.clear();
      return;
    case '{':
    case '[':
      ++depth_;
      expects_key_ = depth_ == 1 && c == '{';
      return;
    case ':':
      reads_value_ = depth_ == 1 && key_is_id_;
      key_is_id_ = false;
      word_.clear();
      return;
    case ',':
    case '}':
    case ']':
      if (reads_value_) digits_ = word_;
      reads_value_ = false;
      if (c == ',') {
        expects_key_ = depth_ == 1;
      } else {
        --depth_;
      }
      return;
    default:
      return;
  }
}

std::optional<std::int64_t> IdScanner::id() const {
  if (!digits_ || digits_->empty()) return std::nullopt;
  std::int64_t value = 0;
  const char* const end = digits_->data() + digits_->size();
  const auto [stopped, fault] = std::from_chars(digits_->data(), end, value);
  if (fault != std::errc() || stopped != end) return std::nullopt;
  return value;
}

void LineFramer::append(std::string_view piece) {
  if (!scanner_ && line_.size() + piece.size() <= line_bytes_max_) {
    line_ += piece;
    return;
  }
  if (!scanner_) {
    scanner_.emplace();
    scanner_->feed(line_);
    oversized_bytes_ = line_.size();
    line_ = {};
  }
  scanner_->feed(piece);
  oversized_bytes_ += piece.size();
}

void LineFramer::end_line(const OnLine& on_line, const OnOversized& on_oversized) {
  if (scanner_) {
    const auto id = scanner_->id();
    scanner_.reset();
    on_oversized(id, oversized_bytes_);
    return;
  }
  if (line_.ends_with('\r')) line_.pop_back();
  const std::string line = std::exchange(line_, {});
  if (line.find_first_not_of(" \t\r") != std::string::npos) on_line(line);
}

void LineFramer::feed(std::string_view bytes, const OnLine& on_line,
                      const OnOversized& on_oversized) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    append(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    end_line(on_line, on_oversized);
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace botburrow::mcp
