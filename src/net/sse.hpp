#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::net {

/// Cuts a byte stream into lines, whatever the pieces it comes in. Ends are `\n`, `\r\n` and `\r`.
/// Throws Error{protocol} for a line over `line_bytes_max`.
class LineSplitter {
 public:
  using OnLine = std::function<void(std::string_view line)>;
  explicit LineSplitter(std::size_t line_bytes_max = 4u << 20) : line_bytes_max_(line_bytes_max) {}

  void feed(std::string_view bytes, const OnLine& on_line);
  /// The last line, where the stream ended without a line end.
  void finish(const OnLine& on_line);

 private:
  void append(std::string_view bytes);

  std::size_t line_bytes_max_;
  std::string line_;
  bool after_return_ = false;  // a `\n` that follows belongs to the `\r` before
};

struct SseEvent {
  std::string event;  ///< empty where the stream names none
  std::string data;   ///< lines joined by `\n`
};

/// Server-sent events (the WHATWG framing), for any split of the bytes. Comments and a leading byte
/// order mark are skipped. Throws Error{protocol} for oversized events.
class SseParser {
 public:
  using OnEvent = std::function<void(const SseEvent&)>;
  explicit SseParser(std::size_t event_bytes_max = 4u << 20)
      : lines_(event_bytes_max), event_bytes_max_(event_bytes_max) {}

  void feed(std::string_view bytes, const OnEvent& on_event);
  /// The last event, where the stream ended without its blank line: some servers forget it.
  void finish(const OnEvent& on_event);

  /// The id of the last event that had one: where to go on after a break. Empty: none.
  const std::string& last_id() const { return last_id_; }
  /// How long the peer asked to wait before coming back.
  std::optional<std::chrono::milliseconds> retry() const { return retry_; }

 private:
  void take(std::string_view line, const OnEvent& on_event);
  void take_retry(std::string_view digits);
  void dispatch(const OnEvent& on_event);

  LineSplitter lines_;
  std::size_t event_bytes_max_;
  SseEvent event_;
  std::optional<std::string> id_;  // of the event being read
  std::string last_id_;
  std::optional<std::chrono::milliseconds> retry_;
  bool has_data_ = false;
  bool first_line_ = true;
};

}  // namespace botburrow::net
