#include "base/json.hpp"
#include "net/http_connection_parts.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace botburrow::net {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

constexpr auto kHalfClosedTime = std::chrono::milliseconds(200);
constexpr auto kPeerCheckPeriod = std::chrono::milliseconds(250);
constexpr int kClientClosedRequest = 499;
constexpr std::size_t kLargeAnswer = 64 * 1024;

}  // namespace

/// Sends a head with the first write, then pieces; chunked where the peer knows that.
class HttpConnection::Stream final : public ResponseStream {
 public:
  Stream(HttpConnection& connection, Incoming& incoming)
      : connection_(connection), incoming_(incoming) {}

  Task<> write(std::string bytes) override {
    BB_ASSERT(!instead_);
    std::string out;
    if (!head_sent_) {
      out = head();
      head_sent_ = true;
      connection_.streaming_ = true;
    }
    if (incoming_.http_1_0) {
      out += bytes;
    } else if (!bytes.empty()) {
      out += fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
    }
    if (out.empty()) co_return;
    const bool written = co_await connection_.write_all(std::move(out));
    if (!written) throw Error(errc::http_unavailable, "the peer of a streamed answer is gone");
  }

  void answer(ServerResponse response) override {
    BB_ASSERT(!head_sent_);
    instead_ = std::move(response);
  }

  bool head_sent() const { return head_sent_; }
  std::optional<ServerResponse> take_instead() { return std::exchange(instead_, std::nullopt); }

  /// What ends a complete stream.
  std::string last_bytes() {
    std::string out = head_sent_ ? "" : head();
    if (!incoming_.http_1_0) out += "0\r\n\r\n";
    return out;
  }

 private:
  std::string head() {
    ServerResponse response = ServerResponse::text(200, "", incoming_.route->content_type);
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.headers.emplace_back("X-Accel-Buffering", "no");
    for (const auto& filter : connection_.core_.after)
      filter(incoming_.request, response);
    return response_head(response, {.http_1_0 = incoming_.http_1_0,
                                    .keep_alive = incoming_.keep_alive && !incoming_.http_1_0,
                                    .chunked = !incoming_.http_1_0,
                                    .content_length = std::string::npos,
                                    .server_name = connection_.core_.options.server_name,
                                    .date = connection_.core_.date()});
  }

  HttpConnection& connection_;
  Incoming& incoming_;
  std::optional<ServerResponse> instead_;
  bool head_sent_ = false;
};

namespace {

/// Cancellation of every kind reaches `work`.
template <class T>
Task<T> cancellable(Task<T> work) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_return co_await std::move(work);
}

}  // namespace

Task<bool> HttpConnection::serve_handler(Incoming& incoming, std::string body) {
  no_limit();
  auto executor = co_await asio::this_coro::executor;
  auto work = answer(incoming.request, std::move(body), *incoming.route);
  auto group = asio::experimental::make_parallel_group(
      asio::co_spawn(executor, cancellable(std::move(work)), asio::deferred),
      asio::co_spawn(executor, cancellable(peer_left()), asio::deferred));
  auto [order, failure, response, watch_failure] =
      co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
  // What follows is bounded by its own time, and is owed even when the server stops.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const bool stopped = cancelled != asio::cancellation_type::none;
  if (failure && order[0] == 1 && !stopped) {
    observe(incoming, kClientClosedRequest);
    co_return false;
  }
  if (failure && stopped) {
    response = ServerResponse::problem(503, "stopping", "the server is stopping; try again");
  } else if (failure) {
    response = failure_response(incoming.request, failure);
  }
  const bool keep_alive = incoming.keep_alive && !core_.stopping;
  const bool sent = co_await send_response(incoming, std::move(response), keep_alive);
  if (sent && keep_alive) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_return true;
  }
  const bool unread = buffer_.size() > 0 || look_at_peer() == Peer::sent_more;
  if (sent && unread) co_await linger();
  co_return false;
}

std::optional<ServerResponse> HttpConnection::filtered(ServerRequest& request) const {
  for (const auto& filter : core_.before) {
    if (auto response = filter(request)) return response;
  }
  return std::nullopt;
}

/// Filters and handler; throws only cancellations.
Task<ServerResponse> HttpConnection::answer(const ServerRequest& request, std::string body,
                                            const ServerCore::Route& route) {
  std::exception_ptr failure;
  try {
    ServerRequest given = request;
    given.body = std::move(body);
    if (auto instead = filtered(given)) co_return std::move(*instead);
    if (!route.handler)
      co_return ServerResponse::text(200, "", route.content_type);  // HEAD of a stream
    co_return co_await route.handler(std::move(given));
  } catch (...) {
    failure = std::current_exception();
  }
  const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
  if (cancelled != asio::cancellation_type::none && is_cancellation(failure))
    std::rethrow_exception(failure);
  co_return failure_response(request, failure);
}

ServerResponse HttpConnection::failure_response(const ServerRequest& request,
                                                std::exception_ptr failure) const {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    if (core_.on_error) return core_.on_error(request, error);
    core_.log.error("http_handler_failed", {{"route", request.route},
                                            {"method", request.method},
                                            {"error", error.message()},
                                            {"error_type", name_of(error.code())}});
    return ServerResponse::problem(500, name_of(error.code()), error.message());
  } catch (...) {
    core_.log.error(
        "http_handler_failed",
        {{"route", request.route}, {"method", request.method}, {"error", describe(failure)}});
    return ServerResponse::problem(500, "internal", "internal error");
  }
}

