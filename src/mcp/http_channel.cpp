#include "mcp/http_channel.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "mcp/request_headers.hpp"
#include "mcp/revisions.hpp"
#include "mcp/tool_list.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kAsideTime = 5s;     // for what nobody waits for
constexpr auto kRetryUnasked = 1s;  // where a server names no time to come back
constexpr auto kListenPauseMax = 60s;
constexpr auto kListenTime = 24h;
constexpr std::size_t kShownBytes = 300;
constexpr std::size_t kSessionBytesMax = 1024;

bool starts_with_type(const net::HttpHeaders& headers, std::string_view type) {
  return std::ranges::any_of(headers, [&](const auto& header) {
    return header.first == "content-type" && header.second.starts_with(type);
  });
}

bool is_visible(std::string_view text) {
  return !text.empty() && text.size() <= kSessionBytesMax &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e; });
}

std::string first_words(std::string_view body) {
  std::string text = clean_text(utf8_prefix(body, kShownBytes));
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return text;
}

Error status_error(int status, std::string_view body) {
  const auto words = first_words(body);
  std::string text =
      fmt::format("the server answers HTTP {}{}{}", status, words.empty() ? "" : ": ", words);
  if (status == 401 || status == 403) {
    text += fmt::format("; it wants another credential (registry: `credential`)");
  }
  Error error(errc::http_status, text, status >= 500 ? Retry::after_backoff : Retry::never);
  return error.with_status(status);
}

}  // namespace

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

  void begin(const net::HttpHeaders& headers) {
    streamed_ = starts_with_type(headers, "text/event-stream");
    whole_.clear();
    sse_ = net::SseParser(channel_.options_.message_bytes_max);
  }

  /// False once the exchange is over: answered, or out of time.
  bool feed(std::string_view bytes) {
    total_ += bytes.size();
    if (total_ > channel_.options_.stream_bytes_max) throw too_much();
    if (!streamed_) {
      if (whole_.size() + bytes.size() > channel_.options_.message_bytes_max) throw too_much();
      whole_ += bytes;
      return true;
    }
    sse_.feed(bytes, [this](const net::SseEvent& event) { take_event(event); });
    note_place();
    return !answer && !clock_.over(BootClock::now());
  }

  void end() {
    if (streamed_) {
      sse_.finish([this](const net::SseEvent& event) { take_event(event); });
      note_place();
    } else if (!whole_.empty()) {
      take_text(std::exchange(whole_, {}));
    }
  }

  const CallClock& clock() const { return clock_; }
  std::chrono::milliseconds retry() const {
    return retry_.value_or(std::chrono::milliseconds(kRetryUnasked));
  }
  bool streamed() const { return streamed_; }

  std::optional<Message> answer;
  std::string last_event_id;

 private:
  Error too_much() const {
    return Error(errc::limit,
                 fmt::format("an answer over the limit of {} bytes (MCP_OUTPUT_LIMIT_KB)",
                             channel_.options_.message_bytes_max));
  }

  void note_place() {
    if (!sse_.last_id().empty()) last_event_id = sse_.last_id();
    if (sse_.retry()) retry_ = sse_.retry();
  }

  void take_event(const net::SseEvent& event) {
    const bool ours = event.event.empty() || event.event == "message";
    if (ours && !event.data.empty()) take_text(event.data);
  }

  void take_text(std::string_view text) {
    for (auto& read : read_messages(text)) {
      if (!read.message) {
        channel_.log_.warning("mcp_message_invalid", {{"fault", read.fault}});
      } else if (read.message->is_answer()) {
        take_answer(*std::move(read.message));
      } else {
        take_other(*read.message);
      }
    }
  }

  void take_answer(Message message) {
    // An error may lack the id of a request that could not be read.
    const bool ours =
        message.id == id_ || (message.kind == Message::Kind::error && message.id.is_null());
    if (ours && !answer) {
      answer = std::move(message);
    } else {
      channel_.log_.warning("mcp_id_mismatch",
                            {{"id", clean_text(utf8_prefix(shown_id(message.id), kShownBytes))}});
    }
  }

  void take_other(const Message& message) {
    if (message.method == "notifications/progress" &&
        int_field(json::value(message.params), "progressToken") == id_) {
      clock_.progressed(BootClock::now());
      if (on_progress_) on_progress_(message);
    }
    channel_.take(message);
  }

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

struct HttpChannel::Came {
  net::HttpResponse response;
  std::optional<Error> failure;  ///< the connection's
};

/// Tells a server of the older era that nobody waits any more, unless the answer came: there, a
/// closed connection means nothing.
class HttpChannel::Withdrawal {
 public:
  Withdrawal(HttpChannel& channel, std::int64_t id, bool wanted)
      : channel_(channel), id_(id), wanted_(wanted) {}
  ~Withdrawal() {
    if (!wanted_ || channel_.closed_ || channel_.modern()) return;
    auto text =
        notification_text("notifications/cancelled",
                          {{"requestId", id_}, {"reason", "nobody waits for the answer any more"}});
    channel_.tasks_.spawn("mcp cancelled", [&channel = channel_, text = std::move(text)] {
      return channel.post_and_forget(text);
    });
  }
  Withdrawal(const Withdrawal&) = delete;
  void not_needed() { wanted_ = false; }

