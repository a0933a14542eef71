#include "cli/service_manager.hpp"

#include "net/unique_fd.hpp"

#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>

namespace botburrow::cli {
namespace {

std::chrono::microseconds watchdog_time(const Environment& environment) {
  // Set for another process, it was inherited and is not meant for this one.
  const auto meant_for = environment.variable("WATCHDOG_PID");
  if (meant_for && *meant_for != std::to_string(environment.pid)) return {};
  const auto text = environment.variable("WATCHDOG_USEC").value_or("");
  long long time = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), time);
  const bool good = read.ec == std::errc() && read.ptr == text.data() + text.size() && time > 0;
  return std::chrono::microseconds(good ? time : 0);
}

void send_datagram(const std::string& path, std::string_view text) {
  sockaddr_un address{};
  if (path.size() < 2 || path.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const net::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  static_cast<void>(::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), length));
}

}  // namespace

struct ServiceManager::State : std::enable_shared_from_this<State> {
  State(const boost::asio::any_io_executor& executor, const Environment& environment)
      : socket(environment.variable("NOTIFY_SOCKET").value_or("")),
        watchdog(watchdog_time(environment)),
        timer(executor) {}

  void tell(std::string_view what) const {
    if (!socket.empty()) send_datagram(socket, what);
  }

  void watch() {
    if (watchdog.count() == 0 || ended) return;
    if (healthy()) tell("WATCHDOG=1");
    timer.expires_after(watchdog / 2);
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (self && !error) self->watch();
    });
  }

  std::string socket;
  std::chrono::microseconds watchdog;
  boost::asio::steady_timer timer;
  std::function<bool()> healthy;
  bool ended = false;
};

ServiceManager::ServiceManager(boost::asio::any_io_executor executor,
                               const Environment& environment)
    : state_(std::make_shared<State>(executor, environment)) {}

ServiceManager::~ServiceManager() {
  state_->ended = true;
}

void ServiceManager::ready(std::function<bool()> healthy) {
  state_->healthy = std::move(healthy);
  state_->tell("READY=1");
  if (!state_->socket.empty()) state_->watch();
}

void ServiceManager::stopping() {
  state_->tell("STOPPING=1");
}

}  // namespace botburrow::cli
