#include "mcp/http_reading.hpp"

#include "base/error.hpp"
#include "mcp/tool_list.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {

namespace {

constexpr std::chrono::milliseconds kRetryMin{500};
constexpr std::chrono::milliseconds kRetryMax = std::chrono::hours(1);
constexpr std::size_t kShownBytes = 300;

}  // namespace

bool has_type(const net::HttpHeaders& headers, std::string_view type) {
  return std::ranges::any_of(headers, [&](const auto& header) {
    return header.first == "content-type" && header.second.starts_with(type);
  });
}

void HttpChannel::Reading::begin(const net::HttpHeaders& headers) {
  streamed_ = has_type(headers, "text/event-stream");
  whole_.clear();
  sse_ = net::SseParser(channel_.options_.message_bytes_max);
}

bool HttpChannel::Reading::feed(std::string_view bytes) {
  total_ += bytes.size();
  if (total_ > channel_.options_.stream_bytes_max) throw too_much();
  if (!streamed_) {
    if (whole_.size() + bytes.size() > channel_.options_.message_bytes_max) throw too_much();
    whole_ += bytes;
    return true;
  }
  try {
    sse_.feed(bytes, [this](const net::SseEvent& event) { take_event(event); });
  } catch (const Error& error) {
    if (error.code() == errc::protocol) throw too_much();  // the parser's only complaint
    throw;
  }
  note_place();
  return !answer && !clock_.over(BootClock::now());
}

void HttpChannel::Reading::end() {
  if (streamed_) {
    sse_.finish([this](const net::SseEvent& event) { take_event(event); });
    note_place();
  } else if (!whole_.empty()) {
    take_text(std::exchange(whole_, {}));
  }
}

Error HttpChannel::Reading::too_much() const {
  return Error(errc::limit,
               fmt::format("an answer over the limit of {} bytes (MCP_OUTPUT_LIMIT_KB)",
                           channel_.options_.message_bytes_max));
}

std::chrono::milliseconds HttpChannel::Reading::retry() const {
  return std::clamp(retry_.value_or(kRetryUnasked), kRetryMin, kRetryMax);
}

void HttpChannel::Reading::note_place() {
  if (!sse_.last_id().empty()) last_event_id = sse_.last_id();
  if (sse_.retry()) retry_ = sse_.retry();
}

void HttpChannel::Reading::take_event(const net::SseEvent& event) {
  const bool ours = event.event.empty() || event.event == "message";
  if (ours && !event.data.empty()) take_text(event.data);
}

void HttpChannel::Reading::take_text(std::string_view text) {
  for (auto& read : read_messages(channel_.without_credentials(text))) {
    if (!read.message) {
      channel_.count_unasked(text.size());
      if (channel_.invalid_.allow(BootClock::now()))
        channel_.log_.warning("mcp_message_invalid", {{"fault", read.fault}});
    } else if (read.message->is_answer()) {
      take_answer(*std::move(read.message));
    } else {
      channel_.count_unasked(text.size());
      take_other(*read.message);
    }
  }
}

void HttpChannel::Reading::take_answer(Message message) {
  // An error may lack the id of a request that could not be read.
  const bool ours =
      message.id == id_ || (message.kind == Message::Kind::error && message.id.is_null());
  if (ours && !answer) {
    channel_.flood_.answered();
    answer = std::move(message);
    return;
  }
  channel_.count_unasked(0);
  if (channel_.mismatched_.allow(BootClock::now())) {
    channel_.log_.warning("mcp_id_mismatch",
                          {{"id", clean_text(utf8_prefix(shown_id(message.id), kShownBytes))}});
  }
}

void HttpChannel::Reading::take_other(const Message& message) {
  if (message.method == "notifications/progress" &&
      int_field(json::value(message.params), "progressToken") == id_) {
    clock_.progressed(BootClock::now());
    if (on_progress_) on_progress_(message);
  }
  channel_.take(message);
}

}  // namespace botburrow::mcp
