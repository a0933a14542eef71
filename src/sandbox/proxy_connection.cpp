#include "sandbox/proxy_connection.hpp"

#include "base/cleanup.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/stop.hpp"
#include "net/resolve.hpp"
#include "sandbox/model_relay.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

namespace botburrow::sandbox {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kHeadTime = 10s;
constexpr auto kConnectTime = 10s;
/// Neither side has said anything for this long.
constexpr auto kIdleTime = 180s;
constexpr auto kWriteTime = 60s;
/// How long, and how much, what a program sends behind its request is taken and dropped.
constexpr auto kFarewellTime = 2s;
constexpr std::size_t kFarewellBytesMax = 1u << 20;
constexpr std::size_t kPiece = 32 * 1024;
constexpr const char* kNoBody =
    "the body is too long, or ends early, or this sandbox has too many requests under way";

}  // namespace

ProxyConnection::ProxyConnection(asio::any_io_executor executor, net::UniqueFd socket,
                                 ProxyContext context)
    : executor_(executor), socket_(executor), context_(context), held_(context.held) {
  // What process 1 accepted is TCP over IPv4: that is how it listens.
  socket_.assign(asio::ip::tcp::v4(), socket.release());
  socket_.native_non_blocking(true);
}

bool ProxyConnection::spend(std::size_t bytes) {
  if (bytes > context_.bytes_left) return false;
  context_.bytes_left -= bytes;
  return true;
}

// False at the end of what the program says.
Task<bool> ProxyConnection::read_more() {
  std::string piece(kPiece, '\0');
  boost::system::error_code failure;
  const auto got = co_await socket_.async_read_some(
      asio::buffer(piece), asio::redirect_error(asio::use_awaitable, failure));
  if (failure == asio::error::operation_aborted) throw boost::system::system_error(failure);
  read_.append(piece, 0, got);
  co_return !failure && got > 0;
}

Task<std::optional<ProxyHead>> ProxyConnection::read_head() {
  const auto deadline = Deadline::in(kHeadTime);
  std::size_t end = std::string::npos;
  while ((end = read_.find("\r\n\r\n")) == std::string::npos) {
    if (read_.size() > kProxyHeadBytesMax) {
      co_await answer(431, "the head of the request is too long");
      co_return std::nullopt;
    }
    if (!co_await with_deadline("the request", deadline, read_more())) co_return std::nullopt;
  }
  const auto head = parse_proxy_head(std::string_view(read_).substr(0, end + 4));
  read_.erase(0, end + 4);
  if (head) co_return *head;
  count("bad_request");
  co_await answer(head.error().status, head.error().text);
  co_return std::nullopt;
}

Task<> ProxyConnection::answer(int status, std::string text) {
  const auto bytes = proxy_answer(status, text);
  co_await with_deadline(
      "the answer", Deadline::in(kWriteTime), [](Socket& socket, const std::string& all) -> Task<> {
        boost::system::error_code failure;
        co_await asio::async_write(socket, asio::buffer(all),
                                   asio::redirect_error(asio::use_awaitable, failure));
      }(socket_, bytes));
}

Task<> ProxyConnection::deny(const HostPort& target, std::string reason) {
  count("denied");
  log_denied(target, reason);
  co_await answer(403, reason);
}

// Of refusals there can be any number; what was allowed is always told.
void ProxyConnection::log_denied(const HostPort& target, const std::string& reason) {
  if (context_.denied_lines_left <= 0) return;
  context_.log.warning("egress_denied",
                       {{"host", target.host}, {"port", target.port}, {"reason", reason}});
  if (--context_.denied_lines_left > 0) return;
  context_.log.warning("egress_denied",
                       {{"reason", "more refusals of this sandbox are counted, and not told"}});
}

Task<> ProxyConnection::serve() {
  co_await serve_request();
  co_await see_off();
}

// A socket that is closed with unread bytes in it is reset, and takes from the program what it has
// not read yet of its answer.
Task<> ProxyConnection::see_off() {
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  const auto deadline = Deadline::in(kFarewellTime);
  try {
    for (std::size_t dropped = 0; dropped < kFarewellBytesMax; dropped += read_.size()) {
      read_.clear();
      if (!co_await with_deadline("the end of the connection", deadline, read_more())) co_return;
    }
  } catch (const Error&) {
    // It had its time.
  }
}

Task<> ProxyConnection::serve_request() {
  const auto head = co_await read_head();
  if (!head) co_return;
  switch (head->kind) {
    case ProxyHead::Kind::tunnel:
      co_return co_await tunnel(*head);
    case ProxyHead::Kind::forward:
      co_return co_await forward(*head);
    case ProxyHead::Kind::local:
      co_return co_await serve_local(*head);
  }
}

