#include "net/sse.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace botburrow::net {
namespace {

constexpr std::size_t kIdBytesMax = 4096;
constexpr std::int64_t kRetryMax = 3'600'000;

}  // namespace

void LineSplitter::append(std::string_view bytes) {
  if (line_.size() + bytes.size() > line_bytes_max_) {
    throw Error(errc::protocol, fmt::format("stream: a line of over {} bytes", line_bytes_max_),
                Retry::after_backoff);
  }
  line_ += bytes;
}

void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  while (!bytes.empty()) {
    if (after_return_) {
      after_return_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const auto end = bytes.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      append(bytes);
      return;
    }
    append(bytes.substr(0, end));
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    on_line(line);
  }
}

void LineSplitter::finish(const OnLine& on_line) {
  if (line_.empty()) return;
  const std::string line = std::exchange(line_, {});
  on_line(line);
}

void SseParser::feed(std::string_view bytes, const OnEvent& on_event) {
  lines_.feed(bytes, [&](std::string_view line) { take(line, on_event); });
}

void SseParser::finish(const OnEvent& on_event) {
  lines_.finish([&](std::string_view line) { take(line, on_event); });
  dispatch(on_event);
}

void SseParser::take(std::string_view line, const OnEvent& on_event) {
  if (std::exchange(first_line_, false) && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  if (line.empty()) return dispatch(on_event);
  const auto colon = line.find(':');
  const auto field = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") {
    event_.event = value;
  } else if (field == "data") {
    // The line end that joins it to what is there counts, too.
    if (event_.data.size() + (has_data_ ? 1 : 0) + value.size() > event_bytes_max_) {
      throw Error(errc::protocol,
                  fmt::format("stream: an event of over {} bytes", event_bytes_max_),
                  Retry::after_backoff);
    }
    if (has_data_) event_.data.push_back('\n');
    event_.data += value;
    has_data_ = true;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    id_ = std::string(value.substr(0, kIdBytesMax));
  } else if (field == "retry") {
    take_retry(value);
  }
}

void SseParser::take_retry(std::string_view digits) {
  std::int64_t milliseconds = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, fault] = std::from_chars(digits.data(), end, milliseconds);
  if (fault != std::errc() || stopped != end || milliseconds < 0) return;
  retry_ = std::chrono::milliseconds(std::min(milliseconds, kRetryMax));
}

void SseParser::dispatch(const OnEvent& on_event) {
  const SseEvent event = std::exchange(event_, {});
  if (id_) last_id_ = *std::exchange(id_, {});
  if (std::exchange(has_data_, false)) on_event(event);
}

}  // namespace botburrow::net