Task<bool> HttpConnection::serve_stream(Incoming& incoming, std::string body) {
  no_limit();
  // What somebody subscribes to. A POST that is answered by a stream is an answer like others.
  if (incoming.request.method == "GET") {
    if (!core_.place_for_stream(*this)) {
      auto full = ServerResponse::problem(503, "overloaded",
                                          "too many event streams are open; try again later");
      full.headers.emplace_back("Retry-After", "5");
      co_return co_await send_response(incoming, std::move(full), incoming.keep_alive) &&
          incoming.keep_alive;
    }
    turn_to(Occupant::Doing::streams);
  }
  Stream out(*this, incoming);
  auto executor = co_await asio::this_coro::executor;
  auto work = stream(incoming.request, std::move(body), *incoming.route, out);
  auto group = asio::experimental::make_parallel_group(
      asio::co_spawn(executor, cancellable(std::move(work)), asio::deferred),
      asio::co_spawn(executor, cancellable(peer_left()), asio::deferred));
  auto [order, failure, instead, watch_failure] =
      co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  streaming_ = false;
  const bool stopped = core_.stopping;
  if (write_failed_ || (failure && order[0] == 1 && !stopped)) {
    observe(incoming, kClientClosedRequest);
    co_return false;
  }
  if (failure && !out.head_sent()) {
    instead = stopped
                  ? ServerResponse::problem(503, "stopping", "the server is stopping; try again")
                  : failure_response(incoming.request, failure);
  } else if (failure && !stopped) {
    failure_response(incoming.request, failure);  // for its log line only
    observe(incoming, 200);
    co_return false;  // without its last chunk: what broke off must not look complete
  }
  bool keep_alive = incoming.keep_alive && !stopped;
  bool sent = false;
  if (instead) {
    sent = co_await send_response(incoming, std::move(*instead), keep_alive);
  } else {
    observe(incoming, 200);
    keep_alive = keep_alive && !incoming.http_1_0;
    sent = co_await write_all(out.last_bytes());
  }
  if (!sent || !keep_alive) co_return false;
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_return true;
}

/// Filters and handler of a stream; the answer instead of the stream, if one of them gives one.
Task<std::optional<ServerResponse>> HttpConnection::stream(const ServerRequest& request,
                                                           std::string body,
                                                           const ServerCore::Route& route,
                                                           Stream& out) {
  ServerRequest given = request;
  given.body = std::move(body);
  auto instead = filtered(given);
  if (instead) co_return instead;
  co_await route.stream(std::move(given), out);
  co_return out.take_instead();
}

/// Returns once nobody waits for the answer any more, or stop_soon() ended a stream.
///
/// Only looks at the socket: what the peer sent ahead stays there for the next request.
Task<> HttpConnection::peer_left() {
  Peer peer = Peer::quiet;
  while (peer == Peer::quiet) {
    const auto [error] = co_await socket_.async_wait(asio::ip::tcp::socket::wait_read, kTuple);
    if (error || (ending_ && streaming_)) co_return;
    peer = look_at_peer();
  }
  // Behind bytes not yet taken, the end of the stream shows only in the connection's state.
  while (peer == Peer::sent_more) {
    co_await sleep_for(kPeerCheckPeriod);
    if (ending_ && streaming_) co_return;
    tcp_info info{};
    socklen_t size = sizeof info;
    const bool known =
        getsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
    if (!known || info.tcpi_state != TCP_ESTABLISHED) peer = Peer::closed_its_side;
  }
  // Some clients close their sending side and still read: a quick answer reaches them.
  if (peer == Peer::closed_its_side) co_await sleep_for(kHalfClosedTime);
}

HttpConnection::Peer HttpConnection::look_at_peer() {
  char byte = 0;
  const ssize_t count = recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count > 0) return Peer::sent_more;
  if (count == 0) return Peer::closed_its_side;
  return errno == EAGAIN || errno == EINTR ? Peer::quiet : Peer::gone;
}

Task<bool> HttpConnection::send_response(Incoming& incoming, ServerResponse response,
                                         bool keep_alive) {
  // Whoever takes answers slowly must not fill the memory with them.
  if (response.body.size() > kLargeAnswer &&
      core_.unsent_bytes + response.body.size() > core_.options.unsent_bytes_max) {
    response = ServerResponse::problem(503, "overloaded",
                                       "too many answers wait to be taken; try again later");
    response.headers.emplace_back("Retry-After", "5");
  }
  for (const auto& filter : core_.after)
    filter(incoming.request, response);
  observe(incoming, response.status);
  std::string bytes = response_head(response, {.http_1_0 = incoming.http_1_0,
                                               .keep_alive = keep_alive,
                                               .content_length = response.body.size(),
                                               .server_name = core_.options.server_name,
                                               .date = core_.date()});
  if (!incoming.head && has_body(response.status)) bytes += response.body;
  response = {};
  co_return co_await write_all(std::move(bytes));
}

}  // namespace botburrow::net
