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
  enum class Stranded { no, answers, both };

  Link(std::size_t number, tcp::socket from, const asio::any_io_executor& executor)
      : number(number), client(std::move(from)), server(executor) {}
  void reset() {
    boost::system::error_code ignored;
    if (client.is_open()) client.set_option(asio::socket_base::linger(true, 0), ignored);
    client.close(ignored);
    server.close(ignored);
  }
  /// One side has left, and the other must not notice.
  void close_quietly(Way way) {
    boost::system::error_code ignored;
    if (way == Way::forth)
      client.close(ignored);
    else
      server.close(ignored);
  }
  bool swallows(Way way) const {
    return stranded == Stranded::both || (stranded == Stranded::answers && way == Way::back);
  }
  bool is_open() const { return client.is_open() || server.is_open(); }

  std::size_t number;
  tcp::socket client;
  Upstream::socket server;
  Stranded stranded = Stranded::no;
  bool late = false;  ///< a piece was held: the peer answers it, also when its client has left
};

// Each slice leaves as a segment of its own.
void send_at_once(Link& link) {
  boost::system::error_code ignored;  // a Unix socket knows no such option
  link.client.set_option(tcp::no_delay(true), ignored);
  link.server.set_option(tcp::no_delay(true), ignored);
}

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
  int answers_to_reset = 0, requests_to_reset = 0;
  std::size_t slice_max = 0;
  Tap tap;
  Witness witness;
  std::size_t accepted = 0, resets = 0, lost_requests = 0, swallowed = 0;
  std::list<std::shared_ptr<Link>> links;

  static Task<> accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(kTuple);
      if (error) co_return;
      ++state->accepted;
      auto link = std::make_shared<Link>(state->accepted, std::move(socket), state->executor);
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
    send_at_once(*link);
    state->links.push_back(link);
    asio::co_spawn(state->executor, pump(state, link, Way::forth), asio::detached);
    asio::co_spawn(state->executor, pump(state, link, Way::back), asio::detached);
  }

  Task<> hold(std::chrono::milliseconds longer) {
    if (longer.count() > 0) co_await sleep_for(longer);
    while (paused) {
      const auto [ignored] = co_await gate.async_wait(kTuple);
      (void)ignored;
    }
    if (delay.count() > 0) co_await sleep_for(delay);
  }

  /// Whether this piece is one of those whose connection is to be reset.
  bool falls(Way way) {
    int& left = way == Way::back ? answers_to_reset : requests_to_reset;
    if (left <= 0) return false;
    --left;
    ++(way == Way::back ? resets : lost_requests);
    return true;
  }

  void show(const Link& link, Way way, std::string_view bytes) const {
    if (witness) witness(link.number, way, bytes);
  }

  static Task<std::size_t> read(Link& link, Way way, std::array<char, 16384>& bytes) {
    const auto buffer = asio::buffer(bytes);
    if (way == Way::forth) {
      const auto [error, count] = co_await link.client.async_read_some(buffer, kTuple);
      co_return error ? 0 : count;
    }
    const auto [error, count] = co_await link.server.async_read_some(buffer, kTuple);
    co_return error ? 0 : count;
  }

  static Task<bool> write_whole(Link& link, Way way, std::string_view bytes) {
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    if (way == Way::forth) {
      const auto [error, count] = co_await asio::async_write(link.server, buffer, kTuple);
      co_return !error;
    }
    const auto [error, count] = co_await asio::async_write(link.client, buffer, kTuple);
    co_return !error;
  }

  static Task<bool> write(std::shared_ptr<State> state, Link& link, Way way,
                          std::string_view bytes) {
    for (std::size_t size = 1; !bytes.empty(); ++size) {
      const auto most = state->slice_max == 0 ? bytes.size() : 1 + (size - 1) % state->slice_max;
      const auto slice = bytes.substr(0, most);
      if (!co_await write_whole(link, way, slice)) co_return false;
      bytes.remove_prefix(slice.size());
      // Let the reader have it before the next.
      if (!bytes.empty()) co_await asio::post(state->executor, asio::use_awaitable);
    }
    co_return true;
  }

  /// One piece on its way; false when the connection is to end.
  static Task<bool> carry(std::shared_ptr<State> state, Link& link, Way way,
                          std::string_view bytes) {
    if (way == Way::back) state->show(link, way, bytes);
    const auto tap = state->tap;  // it may take itself off
    const auto fate = tap ? tap(link.number, way, bytes) : Fate{};
    if (fate.cut) co_return false;
    if (fate.hold.count() > 0) link.late = true;
    co_await state->hold(fate.hold);
    if (link.swallows(way)) {
      ++state->swallowed;
      co_return true;
    }
    if (state->falls(way)) co_return false;
    if (way == Way::forth) state->show(link, way, bytes);
    co_return co_await write(state, link, way, bytes);
  }

  static Task<> pump(std::shared_ptr<State> state, std::shared_ptr<Link> link, Way way) {
    std::array<char, 16384> bytes;
    for (;;) {
      const std::size_t count = co_await read(*link, way, bytes);
      if (count == 0) break;
      if (!co_await carry(state, *link, way, {bytes.data(), count})) break;
    }
    const bool quietly = link->stranded != Link::Stranded::no || (link->late && way == Way::forth);
    if (quietly)
      link->close_quietly(way);
    else
      link->reset();
    if (!link->is_open()) state->links.remove(link);
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
  state_->tap = nullptr;
  state_->witness = nullptr;
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
void FaultProxy::reset_requests(int count) {
  state_->requests_to_reset = count;
}
void FaultProxy::slice(std::size_t bytes_max) {
  state_->slice_max = bytes_max;
}
void FaultProxy::strand(bool requests_too) {
  for (const auto& link : state_->links)
    link->stranded = requests_too ? Link::Stranded::both : Link::Stranded::answers;
}
void FaultProxy::mend() {
  const auto all = state_->links;
  for (const auto& link : all) {
    if (link->stranded == Link::Stranded::no) continue;
    link->reset();
    state_->links.remove(link);
  }
}
void FaultProxy::tap(Tap tap) {
  state_->tap = std::move(tap);
}
void FaultProxy::witness(Witness witness) {
  state_->witness = std::move(witness);
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
std::size_t FaultProxy::lost_requests() const {
  return state_->lost_requests;
}
std::size_t FaultProxy::swallowed() const {
  return state_->swallowed;
}

}  // namespace botburrow::test
