#include "net/http_server.hpp"

#include "net/http_connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <set>
#include <utility>

namespace botburrow::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t kRefusalsMax = 64;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

/// The address to listen on. Names are looked up once, at start; IPv4 is preferred.
asio::ip::address address_of(const asio::any_io_executor& executor, std::string host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto literal = asio::ip::make_address(host, error);
  if (!error) return literal;
  tcp::resolver resolver(executor);
  const auto found = resolver.resolve(host, "", tcp::resolver::passive, error);
  if (error || found.empty()) {
    throw Error(
        errc::io,
        fmt::format("cannot listen on host \"{}\": {}; give an address of this machine such as "
                    "127.0.0.1 or 0.0.0.0",
                    host, error.message()));
  }
  for (const auto& entry : found) {
    if (entry.endpoint().address().is_v4()) return entry.endpoint().address();
  }
  return found.begin()->endpoint().address();
}

/// Connections leave descriptors for what else the process needs: Redis, the Hub, files.
std::size_t connections_allowed(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  return std::min<std::size_t>(wanted, std::max<std::size_t>(1, limit.rlim_cur / 4 * 3));
}

std::string in_url(const asio::ip::address& address) {
  const auto text = address.to_string();
  return address.is_v6() ? "[" + text + "]" : text;
}

}  // namespace

struct HttpServer::Impl {
  Impl(asio::any_io_executor where, Options options, Log log)
      : executor(std::move(where)),
        core(std::move(options), std::move(log)),
        acceptor(executor),
        tasks(executor) {
    core.options.connections_max = connections_allowed(core.options.connections_max);
    if (core.options.streams_max == 0) core.options.streams_max = core.options.connections_max / 2;
    core.place_for_stream = [this](const HttpConnection& asking) { return room_to_stream(asking); };
  }

  asio::any_io_executor executor;
  ServerCore core;
  tcp::acceptor acceptor;
  tcp::endpoint endpoint;
  std::set<std::shared_ptr<HttpConnection>> connections;
  std::size_t refusals = 0;
  std::size_t leaving = 0;
  std::vector<asio::steady_timer*> waiting_for_last;
  std::uint64_t turned_away = 0;
  LogThrottle accept_failures{std::chrono::seconds(10)};
  LogThrottle full{std::chrono::seconds(10)};
  TaskGroup tasks;

  void add_route(std::string method, ServerCore::Route route) {
    core.router.add(method, route.path, core.routes.size());
    core.routes.push_back(std::move(route));
  }

  void listen() {
    const auto& options = core.options;
    if (options.port < 0 || options.port > 65535) {
      throw Error(errc::invalid_argument,
                  fmt::format("port {} is not between 0 and 65535", options.port));
    }
    endpoint = tcp::endpoint(address_of(executor, options.host),
                             static_cast<unsigned short>(options.port));
    boost::system::error_code error;
    const auto step = [&](auto&& act) {
      if (!error) act();
    };
    step([&] { acceptor.open(endpoint.protocol(), error); });
    step([&] { acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
    if (endpoint.address().is_v6())
      step([&] { acceptor.set_option(asio::ip::v6_only(false), error); });
    step([&] { acceptor.bind(endpoint, error); });
    step([&] { acceptor.listen(asio::socket_base::max_listen_connections, error); });
    step([&] { endpoint = acceptor.local_endpoint(error); });
    if (error) refuse_to_listen(error);
  }

  [[noreturn]] void refuse_to_listen(boost::system::error_code error) {
    boost::system::error_code ignored;
    acceptor.close(ignored);
    const auto& options = core.options;
    if (error == asio::error::address_in_use) {
      throw Error(errc::port_in_use, fmt::format("port {} on {} is already in use; choose another "
                                                 "with a flag or stop the other program",
                                                 options.port, options.host));
    }
    throw Error(errc::io, fmt::format("cannot listen on port {} of {}: {}", options.port,
                                      options.host, error.message()));
  }

  Task<> accept_all() {
    while (acceptor.is_open()) {
      auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
      if (error == asio::error::operation_aborted || !acceptor.is_open()) co_return;
      if (!error) {
        admit(std::move(socket));
        continue;
      }
      if (accept_failures.allow(BootClock::now())) {
        core.log.error("http_accept_failed",
                       {{"error", error.message()}, {"connections", connections.size()}});
      }
      // Out of descriptors, say: the connection stays in the backlog, and asking again at once
      // would only burn the processor.
      co_await sleep_for(kAcceptPause);
    }
  }

  void admit(tcp::socket socket) {
    const auto connection = std::make_shared<HttpConnection>(core, std::move(socket));
    if (has_place() || made_place()) {
      connections.insert(connection);
      tasks.spawn("http connection", [this, connection] { return serve(connection); });
    } else if (refusals < kRefusalsMax) {
      ++refusals;
      ++turned_away;
      tasks.spawn("http refusal", [this, connection] { return refuse(connection); });
    }
  }

  struct Census {
    std::vector<HttpConnection*> who;
    std::vector<Occupant> occupants;
  };
  Census census() const {
    Census all;
    for (const auto& connection : connections) {
      all.who.push_back(connection.get());
      all.occupants.push_back(connection->occupant());
    }
    return all;
  }

  // Those told to go are gone with the loop's next turn.
  bool has_place() const { return connections.size() < core.options.connections_max + leaving; }

  bool made_place() {
    auto all = census();
    const auto now = std::chrono::steady_clock::now();
    while (const auto index = find_idle_to_close(all.occupants, now)) {
      auto& one = all.occupants[*index];
      const bool asks = !one.stuck_since && all.who[*index]->has_unread();
      if (!asks) {
        give_way(*all.who[*index]);
        return true;
      }
      one.doing = Occupant::Doing::answers;
    }
    note_full("all of them are being answered");
    return false;
  }

  bool room_to_stream(const HttpConnection& asking) {
    const auto all = census();
    if (count_streams(all.occupants) < core.options.streams_max) return true;
    const auto index = find_stream_to_close(all.occupants, asking.occupant().peer);
    if (index) {
      give_way(*all.who[*index]);
    } else {
      ++turned_away;
      note_full("all places for streams are taken");
    }
    return index.has_value();
  }

  void give_way(HttpConnection& connection) {
    connection.give_way();
    ++leaving;
    ++turned_away;
    note_full("the longest idle gave way");
  }

  void note_full(std::string_view what) {
    if (!full.allow(BootClock::now())) return;
    core.log.warning("http_connections_full", {{"connections", connections.size()},
                                               {"connections_max", core.options.connections_max},
                                               {"turned_away", turned_away},
                                               {"msg", what}});
  }

  Task<> serve(std::shared_ptr<HttpConnection> connection) {
    co_await connection->run();
    connections.erase(connection);
    if (connection->occupant().doing == Occupant::Doing::leaves) --leaving;
    if (!connections.empty()) co_return;
    for (auto* timer : waiting_for_last)
      timer->cancel();
  }

  Task<> refuse(std::shared_ptr<HttpConnection> connection) {
    co_await connection->refuse();
    --refusals;
  }

  Task<> last_connection_gone(Deadline deadline) {
    while (!connections.empty() && !deadline.passed()) {
      asio::steady_timer timer(executor, deadline.left());
      waiting_for_last.push_back(&timer);
      boost::system::error_code ignored;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      std::erase(waiting_for_last, &timer);
    }
  }

  Task<> stop(std::chrono::nanoseconds grace) {
    core.stopping = true;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    for (const auto& connection : connections)
      connection->stop_soon();
    co_await last_connection_gone(Deadline::in(grace));
    core.hurry = true;
    for (const auto& connection : connections)
      connection->hurry();
    co_await tasks.stop();
  }
};

HttpServer::HttpServer(asio::any_io_executor executor, Options options, Log log)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), std::move(log))) {}