 private:
  HttpChannel& channel_;
  std::int64_t id_;
  bool wanted_;
};

HttpChannel::HttpChannel(asio::any_io_executor executor, net::HttpClient& http, Options options,
                         Log log)
    : executor_(executor),
      http_(http),
      options_(std::move(options)),
      log_(std::move(log)),
      tasks_(executor) {}

HttpChannel::~HttpChannel() = default;

bool HttpChannel::modern() const {
  return revision_.empty() || revision_ == kModern;
}

net::HttpHeaders HttpChannel::headers_for(std::string_view method,
                                          const json::object& params) const {
  // Routers may read the message's method and name off these; older servers pass them over.
  auto headers = standard_headers(method, params);
  if (modern() && method != "initialize") {
    headers.emplace_back("MCP-Protocol-Version", std::string(kModern));
  } else if (method != "initialize") {
    headers.emplace_back("MCP-Protocol-Version", revision_);
  }
  return headers;
}

net::HttpRequest HttpChannel::post_request(std::string text, net::HttpHeaders headers) const {
  net::HttpRequest request{.method = "POST", .url = options_.url, .body = std::move(text)};
  request.headers = {{"Content-Type", "application/json"},
                     {"Accept", "application/json, text/event-stream"}};
  for (auto& header : headers)
    request.headers.push_back(std::move(header));
  for (const auto& [name, value] : options_.headers)
    request.headers.emplace_back(name, value.reveal());
  if (!session_.empty()) request.headers.emplace_back("Mcp-Session-Id", session_);
  request.redirects_max = 0;
  return request;
}

net::HttpRequest HttpChannel::get_request(const std::string& last_event_id) const {
  auto request = post_request("", headers_for("", {}));
  request.method = "GET";
  std::erase_if(request.headers, [](const auto& header) {
    return header.first == "Content-Type" || header.first == "Accept";
  });
  request.headers.emplace_back("Accept", "text/event-stream");
  if (!last_event_id.empty()) request.headers.emplace_back("Last-Event-ID", last_event_id);
  return request;
}

Task<HttpChannel::Came> HttpChannel::send(net::HttpRequest request,
                                          std::shared_ptr<Reading> reading, Deadline deadline) {
  request.response_bytes_max = options_.stream_bytes_max + 1;
  request.total_timeout =
      std::chrono::ceil<std::chrono::milliseconds>(deadline.left()) + std::chrono::milliseconds(1);
  request.on_head = [reading](const net::HttpResponse& head) { reading->begin(head.headers); };
  request.on_body = [reading](std::string_view bytes) { return reading->feed(bytes); };
  Came came;
  try {
    came.response = co_await http_.send(std::move(request), deadline);
    reading->end();
  } catch (const Error& error) {
    came.failure = error;
  }
  co_return came;
}

Message HttpChannel::answer_of(const Came& came, Reading& reading) {
  if (reading.answer) return *std::move(reading.answer);
  if (reading.clock().over(BootClock::now()))
    throw Error(errc::timeout, "no answer in time", Retry::after_backoff);
  if (came.failure) {
    const auto& failure = *came.failure;
    if (failure.code() == errc::http_unavailable) {
      Error gone(errc::mcp_unavailable, failure.message(), Retry::after_backoff);
      throw gone.with_detail(failure.detail());
    }
    throw Error(failure);
  }
  const auto& response = came.response;
  if (response.status == 404 && !session_.empty()) {
    ended_ = true;
    Error gone(errc::mcp_unavailable, "the server has ended our session", Retry::after_backoff);
    throw gone.with_detail("not_sent");
  }
  if (response.status == 401 || response.status == 403)
    throw status_error(response.status, response.body);
  if (!response.ok()) {
    const auto read = read_message(response.body);
    if (read.message && read.message->kind == Message::Kind::error) return *read.message;
    throw status_error(response.status, response.body);
  }
  if (!reading.streamed()) {
    throw Error(errc::protocol,
                fmt::format("the server answers HTTP {} without a message", response.status));
  }
  throw Error(errc::mcp_unavailable, "the stream of the answer ended before the answer",
              Retry::after_backoff);
}

// A stream that broke off goes on where it was, if the server marked the place.
Task<Message> HttpChannel::resume(std::shared_ptr<Reading> reading) {
  for (;;) {
    const auto end = Deadline::at(reading->clock().end());
    const auto pause = std::min<std::chrono::nanoseconds>(reading->retry(), end.left());
    co_await sleep_for(pause);
    auto request = get_request(reading->last_event_id);
    request.idle_timeout = std::chrono::ceil<std::chrono::milliseconds>(end.left());
    const auto before = reading->last_event_id;
    const auto came = co_await send(std::move(request), reading, end);
    const bool goes_on = !reading->answer && !end.passed() &&
                         (came.failure || (came.response.ok() && reading->streamed()));
    if (!goes_on) co_return answer_of(came, *reading);
  }
}

