#include "net/http_connection.hpp"

#include "base/json.hpp"
#include "net/http_connection_parts.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace botburrow::net {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kReadBytes = 4 * 1024;
constexpr std::size_t kBodyReadBytes = 16 * 1024;
constexpr std::size_t kBufferMax = 128 * 1024;
constexpr std::size_t kLargeBody = 16 * 1024;
constexpr std::size_t kLingerBytesMax = 4 << 20;
constexpr auto kLingerTime = std::chrono::seconds(1);
constexpr auto kLastWordTime = std::chrono::seconds(1);

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view view_of(const boost::beast::flat_buffer& buffer) {
  return {static_cast<const char*>(buffer.cdata().data()), buffer.size()};
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

const std::string& ServerCore::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    date_ = http_date(now);
  }
  return date_;
}

HttpConnection::HttpConnection(ServerCore& core, asio::ip::tcp::socket socket)
    : core_(core), socket_(std::move(socket)), timer_(socket_.get_executor()), buffer_(kBufferMax) {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto endpoint = socket_.remote_endpoint(ignored);
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  peer_address_ = address.to_string();
  turn_to(Occupant::Doing::waits);
  peer_is_loopback_ = address.is_loopback();
}

Task<> HttpConnection::run() {
  try {
    while (co_await serve_one()) {
    }
  } catch (...) {
    // Cancelled while it waited: nobody is owed an answer. Anything else is a filter's or
    // observer's.
    const auto failure = std::current_exception();
    if (!is_cancellation(failure))
      core_.log.error("http_connection_failed", {{"error", describe(failure)}});
  }
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

Task<> HttpConnection::refuse() {
  Incoming incoming;
  incoming.began = steady_clock::now();
  auto response =
      ServerResponse::problem(503, "overloaded", "too many connections; try again later");
  response.headers.emplace_back("Retry-After", "1");
  co_await send_response(incoming, std::move(response), false);
  co_await linger();
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void HttpConnection::stop_soon() {
  ending_ = true;
  if (idle_ || streaming_) {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
}

void HttpConnection::hurry() {
  if (deadline_ != steady_clock::time_point::max()) limit(kLastWordTime);
}

void HttpConnection::give_way() {
  doing_ = Occupant::Doing::leaves;
  ending_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void HttpConnection::turn_to(Occupant::Doing doing) {
  if (doing_ == Occupant::Doing::leaves) return;
  doing_ = doing;
  since_ = steady_clock::now();
}

Occupant HttpConnection::occupant() const {
  return {.peer = peer_address_, .doing = doing_, .since = since_, .stuck_since = writes_since_};
}

bool HttpConnection::has_unread() {
  return buffer_.size() == 0 && look_at_peer() == Peer::sent_more;
}

/// One request and its answer; false ends the connection.
Task<bool> HttpConnection::serve_one() {
  turn_to(Occupant::Doing::waits);
  Incoming incoming;
  std::optional<Fault> fault = co_await read_head(incoming);
  if (!fault) fault = take_head(incoming);
  if (!fault) fault = find_route(incoming);
  if (!fault) fault = co_await read_body(incoming);
  if (fault) {
    if (fault->status == 0) co_return false;
    auto response = incoming.refusal
                        ? *std::move(incoming.refusal)
                        : ServerResponse::problem(fault->status, fault->code, fault->text);
    if (!incoming.allowed.empty()) response.headers.emplace_back("Allow", joined(incoming.allowed));
    // After 404 and 405 the next request can be found: the body is there, or there was none.
    const bool whole =
        incoming.parser && incoming.parser->is_header_done() && incoming.parser->is_done();
    const bool keep =
        whole && incoming.keep_alive && (fault->status == 404 || fault->status == 405);
    const bool sent = co_await send_response(incoming, std::move(response), keep);
    if (sent && !keep) co_await linger();
    co_return sent&& keep;
  }
  turn_to(Occupant::Doing::answers);
  std::string body = std::move(incoming.parser->get().body());
  incoming.parser.reset();
  if (buffer_.size() == 0 && buffer_.capacity() > 2 * kReadBytes) buffer_.shrink_to_fit();
  if (incoming.route->stream && !incoming.head)
    co_return co_await serve_stream(incoming, std::move(body));
  co_return co_await serve_handler(incoming, std::move(body));
}

/// What to say when bytes ended: status 0 where nothing can be said.
std::optional<HttpConnection::Fault> HttpConnection::cut_short() const {
  if (!timed_out_) return Fault{0, "", ""};
  return Fault{408, "request_timeout", "the request did not arrive in time"};
}

Task<std::optional<HttpConnection::Fault>> HttpConnection::read_head(Incoming& incoming) {
  HeadScanner scanner;
  limit(core_.options.idle_timeout);
  bool begun = false;
  for (;;) {
    // Blank lines before a request are left over from the one before.
    while (!begun && buffer_.size() > 0 &&
           (view_of(buffer_).front() == '\r' || view_of(buffer_).front() == '\n')) {
      buffer_.consume(1);
    }
    if (!begun && buffer_.size() > 0) {
      begun = true;
      incoming.began = steady_clock::now();
      limit_until(incoming.began + core_.options.read_timeout);
    }
    switch (scanner.look(view_of(buffer_))) {
      case HeadScanner::State::complete:
        co_return std::nullopt;
      case HeadScanner::State::not_http:
        co_return Fault{400, "bad_request", "this is not an HTTP request"};
      case HeadScanner::State::line_too_long:
        co_return Fault{414, "uri_too_long",
                        fmt::format("the request line is over {} bytes", kRequestLineMax)};
      case HeadScanner::State::headers_too_large:
        co_return Fault{431, "headers_too_large",
                        fmt::format("the request's headers are over {} bytes", kHeadersMax)};
      case HeadScanner::State::incomplete:
        break;
    }
    idle_ = !begun;
    if (idle_ && ending_) co_return Fault{0, "", ""};
    const bool more = co_await read_more(kReadBytes);
    idle_ = false;
    if (!more && begun) co_return cut_short();
    if (!more) co_return Fault{0, "", ""};
  }
}

/// The head's bytes made a request.
std::optional<HttpConnection::Fault> HttpConnection::take_head(Incoming& incoming) {
  auto& parser = *incoming.parser;
  parser.header_limit(kRequestLineMax + kHeadersMax + 64);
  parser.body_limit(boost::none);  // checked below, once the route is known
  parser.eager(false);
  boost::system::error_code error;
  buffer_.consume(parser.put(buffer_.data(), error));
  if (error || !parser.is_header_done()) {
    return Fault{400, "bad_request",
                 fmt::format("the request cannot be read: {}", error.message())};
  }
  const auto& message = parser.get();
  auto& request = incoming.request;
  incoming.http_1_0 = message.version() < 11;
  incoming.keep_alive = parser.keep_alive() && !core_.stopping;
  request.method = std::string(message.method_string());
  incoming.head = request.method == "HEAD";
  request.raw_target = std::string(message.target());
  request.peer_address = peer_address_;
  // A proxy on this machine that speaks HTTP/1.0, as nginx does unless told otherwise, says neither
  // for whom it asks nor under which name: whoever that is does not sit at this machine.
  request.peer_is_loopback = peer_is_loopback_ && !incoming.http_1_0;
  for (const auto& field : message) {
    request.headers.emplace_back(
        lower_case({field.name_string().data(), field.name_string().size()}),
        std::string(field.value()));
  }
  if (!incoming.http_1_0 && message.count(http::field::host) != 1) {
    return Fault{400, "bad_request", "an HTTP/1.1 request needs one Host header"};
  }
  // Whoever frames a body another way than a proxy before us does smuggles requests (RFC
  // 9112, 6.1).
  if (message.count(http::field::transfer_encoding) > 0 &&
      (incoming.http_1_0 || message.count(http::field::transfer_encoding) > 1 ||
       lower_case(message[http::field::transfer_encoding]) != "chunked")) {
    return Fault{501, "transfer_encoding", "the only transfer coding answered is chunked"};
  }
  return std::nullopt;
}

std::optional<HttpConnection::Fault> HttpConnection::find_route(Incoming& incoming) const {
  auto& request = incoming.request;
  std::string raw_path;
  std::string query;
  if (!split_target(request.raw_target, raw_path, query)) {
    return Fault{400, "bad_request", "the request target is no path; it begins with /"};
  }
  const auto path = decode_path(raw_path);
  if (!path)
    return Fault{400, "bad_request", "the path holds a broken escape or a control character"};
  request.path = *path;
  request.query = parse_query(query);
  auto match = core_.router.find(request.method, raw_path);
  if (match.route) {
    incoming.route = &core_.routes[*match.route];
    request.route = incoming.route->path;
    request.params = std::move(match.params);
    return std::nullopt;
  }
  const std::string shown = valid_utf8(utf8_prefix(request.path, 200));
  if (match.allowed.empty())
    return Fault{404, "not_found", fmt::format("there is nothing at {}", shown)};
  incoming.allowed = std::move(match.allowed);
  return Fault{405, "method_not_allowed",
               fmt::format("{} does not answer {}; it answers {}", shown, request.method,
                           joined(incoming.allowed))};
}

Task<std::optional<HttpConnection::Fault>> HttpConnection::read_body(Incoming& incoming) {
  auto& parser = *incoming.parser;
  const std::size_t bytes_max =
      incoming.route->body_bytes_max.value_or(core_.options.body_bytes_max);
  const Fault too_large{413, "payload_too_large",
                        fmt::format("the body is over {} bytes", bytes_max)};
  const auto length = parser.content_length();
  if (length && *length > bytes_max) co_return too_large;
  if (parser.is_done()) co_return std::nullopt;
  if (length && *length > kLargeBody) {
    if (auto refused = co_await ask_for_large_body(incoming)) co_return refused;
  }
  parser.body_limit(bytes_max);
  parser.eager(true);
  const bool waits = lower_case(incoming.request.header("expect").value_or("")) == "100-continue";
  if (waits && buffer_.size() == 0 && !incoming.http_1_0) {
    const bool sent = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return Fault{0, "", ""};
    limit_until(incoming.began + core_.options.read_timeout);
  }
  bool asked = length.has_value();
  HeldBytes held(core_.receiving_bytes);
  for (;;) {
    boost::system::error_code error;
    if (buffer_.size() > 0) buffer_.consume(parser.put(buffer_.data(), error));
    if (error == http::error::body_limit) co_return too_large;
    const std::size_t received = parser.get().body().size();
    held.hold(received);
    if (received > kLargeBody && core_.receiving_bytes > core_.options.receiving_bytes_max)
      co_return Fault{503, "overloaded", "too many large requests at once; try again later"};
    if (received > kLargeBody && !asked) {
      asked = true;
      if (auto refused = co_await ask_for_large_body(incoming)) co_return refused;
    }
    if (error && error != http::error::need_more) {
      co_return Fault{400, "bad_request",
                      fmt::format("the body cannot be read: {}", error.message())};
    }
    if (parser.is_done()) co_return std::nullopt;
    if (buffer_.size() > kHeadersMax)
      co_return Fault{400, "bad_request", "a chunk's head or trailer is too large"};
    const bool more = co_await read_more(kBodyReadBytes);
    if (!more) co_return cut_short();
  }
}

Task<std::optional<HttpConnection::Fault>> HttpConnection::ask_for_large_body(Incoming& incoming) {
  if (!core_.before_large_body) co_return std::nullopt;
  incoming.refusal = co_await core_.before_large_body(incoming.request);
  if (!incoming.refusal) co_return std::nullopt;
  co_return Fault{incoming.refusal->status, "", ""};
}

Task<bool> HttpConnection::read_more(std::size_t bytes) {
  if (timed_out_ || doing_ == Occupant::Doing::leaves) co_return false;
  const auto space = buffer_.prepare(bytes);
  const auto [error, count] = co_await socket_.async_read_some(space, kTuple);
  if (error) co_return false;
  buffer_.commit(count);
  co_return true;
}

Task<bool> HttpConnection::write_all(std::string bytes) {
  std::string_view rest = bytes;
  const HeldBytes unsent(core_.unsent_bytes, bytes.size());
  const auto end = steady_clock::now() + core_.options.write_timeout +
                   std::chrono::seconds(bytes.size() / core_.options.write_bytes_per_second_min);
  while (!rest.empty() && !write_failed_) {
    if (core_.hurry) {
      limit(kLastWordTime);
    } else {
      limit_until(std::min(end, steady_clock::now() + core_.options.write_timeout));
    }
    writes_since_ = steady_clock::now();
    const auto [error, count] = co_await socket_.async_write_some(asio::buffer(rest), kTuple);
    write_failed_ = static_cast<bool>(error);
    rest.remove_prefix(count);
  }
  writes_since_.reset();
  no_limit();
  co_return !write_failed_;
}

/// Lets the peer read what was said last: closing while bytes of its own are on their way would
/// make its kernel throw our answer away.
Task<> HttpConnection::linger() {
  boost::system::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  limit(kLingerTime);
  std::size_t taken = 0;
  while (!error && taken < kLingerBytesMax) {
    buffer_.clear();
    const bool more = co_await read_more(kBodyReadBytes);
    if (!more) break;
    taken += buffer_.size();
  }
  no_limit();
}

void HttpConnection::observe(const Incoming& incoming, int status) const {
  const auto took = steady_clock::now() - incoming.began;
  for (const auto& observer : core_.observers)
    observer(incoming.request, status, took);
}

void HttpConnection::limit(std::chrono::nanoseconds d) {
  limit_until(steady_clock::now() + d);
}

void HttpConnection::limit_until(steady_clock::time_point t) {
  deadline_ = t;
  timed_out_ = false;
  start_timer();
}

/// A timer that fires too early looks again, so that a new limit rarely costs a new timer.
void HttpConnection::start_timer() {
  if (timer_at_ <= deadline_) return;
  timer_at_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->timer_at_ = steady_clock::time_point::max();
    if (steady_clock::now() < self->deadline_) {
      if (self->deadline_ != steady_clock::time_point::max()) self->start_timer();
      return;
    }
    self->timed_out_ = true;
    boost::system::error_code ignored;
    self->socket_.cancel(ignored);
  });
}

}  // namespace botburrow::net