// The address is judged and then used: a name that means another one a moment later changes
// nothing.
Task<std::optional<ProxyConnection::Endpoint>> ProxyConnection::judged_address(HostPort target) {
  std::vector<Endpoint> found;
  std::string fault;
  try {
    found = co_await with_deadline("resolving " + target.host, Deadline::in(kConnectTime),
                                   net::resolve_tcp(target.host, target.port));
  } catch (const Error& error) {
    fault = error.message();
  }
  if (found.empty()) {
    count("failed");
    co_await answer(502, fault.empty() ? target.host + ": no address" : fault);
    co_return std::nullopt;
  }
  std::optional<std::string> refusal;
  for (const auto& endpoint : found) {
    refusal = context_.rules.refusal(target, endpoint.address());
    if (!refusal) co_return endpoint;
  }
  co_await deny(target, *refusal);
  co_return std::nullopt;
}

Task<std::optional<ProxyConnection::Socket>> ProxyConnection::connect(HostPort target) {
  if (auto refusal = context_.rules.refusal(target)) {
    co_await deny(target, *refusal);
    co_return std::nullopt;
  }
  const auto endpoint = co_await judged_address(target);
  if (!endpoint) co_return std::nullopt;
  Socket other(executor_);
  std::string fault;
  try {
    co_await with_deadline("connecting to " + target.host, Deadline::in(kConnectTime),
                           [](Socket& socket, Endpoint to) -> Task<> {
                             co_await socket.async_connect(to, asio::use_awaitable);
                           }(other, *endpoint));
  } catch (const Error& error) {
    fault = error.message();
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    fault = fmt::format("{}: {}", target.host, error.code().message());
  }
  if (!fault.empty()) {
    count("failed");
    co_await answer(502, fault);
    co_return std::nullopt;
  }
  count("allowed");
  context_.log.info(
      "egress_connect",
      {{"host", target.host}, {"port", target.port}, {"address", endpoint->address().to_string()}});
  co_return other;
}

Task<> ProxyConnection::copy(Socket& from, Socket& to) {
  std::string piece(kPiece, '\0');
  for (;;) {
    boost::system::error_code failure;
    const auto got = co_await from.async_read_some(
        asio::buffer(piece), asio::redirect_error(asio::use_awaitable, failure));
    if (failure == asio::error::operation_aborted) throw boost::system::system_error(failure);
    if (failure || got == 0 || !spend(got)) break;
    last_byte_ = BootClock::now();
    co_await asio::async_write(to, asio::buffer(piece, got), asio::use_awaitable);
    last_byte_ = BootClock::now();
  }
  boost::system::error_code ignored;
  to.shutdown(Socket::shutdown_send, ignored);
}

// Until the other side has said everything, or nobody says anything any more.
Task<> ProxyConnection::relay(Socket& other, bool both_ways) {
  StopSource finished(executor_);
  TaskGroup pumps(executor_,
                  [&finished](const std::string&, std::exception_ptr) { finished.stop(); });
  const auto down = [this, &other, &finished]() -> Task<> {
    co_await copy(other, socket_);
    finished.stop();
  };
  last_byte_ = BootClock::now();
  pumps.spawn("down", down);
  if (both_ways) pumps.spawn("up", [this, &other] { return copy(socket_, other); });
  const auto watch = [this, &finished]() -> Task<> {
    while (!finished.stopped()) {
      const auto quiet_until = last_byte_ + std::chrono::nanoseconds(kIdleTime);
      if (BootClock::now() >= quiet_until) co_return;
      try {
        co_await with_deadline("", Deadline::at(quiet_until), finished.wait());
      } catch (const Error&) {
        // Look again at when the last byte came.
      }
    }
  };
  co_await with_cleanup(watch(), [&pumps] { return pumps.stop(); });
}

Task<> ProxyConnection::tunnel(ProxyHead head) {
  auto other = co_await connect(head.target);
  if (!other) co_return;
  co_await asio::async_write(
      socket_, asio::buffer(std::string("HTTP/1.1 200 Connection established\r\n\r\n")),
      asio::use_awaitable);
  if (!spend(read_.size())) co_return;
  if (!read_.empty()) co_await asio::async_write(*other, asio::buffer(read_), asio::use_awaitable);
  co_await relay(*other, true);
}

