#include "tests/support/fault_proxy.hpp"

#include "base/task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <list>

namespace botburrow::test {

namespace asio = boost::asio;
using asio::ip::tcp;
using Upstream = asio::generic::stream_protocol;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

struct Link {
  Link(tcp::socket from, const asio::any_io_executor& executor)
      : client(std::move(from)), server(executor) {}
  void reset() {
    boost::system::error_code ignored;
    if (client.is_open()) client.set_option(asio::socket_base::linger(true, 0), ignored);
    client.close(ignored);
    server.close(ignored);
  }
  tcp::socket client;
  Upstream::socket server;
};

}  // namespace

struct FaultProxy::State {
  State(asio::any_io_executor on, Upstream::endpoint to)
      : executor(std::move(on)),
        upstream(std::move(to)),
        acceptor(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        gate(executor, asio::steady_timer::time_point::max()) {}

  asio::any_io_executor executor;
  Upstream::endpoint upstream;
  tcp::acceptor acceptor;
  asio::steady_timer gate;
  bool paused = false;
  bool refusing = false;
  std::chrono::milliseconds delay{0};
  int answers_to_reset = 0;
  std::size_t accepted = 0;
  std::size_t resets = 0;
  std::list<std::shared_ptr<Link>> links;

  static Task<> accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(kTuple);
      if (error) co_return;
      ++state->accepted;
      auto link = std::make_shared<Link>(std::move(socket), state->executor);
      if (state->refusing) {
        link->reset();
        continue;
      }
      asio::co_spawn(state->executor, serve(state, link), asio::detached);
    }
  }

  static Task<> serve(std::shared_ptr<State> state, std::shared_ptr<Link> link) {
    const auto [error] = co_await link->server.async_connect(state->upstream, kTuple);
    if (error) {
      link->reset();
      co_return;
    }
    state->links.push_back(link);
    asio::co_spawn(state->executor, pump(state, link, true), asio::detached);
    asio::co_spawn(state->executor, pump(state, link, false), asio::detached);
  }

  Task<> hold() {
    while (paused) {
      const auto [ignored] = co_await gate.async_wait(kTuple);
      (void)ignored;
    }
    if (delay.count() > 0) co_await sleep_for(delay);
  }

  static Task<std::size_t> read(Link& link, bool forth, std::array<char, 16384>& bytes) {
    const auto buffer = asio::buffer(bytes);
    if (forth) {
      const auto [error, count] = co_await link.client.async_read_some(buffer, kTuple);
      co_return error ? 0 : count;
    }
    const auto [error, count] = co_await link.server.async_read_some(buffer, kTuple);
    co_return error ? 0 : count;
  }

  static Task<bool> write(Link& link, bool forth, asio::const_buffer bytes) {
    if (forth) {
      const auto [error, count] = co_await asio::async_write(link.server, bytes, kTuple);
      co_return !error;
    }
    const auto [error, count] = co_await asio::async_write(link.client, bytes, kTuple);
    co_return !error;
  }

  static Task<> pump(std::shared_ptr<State> state, std::shared_ptr<Link> link, bool forth) {
    std::array<char, 16384> bytes;
    for (;;) {
      const std::size_t count = co_await read(*link, forth, bytes);
      if (count == 0) break;
      co_await state->hold();
      if (!forth && state->answers_to_reset > 0) {
        --state->answers_to_reset;
        ++state->resets;
        break;
      }
      const bool written = co_await write(*link, forth, asio::buffer(bytes.data(), count));
      if (!written) break;
    }
    link->reset();
    state->links.remove(link);
  }
};

FaultProxy::FaultProxy(std::shared_ptr<State> state) : state_(std::move(state)) {
  asio::co_spawn(state_->executor, State::accept(state_), asio::detached);
}
FaultProxy::FaultProxy(FaultProxy&&) noexcept = default;

FaultProxy::~FaultProxy() {
  if (!state_) return;
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  resume();
  cut();
}

FaultProxy FaultProxy::to_unix(asio::any_io_executor executor, std::string path) {
  return FaultProxy(
      std::make_shared<State>(std::move(executor), asio::local::stream_protocol::endpoint(path)));
}
FaultProxy FaultProxy::to_tcp(asio::any_io_executor executor, int port) {
  const tcp::endpoint to(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
  return FaultProxy(std::make_shared<State>(std::move(executor), to));
}

int FaultProxy::port() const {
  return state_->acceptor.local_endpoint().port();
}
void FaultProxy::pause() {
  state_->paused = true;
}
void FaultProxy::resume() {
  state_->paused = false;
  state_->gate.cancel();
}
void FaultProxy::cut() {
  for (const auto& link : std::exchange(state_->links, {}))
    link->reset();
}
void FaultProxy::refuse(bool on) {
  state_->refusing = on;
}
void FaultProxy::delay(std::chrono::milliseconds each) {
  state_->delay = each;
}
void FaultProxy::reset_answers(int count) {
  state_->answers_to_reset = count;
}
std::size_t FaultProxy::connections() const {
  return state_->links.size();
}
std::size_t FaultProxy::accepted() const {
  return state_->accepted;
}
std::size_t FaultProxy::resets() const {
  return state_->resets;
}

}  // namespace botburrow::test
