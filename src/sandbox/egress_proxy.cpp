#include "sandbox/egress_proxy.hpp"

#include "base/error.hpp"
#include "base/metric_table.hpp"
#include "sandbox/control.hpp"
#include "sandbox/proxy_connection.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>

namespace botburrow::sandbox {

namespace asio = boost::asio;

EgressProxy::EgressProxy(asio::any_io_executor executor, net::UniqueFd bridge, Options options,
                         net::HttpClient* http, Log log, Metrics& metrics)
    : executor_(executor),
      bridge_(executor, bridge.release()),
      options_(std::move(options)),
      http_(http),
      log_(std::move(log)),
      requests_(series_of(metrics, "botburrow_egress_requests_total")),
      bytes_left_(options_.bytes_max),
      tasks_(executor, [this](const std::string&, std::exception_ptr failure) {
        log_.debug("egress_connection_ended", {{"reason", describe(failure)}});
      }) {}

EgressProxy::~EgressProxy() = default;

void EgressProxy::start() {
  tasks_.spawn("bridge", [this] { return take_connections(); });
}

Task<> EgressProxy::stop() {
  co_await tasks_.stop();
}

Task<> EgressProxy::take_connections() {
  for (;;) {
    net::UniqueFd taken;
    const auto got = receive_connection(bridge_.native_handle(), taken);
    if (got == Got::closed) co_return;
    if (got == Got::nothing) {
      co_await bridge_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
      continue;
    }
    if (tasks_.size() > options_.connections_max) {
      requests_.with({"too_many"}).add();
      continue;
    }
    auto connection =
        std::make_shared<ProxyConnection>(executor_, std::move(taken),
                                          ProxyContext{.rules = options_.rules,
                                                       .models = options_.models,
                                                       .local = options_.local,
                                                       .body_bytes_max = options_.body_bytes_max,
                                                       .bytes_left = bytes_left_,
                                                       .denied_lines_left = denied_lines_left_,
                                                       .held = held_,
                                                       .http = http_,
                                                       .log = log_,
                                                       .requests = requests_});
    tasks_.spawn("connection", [connection] { return connection->serve(); });
  }
}

}  // namespace botburrow::sandbox