HttpServer::~HttpServer() = default;

void HttpServer::route(std::string method, std::string path, Handler handler) {
  impl_->add_route(std::move(method), {.path = std::move(path), .handler = std::move(handler)});
}

void HttpServer::route(std::string method, std::string path, std::size_t body_bytes_max,
                       Handler handler) {
  impl_->add_route(
      std::move(method),
      {.path = std::move(path), .body_bytes_max = body_bytes_max, .handler = std::move(handler)});
}

void HttpServer::stream(std::string method, std::string path, std::string content_type,
                        StreamHandler handler) {
  impl_->add_route(std::move(method), {.path = std::move(path),
                                       .stream = std::move(handler),
                                       .content_type = std::move(content_type)});
}

void HttpServer::stream(std::string method, std::string path, std::string content_type,
                        std::size_t body_bytes_max, StreamHandler handler) {
  impl_->add_route(std::move(method), {.path = std::move(path),
                                       .body_bytes_max = body_bytes_max,
                                       .stream = std::move(handler),
                                       .content_type = std::move(content_type)});
}

void HttpServer::before(std::function<std::optional<ServerResponse>(ServerRequest&)> filter) {
  impl_->core.before.push_back(std::move(filter));
}

void HttpServer::before_large_body(
    std::function<Task<std::optional<ServerResponse>>(const ServerRequest&)> filter) {
  impl_->core.before_large_body = std::move(filter);
}

void HttpServer::after(std::function<void(const ServerRequest&, ServerResponse&)> filter) {
  impl_->core.after.push_back(std::move(filter));
}

void HttpServer::on_error(
    std::function<ServerResponse(const ServerRequest&, const Error&)> convert) {
  impl_->core.on_error = std::move(convert);
}

void HttpServer::observe(Observer observer) {
  impl_->core.observers.push_back(std::move(observer));
}

void HttpServer::start() {
  impl_->listen();
  impl_->tasks.spawn("http accept", [impl = impl_.get()] { return impl->accept_all(); });
}

int HttpServer::port() const {
  return impl_->endpoint.port();
}

std::string HttpServer::url() const {
  auto address = impl_->endpoint.address();
  if (address.is_unspecified()) {
    address = address.is_v4() ? asio::ip::address(asio::ip::address_v4::loopback())
                              : asio::ip::address(asio::ip::address_v6::loopback());
  }
  return fmt::format("http://{}:{}", in_url(address), port());
}

Task<> HttpServer::stop(std::chrono::nanoseconds grace) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const auto impl = impl_;
  co_await impl->stop(grace);
}

HttpServer::Load HttpServer::load() const {
  return watch_load()();
}

std::function<HttpServer::Load()> HttpServer::watch_load() const {
  return [weak = std::weak_ptr(impl_)]() -> Load {
    const auto impl = weak.lock();
    if (!impl) return {};
    return {.connections = impl->connections.size(),
            .connections_max = impl->core.options.connections_max,
            .turned_away = impl->turned_away};
  };
}

std::size_t HttpServer::connections() const {
  return impl_->connections.size();
}

}  // namespace botburrow::net