// One request with a body of known length: what comes after it is not passed on, so that nobody can
// speak to another site on the same address.
Task<> ProxyConnection::forward(ProxyHead head) {
  if (head.chunked) {
    count("bad_request");
    co_return co_await answer(400, "a body in chunks is not forwarded; send its length");
  }
  auto other = co_await connect(head.target);
  if (!other) co_return;
  auto text = forwarded_head(head);
  if (!spend(text.size())) co_return;
  co_await asio::async_write(*other, asio::buffer(text), asio::use_awaitable);
  for (auto left = head.body_bytes; left > 0;) {
    if (read_.empty() && !co_await with_deadline("the body", Deadline::in(kWriteTime), read_more()))
      co_return;
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left, read_.size()));
    if (!spend(part)) co_return;
    co_await asio::async_write(*other, asio::buffer(read_.data(), part), asio::use_awaitable);
    read_.erase(0, part);
    left -= part;
  }
  co_await relay(*other, false);
}

// In pieces as they come: a body is never held twice.
Task<bool> ProxyConnection::read_into(std::string& body, std::size_t bytes) {
  while (bytes > 0) {
    if (read_.empty() && !co_await read_more()) co_return false;
    const auto part = std::min(bytes, read_.size());
    body.append(read_, 0, part);
    read_.erase(0, part);
    bytes -= part;
  }
  co_return true;
}

Task<bool> ProxyConnection::read_chunks(std::string& body) {
  for (;;) {
    std::size_t end = 0;
    while ((end = read_.find("\r\n")) == std::string::npos) {
      if (read_.size() > 1024 || !co_await read_more()) co_return false;
    }
    std::size_t size = 0;
    const auto* const begin = read_.data();
    const auto [stop, error] = std::from_chars(begin, begin + end, size, 16);
    if (error != std::errc() || stop == begin || size > context_.body_bytes_max - body.size())
      co_return false;
    read_.erase(0, end + 2);
    std::string line_end;
    if (!held_.take(size) || !co_await read_into(body, size) || !co_await read_into(line_end, 2) ||
        line_end != "\r\n")
      co_return false;
    if (size == 0) co_return true;
  }
}

Task<std::optional<std::string>> ProxyConnection::read_body(ProxyHead head) {
  std::string body;
  if (head.chunked) {
    if (co_await read_chunks(body)) co_return std::optional(std::move(body));
    co_return std::nullopt;
  }
  const auto size = static_cast<std::size_t>(head.body_bytes);
  if (head.body_bytes > context_.body_bytes_max || !held_.take(size)) co_return std::nullopt;
  body.reserve(size);
  if (!co_await read_into(body, size)) co_return std::nullopt;
  co_return std::optional(std::move(body));
}

Task<> ProxyConnection::serve_local(ProxyHead head) {
  constexpr std::string_view kModels = "/_/llm/";
  if (head.path.starts_with(kModels)) {
    const auto rest = std::string_view(head.path).substr(kModels.size());
    const auto slash = std::min(rest.find_first_of("/?"), rest.size());
    const std::string name(rest.substr(0, slash));
    const auto route = context_.models.find(name);
    if (route != context_.models.end() && context_.http)
      co_return co_await serve_model(route->second, name, std::string(rest.substr(slash)), head);
  }
  LocalAnswer given{.status = 404, .body = R"({"error":{"message":"nothing is served here"}})"};
  if (context_.local && !head.path.starts_with(kModels)) {
    auto body = co_await with_deadline("the body", Deadline::in(kWriteTime), read_body(head));
    if (!body) co_return co_await answer(413, kNoBody);
    LocalRequest request{.method = head.method,
                         .path = head.path,
                         .headers = head.headers,
                         .body = std::move(*body)};
    given = co_await context_.local(std::move(request));
  }
  count("local");
  co_await with_deadline("the answer", Deadline::in(kWriteTime), write_local(given));
}

Task<> ProxyConnection::write_local(const LocalAnswer& given) {
  const auto head = fmt::format(
      "HTTP/1.1 {} Answer\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
      given.status, given.content_type, given.body.size());
  const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(given.body)};
  co_await asio::async_write(socket_, parts, asio::use_awaitable);
}

Task<> ProxyConnection::serve_model(const ModelRoute& route, std::string name, std::string rest,
                                    ProxyHead head) {
  if (!is_model_call(route.api, head.method, rest)) {
    co_return co_await deny({.host = "model:" + name, .port = 0},
                            fmt::format("{} {} is no call of this model that programs may make",
                                        head.method, utf8_prefix(rest, 200)));
  }
  auto body = co_await with_deadline("the body", Deadline::in(kWriteTime), read_body(head));
  if (!body) co_return co_await answer(413, kNoBody);
  count("model");
  context_.log.debug("egress_connect", {{"host", "model:" + name}});
  ModelRelay relay(executor_, socket_, context_.body_bytes_max, held_);
  co_await relay.run(*context_.http, model_request(route, rest, head, std::move(*body)));
}

}  // namespace botburrow::sandbox
