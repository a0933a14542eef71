#pragma once

#include "cli/environment.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>

namespace botburrow::cli {

/// What a service tells the manager that started it, by systemd's protocol: a datagram to the
/// socket in NOTIFY_SOCKET. Without one it says nothing. A manager that does not listen is nobody's
/// trouble: failures are passed over.
class ServiceManager {
 public:
  ServiceManager(boost::asio::any_io_executor executor, const Environment& environment);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;

  /// READY=1: it listens, and its loops run. Whether all it needs is there is what /ready says: a
  /// manager must not hold back the machine's start for a Redis that is away.
  /// From then on WATCHDOG=1, twice in WATCHDOG_USEC where that is set, as long as the io loop
  /// turns and `healthy()`, which is called on it.
  void ready(std::function<bool()> healthy);
  /// STOPPING=1.
  void stopping();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace botburrow::cli