Task<Message> HttpChannel::exchange(Exchange request) {
  if (ended_ || closed_) {
    Error gone(errc::mcp_unavailable, "the connection to the server was ended",
               Retry::after_backoff);
    throw gone.with_detail("not_sent");
  }
  auto headers = headers_for(request.method, request.params);
  for (auto& header : request.headers)
    headers.push_back(std::move(header));
  auto http =
      post_request(request_text(request.id, request.method, request.params), std::move(headers));
  http.idle_timeout = std::chrono::ceil<std::chrono::milliseconds>(request.times.quiet_max);
  const auto reading =
      std::make_shared<Reading>(*this, request.id, request.times, std::move(request.on_progress));
  const auto hard_end = request.times.deadline.sooner_of(request.times.total_max);
  Withdrawal withdrawal(*this, request.id, request.cancellable);
  const auto came = co_await send(std::move(http), reading, hard_end);
  if (request.method == "initialize") {
    const auto session = came.response.header("mcp-session-id");
    if (session && is_visible(*session)) session_ = *session;
  }
  const bool broke_off = !reading->answer && !modern() && !reading->last_event_id.empty() &&
                         (came.failure || came.response.ok()) &&
                         !reading->clock().over(BootClock::now());
  // Answered, refused or broken: only one who might still work is told to stop.
  if (!broke_off && !reading->clock().over(BootClock::now())) withdrawal.not_needed();
  auto answer = broke_off ? co_await resume(reading) : answer_of(came, *reading);
  withdrawal.not_needed();
  co_return answer;
}

Task<> HttpChannel::notify(std::string method, json::object params) {
  auto headers = headers_for(method, params);
  auto request = post_request(notification_text(method, std::move(params)), std::move(headers));
  const auto response = co_await http_.send(std::move(request), Deadline::in(kAsideTime * 2));
  if (!response.ok()) throw status_error(response.status, response.body);
}

Task<> HttpChannel::post_and_forget(std::string text) {
  // It may have been asked for while the body of another exchange is being read, where nothing new
  // can be sent.
  co_await yield_once();
  auto request = post_request(std::move(text), headers_for("", {}));
  try {
    co_await http_.send(std::move(request), Deadline::in(kAsideTime));
  } catch (const Error& error) {
    log_.debug("mcp_message_not_delivered", {{"error", error.message()}});
  }
}

void HttpChannel::take(const Message& message) {
  if (message.kind == Message::Kind::notification) return listener_->heard(message);
  if (modern() || closed_) return;  // Servers of this era ask nothing.
  tasks_.spawn("mcp answer",
               [this, text = listener_->answer(message)] { return post_and_forget(text); });
}

void HttpChannel::listen_for_changes(std::int64_t id, json::object params) {
  tasks_.spawn("mcp changes",
               [this, id, params = std::move(params)] { return listen(id, params); });
}

Task<HttpChannel::Stream> HttpChannel::listen_once(std::shared_ptr<Reading> reading,
                                                   std::int64_t id, json::object params) {
  auto request = modern() ? post_request(request_text(id, "subscriptions/listen", params),
                                         headers_for("subscriptions/listen", params))
                          : get_request(reading->last_event_id);
  const auto came = co_await send(std::move(request), reading, Deadline::in(kListenTime));
  if (came.failure) co_return Stream::broken;
  // Any refusal is final: a server need not offer the stream.
  const bool offered = came.response.ok() && reading->streamed() && !reading->answer;
  co_return offered ? Stream::ended : Stream::not_offered;
}

Task<> HttpChannel::listen(std::int64_t id, json::object params) {
  const auto reading = std::make_shared<Reading>(
      *this, id, CallTimes{.quiet_max = kListenTime, .total_max = kListenTime}, nullptr);
  std::chrono::nanoseconds pause = kRetryUnasked;
  while (!ended_) {
    const auto stream = co_await listen_once(reading, id, params);
    if (stream == Stream::not_offered) co_return;
    if (stream == Stream::ended) {
      pause = kRetryUnasked;
      co_await sleep_for(reading->retry());
      continue;
    }
    co_await sleep_for(pause);
    pause = std::min<std::chrono::nanoseconds>(pause * 2, kListenPauseMax);
  }
}

namespace {

Task<> end_session(net::HttpClient& http, net::HttpRequest request, Log log) {
  try {
    co_await http.send(std::move(request), Deadline::in(2s));
  } catch (const Error& error) {
    log.debug("mcp_session_not_ended", {{"error", error.message()}});
  }
}

}  // namespace

Task<> HttpChannel::close() {
  if (closed_) co_return;
  closed_ = true;
  co_await tasks_.stop();
  if (session_.empty() || ended_) co_return;
  auto request = get_request("");
  request.method = "DELETE";
  co_await end_session(http_, std::move(request), log_);
}

}  // namespace botburrow::mcp
