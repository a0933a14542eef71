#pragma once

#include "base/error.hpp"
#include "base/task.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace botburrow::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using test::run_task;
using test::run_until;
using namespace std::chrono_literals;

inline constexpr auto kRawTuple = asio::as_tuple(asio::use_awaitable);

/// A socket a test speaks bytes through; nothing throws.
struct RawPeer {
  explicit RawPeer(tcp::socket from) : socket(std::move(from)) {}

  /// Everything up to and with `end`; what there was if the peer closes first.
  Task<std::string> read_until(std::string end) {
    for (;;) {
      const auto at = received.find(end);
      if (at != std::string::npos) {
        std::string text = received.substr(0, at + end.size());
        received.erase(0, at + end.size());
        co_return text;
      }
      const bool more = co_await read_some();
      if (!more) co_return std::exchange(received, "");
    }
  }
  Task<std::string> read_bytes(std::size_t count) {
    while (received.size() < count) {
      const bool more = co_await read_some();
      if (!more) break;
    }
    std::string text = received.substr(0, count);
    received.erase(0, text.size());
    co_return text;
  }
  /// Until the peer closes.
  Task<std::string> read_all() {
    for (;;) {
      const bool more = co_await read_some();
      if (!more) co_return std::exchange(received, "");
    }
  }
  Task<bool> read_some() {
    char bytes[4096];
    const auto [error, count] = co_await socket.async_read_some(asio::buffer(bytes), kRawTuple);
    received.append(bytes, count);
    closed = static_cast<bool>(error);
    co_return !error;
  }
  Task<> say(std::string text) {
    const auto [error, count] = co_await asio::async_write(socket, asio::buffer(text), kRawTuple);
    closed = closed || error;
  }
  /// One response by its Content-Length: head and body.
  Task<std::string> read_response() {
    std::string text = co_await read_until("\r\n\r\n");
    const auto at = text.find("Content-Length: ");
    if (at != std::string::npos) text += co_await read_bytes(std::stoul(text.substr(at + 16)));
    co_return text;
  }
  void reset() {
    socket.set_option(asio::socket_base::linger(true, 0));
    socket.close();
  }

  tcp::socket socket;
  std::string received;
  bool closed = false;
};

/// A server that does with each connection whatever the test says. Ends with the io_context.
class RawServer {
 public:
  using Serve = std::function<Task<>(RawPeer& peer)>;

  RawServer(asio::io_context& ioc, Serve serve)
      : state_(std::make_shared<State>(
            State{tcp::acceptor(ioc, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
                  std::move(serve), 0, 0})) {
    asio::co_spawn(ioc, accept(state_), asio::detached);
  }
  ~RawServer() { state_->acceptor.close(); }

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int accepted() const { return state_->accepted; }
  int ended() const { return state_->ended; }

 private:
  struct State {
    tcp::acceptor acceptor;
    Serve serve;
    int accepted;
    int ended;
  };
  static Task<> accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(kRawTuple);
      if (error) co_return;
      ++state->accepted;
      auto executor = co_await asio::this_coro::executor;
      asio::co_spawn(executor, one(state, RawPeer(std::move(socket))), asio::detached);
    }
  }
  static Task<> one(std::shared_ptr<State> state, RawPeer peer) {
    co_await state->serve(peer);
    ++state->ended;
  }
  std::shared_ptr<State> state_;
  int port_ = state_->acceptor.local_endpoint().port();
};

/// Blocks, for as long as a kernel's own handshake takes.
inline RawPeer connect_raw(asio::io_context& ioc, int port) {
  tcp::socket socket(ioc);
  socket.connect(
      tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)));
  return RawPeer(std::move(socket));
}

/// Sends `text` and returns all that comes until the peer closes.
inline Task<std::string> ask_raw(RawPeer peer, std::string text) {
  co_await peer.say(text);
  co_return co_await peer.read_all();
}

/// Our server, stopped at the end of its test.
class TestServer {
 public:
  explicit TestServer(asio::io_context& ioc, HttpServer::Options options = {})
      : server(ioc.get_executor(), std::move(options), Log::none()), ioc_(ioc) {}
  ~TestServer() { run_task(ioc_, server.stop(0s)); }
  HttpServer* operator->() { return &server; }
  HttpServer server;

 private:
  asio::io_context& ioc_;
};

inline Error error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& other) {
    return Error(errc::internal, std::string("not an Error: ") + other.what());
  }
  return Error(errc::internal, "nothing was thrown");
}

inline bool is_aborted(const std::function<void()>& act) {
  try {
    act();
  } catch (...) {
    return is_cancellation(std::current_exception());
  }
  return false;
}

/// A coroutine the test can cancel.
template <class T>
struct Started {
  Started(asio::io_context& ioc, Task<T> task) : state(std::make_shared<State>()) {
    asio::co_spawn(ioc, test::detail::cancellable(std::move(task)),
                   asio::bind_cancellation_slot(state->signal.slot(),
                                                [s = state](std::exception_ptr failure, T value) {
                                                  s->failure = failure;
                                                  s->value = std::move(value);
                                                  s->done = true;
                                                }));
  }
  void cancel() { state->signal.emit(asio::cancellation_type::all); }
  bool done() const { return state->done; }
  bool cancelled() const { return state->done && is_cancellation(state->failure); }
  struct State {
    asio::cancellation_signal signal;
    std::exception_ptr failure;
    T value;
    bool done = false;
  };
  std::shared_ptr<State> state;
};

}  // namespace botburrow::net
