#include "net/redis_stream.hpp"

#include "base/error.hpp"
#include "net/redis_faults.hpp"
#include "net/resolve.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <netinet/tcp.h>

namespace botburrow::net {

namespace asio = boost::asio;

namespace {

using Socket = asio::generic::stream_protocol::socket;

void shut(Socket& socket) {
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_both, ignored);
  socket.close(ignored);
}

class PlainStream final : public RedisStream {
 public:
  explicit PlainStream(Socket socket) : socket_(std::move(socket)) { socket_.non_blocking(true); }
  Task<std::size_t> read_some(std::span<char> into) override {
    co_return co_await socket_.async_read_some(asio::buffer(into.data(), into.size()),
                                               asio::use_awaitable);
  }
  Task<> write(std::string_view bytes) override {
    // Most of what is asked fits into the socket's buffer: no round through the event loop for it.
    boost::system::error_code full;
    const auto put = socket_.send(asio::buffer(bytes.data(), bytes.size()), 0, full);
    if (full && full != asio::error::would_block) throw boost::system::system_error(full);
    if (put < bytes.size()) co_await write_rest(bytes.substr(put));
  }
  void close() override { shut(socket_); }

 private:
  Task<> write_rest(std::string_view bytes) {
    co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                               asio::use_awaitable);
  }
  Socket socket_;
};

class TlsStream final : public RedisStream {
 public:
  TlsStream(Socket socket, const std::string& host)
      : context_(make_context()), stream_(std::move(socket), context_) {
    boost::system::error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (not_an_address) SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
    stream_.set_verify_callback(asio::ssl::host_name_verification(host));
  }
  Task<> handshake() {
    co_await stream_.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  }
  Task<std::size_t> read_some(std::span<char> into) override {
    co_return co_await stream_.async_read_some(asio::buffer(into.data(), into.size()),
                                               asio::use_awaitable);
  }
  Task<> write(std::string_view bytes) override {
    co_await asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                               asio::use_awaitable);
  }
  void close() override { shut(stream_.next_layer()); }
  /// Why the peer's certificate was refused; empty when it was not.
  std::string refusal() {
    const long result = SSL_get_verify_result(stream_.native_handle());
    return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
  }

 private:
  static asio::ssl::context make_context() {
    asio::ssl::context context(asio::ssl::context::tls_client);
    context.set_default_verify_paths();
    context.set_verify_mode(asio::ssl::verify_peer);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    return context;
  }
  asio::ssl::context context_;
  asio::ssl::stream<Socket> stream_;
};

void tune(asio::ip::tcp::socket& socket) {
  socket.set_option(asio::ip::tcp::no_delay(true));
  // A server that vanished without a word is noticed in about a minute, also by a quiet connection.
  socket.set_option(asio::socket_base::keep_alive(true));
  using Option = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using Interval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  using Count = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;
  boost::system::error_code ignored;
  socket.set_option(Option(30), ignored);
  socket.set_option(Interval(10), ignored);
  socket.set_option(Count(3), ignored);
}

Task<Socket> connect_tcp(std::string host, int port) {
  const auto executor = co_await asio::this_coro::executor;
  const auto found = co_await resolve_tcp(std::move(host), port);
  asio::ip::tcp::socket socket(executor);
  co_await asio::async_connect(socket, found, asio::use_awaitable);
  tune(socket);
  co_return Socket(std::move(socket));
}

Task<Socket> connect_unix(std::string path) {
  asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(asio::local::stream_protocol::endpoint(path), asio::use_awaitable);
  co_return Socket(std::move(socket));
}

}  // namespace

Task<std::unique_ptr<RedisStream>> connect_redis_stream(RedisAddress address) {
  if (address.transport == RedisAddress::Transport::unix_socket) {
    Socket socket = co_await connect_unix(address.path);
    co_return std::make_unique<PlainStream>(std::move(socket));
  }
  Socket socket = co_await connect_tcp(address.host, address.port);
  if (address.transport == RedisAddress::Transport::tcp) {
    co_return std::make_unique<PlainStream>(std::move(socket));
  }
  auto tls = std::make_unique<TlsStream>(std::move(socket), address.host);
  std::string refusal;
  try {
    co_await tls->handshake();
  } catch (const boost::system::system_error&) {
    refusal = tls->refusal();
    if (refusal.empty()) throw;
  }
  if (!refusal.empty()) {
    throw Error(errc::redis_unavailable,
                "TLS certificate of " + address.host + " refused: " + refusal, Retry::after_backoff)
        .with_detail(std::string(kCertificateRefused));
  }
  co_return tls;
}

std::string connect_reason(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    // Without the name of the operation that system_error::what() adds.
    if (error.code() == asio::error::eof) return "the server closed the connection";
    return error.code().message();
  } catch (...) {
    return describe(failure);
  }
}

}  // namespace botburrow::net
