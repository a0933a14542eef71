#include "mcp/http_channel.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "mcp/http_reading.hpp"
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

constexpr auto kAsideTime = 5s;       // for what nobody waits for
constexpr auto kWithdrawalTime = 1s;  // what close() may have to wait for
constexpr std::size_t kAsideBytesMax = 64u << 10;
constexpr std::size_t kAsideTasksMax = 16;
constexpr auto kListenPauseMax = 60s;
constexpr auto kListenTime = 24h;
constexpr std::size_t kShownBytes = 300;
constexpr std::size_t kSessionBytesMax = 1024;
constexpr auto kLinePeriod = 10s;

bool is_visible(std::string_view text) {
  return !text.empty() && text.size() <= kSessionBytesMax &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e; });
}

std::string first_words(std::string_view body) {
  std::string text = clean_text(utf8_prefix(body, kShownBytes));
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return text;
}

bool is_stream(const net::HttpResponse& response) {
  return response.ok() && has_type(response.headers, "text/event-stream");
}

/// Shorter ones would tear up ordinary words.
constexpr std::size_t kSecretBytesMin = 8;
constexpr std::string_view kSecretMark = "[secret removed]";

/// What must not come back to us: the values of headers, and what stands behind "Bearer ".
std::vector<Secret> kept_back(const std::vector<std::pair<std::string, Secret>>& headers) {
  std::vector<Secret> out;
  const auto add = [&](std::string_view text) {
    if (text.size() >= kSecretBytesMin) out.emplace_back(std::string(text));
  };
  for (const auto& [name, value] : headers) {
    const std::string_view text = value.reveal();
    add(text);
    const auto blank = text.rfind(' ');
    if (blank != std::string_view::npos) add(text.substr(blank + 1));
  }
  return out;
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

/// An answer that may come on another connection: the connection failed, not what was said on it.
bool broke_off(const Error& failure) {
  return failure.code() == errc::http_unavailable || failure.code() == errc::timeout;
}

}  // namespace

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
    channel_.withdrawals_.spawn("mcp cancelled", [&channel = channel_, text = std::move(text)] {
      return channel.post_and_forget(text, kWithdrawalTime);
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
      kept_back_(kept_back(options_.headers)),
      flood_(options_.flood),
      invalid_(kLinePeriod),
      mismatched_(kLinePeriod),
      withdrawals_(executor),
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
  request.refusal_bytes_max = options_.message_bytes_max;
  request.total_timeout =
      std::chrono::ceil<std::chrono::milliseconds>(deadline.left()) + std::chrono::milliseconds(1);
  request.on_head = [reading](const net::HttpResponse& head) { reading->begin(head.headers); };
  request.on_body = [reading](std::string_view bytes) { return reading->feed(bytes); };
  Came came;
  try {
    came.response = co_await http_.send(std::move(request), deadline);
    came.response.body = without_credentials(came.response.body);
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

// A stream that broke off goes on where it was, if the server marked the place. It was begun, so
// the request has arrived: whatever ends this without an answer leaves open what came of it.
Task<Message> HttpChannel::resume(std::shared_ptr<Reading> reading, Deadline hard_end) {
  for (;;) {
    const auto quiet_end = Deadline::at(reading->clock().end());
    co_await sleep_for(std::min<std::chrono::nanoseconds>(reading->retry(), quiet_end.left()));
    auto request = get_request(reading->last_event_id);
    request.idle_timeout = std::chrono::ceil<std::chrono::milliseconds>(quiet_end.left()) + 1ms;
    const auto came = co_await send(std::move(request), reading, hard_end);
    if (reading->answer) co_return *std::move(reading->answer);
    if (reading->clock().over(BootClock::now()))
      throw Error(errc::timeout, "no answer in time", Retry::after_backoff);
    if (came.failure && !broke_off(*came.failure)) throw Error(*came.failure);
    const bool goes_on = came.failure || is_stream(came.response);
    if (!goes_on) throw lost(came.response);
  }
}

Error HttpChannel::lost(const net::HttpResponse& refusal) {
  ended_ = ended_ || (refusal.status == 404 && !session_.empty());
  Error error(errc::mcp_unavailable,
              fmt::format("the stream of the answer broke off, and the server does not go on with "
                          "it (HTTP {})",
                          refusal.status),
              Retry::after_backoff);
  return error.with_detail("maybe_sent");
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
  const bool goes_on = !reading->answer && !modern() && !reading->last_event_id.empty() &&
                       (came.failure ? broke_off(*came.failure) : came.response.ok()) &&
                       !reading->clock().over(BootClock::now());
  // Answered, refused or broken: only one who might still work is told to stop.
  if (!goes_on && !reading->clock().over(BootClock::now())) withdrawal.not_needed();
  auto answer = goes_on ? co_await resume(reading, hard_end) : answer_of(came, *reading);
  withdrawal.not_needed();
  co_return answer;
}

Task<> HttpChannel::notify(std::string method, json::object params, Deadline deadline) {
  auto headers = headers_for(method, params);
  auto request = post_request(notification_text(method, std::move(params)), std::move(headers));
  request.response_bytes_max = kAsideBytesMax;
  const auto response = co_await http_.send(std::move(request), deadline.sooner_of(kAsideTime * 2));
  if (!response.ok()) throw status_error(response.status, without_credentials(response.body));
}

// A server may say back what we sent it, and what it says is shown, logged and kept.
std::string HttpChannel::without_credentials(std::string_view text) const {
  std::string out(text);
  for (const auto& secret : kept_back_) {
    const auto& value = secret.reveal();
    for (auto at = out.find(value); at != std::string::npos; at = out.find(value, at)) {
      out.replace(at, value.size(), kSecretMark);
      at += kSecretMark.size();
    }
  }
  return out;
}

Task<> HttpChannel::post_and_forget(std::string text, std::chrono::nanoseconds time) {
  // It may have been asked for while the body of another exchange is being read, where nothing new
  // can be sent.
  co_await yield_once();
  auto request = post_request(std::move(text), headers_for("", {}));
  request.response_bytes_max = kAsideBytesMax;
  try {
    co_await http_.send(std::move(request), Deadline::in(time));
  } catch (const Error& error) {
    log_.debug("mcp_message_not_delivered", {{"error", error.message()}});
  }
}

void HttpChannel::count_unasked(std::size_t bytes) {
  if (flood_.unasked(bytes)) return;
  ended_ = true;
  throw Error(errc::mcp_unavailable, "the server floods: it says too much that nobody asked for",
              Retry::after_backoff);
}

void HttpChannel::take(const Message& message) {
  if (message.kind == Message::Kind::notification) return listener_->heard(message);
  if (modern() || closed_) return;  // Servers of this era ask nothing.
  // One that asks faster than it takes answers gets none.
  if (tasks_.size() > kAsideTasksMax) return;
  tasks_.spawn("mcp answer", [this, text = listener_->answer(message)] {
    return post_and_forget(text, kAsideTime);
  });
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
  co_return is_stream(came.response) && !reading->answer ? Stream::ended : Stream::not_offered;
}

Task<> HttpChannel::listen(std::int64_t id, json::object params) {
  std::string place;
  std::chrono::nanoseconds pause = kRetryUnasked;
  while (!ended_) {
    // What one stream may bring is no limit of all of them.
    const auto reading = std::make_shared<Reading>(
        *this, id, CallTimes{.quiet_max = kListenTime, .total_max = kListenTime}, nullptr);
    reading->last_event_id = place;
    const auto stream = co_await listen_once(reading, id, params);
    if (stream == Stream::not_offered) co_return;
    place = reading->last_event_id;
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
  // A server that was told nothing would go on working for nobody.
  co_await withdrawals_.join();
  co_await tasks_.stop();
  if (session_.empty() || ended_) co_return;
  auto request = get_request("");
  request.method = "DELETE";
  co_await end_session(http_, std::move(request), log_);
}

}  // namespace botburrow::mcp
