#pragma once
// How an answer over HTTP is read: as one body, or as a stream of events.
#include "mcp/call_clock.hpp"
#include "mcp/http_channel.hpp"
#include "net/sse.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::mcp {

/// How long to stay away from a server that names no time.
inline constexpr std::chrono::milliseconds kRetryUnasked{1000};

/// Whether Content-Type begins with `type`.
bool has_type(const net::HttpHeaders& headers, std::string_view type);

/// Reads the bodies of one exchange: its answer and what comes before it, over as many connections
/// as it takes.
class HttpChannel::Reading {
 public:
  Reading(HttpChannel& channel, std::int64_t id, CallTimes times,
          std::function<void(const Message&)> on_progress)
      : channel_(channel),
        id_(id),
        clock_(times, BootClock::now()),
        on_progress_(std::move(on_progress)) {}

  void begin(const net::HttpHeaders& headers);
  /// False once the exchange is over: answered, or out of time.
  bool feed(std::string_view bytes);
  void end();
  const CallClock& clock() const { return clock_; }
  /// A server that wants us back at once would have us ask without a pause.
  std::chrono::milliseconds retry() const;
  bool streamed() const { return streamed_; }

  std::optional<Message> answer;
  std::string last_event_id;

 private:
  Error too_much() const;
  void note_place();
  void take_event(const net::SseEvent& event);
  void take_text(std::string_view text);
  void take_answer(Message message);
  void take_other(const Message& message);

  HttpChannel& channel_;
  std::int64_t id_;
  CallClock clock_;
  std::function<void(const Message&)> on_progress_;
  bool streamed_ = false;
  std::string whole_;
  std::size_t total_ = 0;
  net::SseParser sse_;
  std::optional<std::chrono::milliseconds> retry_;
};

}  // namespace botburrow::mcp
