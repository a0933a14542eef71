#include "net/resolve.hpp"

#include "base/error.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <netdb.h>
#include <signal.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

namespace botburrow::net {

namespace asio = boost::asio;
using Endpoints = std::vector<asio::ip::tcp::endpoint>;

namespace {

/// Shared between the look-up's thread and who waits; the mutex guards all of it.
struct Lookup {
  std::mutex mutex;
  bool done = false;
  Endpoints found;
  std::string failure;
  std::function<void()> notify;  ///< empty once nobody waits
};

Endpoints endpoints_of(const addrinfo* list) {
  Endpoints found;
  for (const auto* one = list; one != nullptr; one = one->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
    endpoint.resize(one->ai_addrlen);
    found.push_back(endpoint);
  }
  return found;
}

void look_up(const std::shared_ptr<Lookup>& lookup, const std::string& host,
             const std::string& service) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int result = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  const int number = errno;
  const std::scoped_lock lock(lookup->mutex);
  if (result == 0) {
    lookup->found = endpoints_of(list);
    ::freeaddrinfo(list);
  } else {
    lookup->failure = result == EAI_SYSTEM ? std::strerror(number) : ::gai_strerror(result);
  }
  lookup->done = true;
  if (lookup->notify) lookup->notify();
}

/// Tells a look-up's thread whether the loop it would wake is still there. A loop that is torn down
/// unwinds its coroutines through its own queue, without a lock: too late to tell anybody. Services
/// made after that queue are shut down before it.
class LoopWatch final : public asio::execution_context::service {
 public:
  struct State {
    std::mutex mutex;
    bool gone = false;
  };
  static inline asio::execution_context::id id;
  explicit LoopWatch(asio::execution_context& context) : service(context) {}
  std::shared_ptr<State> state() const { return state_; }

 private:
  void shutdown() noexcept override {
    const std::scoped_lock lock(state_->mutex);
    state_->gone = true;
  }
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Starts the thread with all signals held back: they belong to the thread that runs the loop.
void start_thread(std::shared_ptr<Lookup> lookup, std::string host, std::string service) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string failure;
  try {
    std::thread(look_up, std::move(lookup), std::move(host), std::move(service)).detach();
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!failure.empty())
    throw Error(errc::io, "cannot start a thread: " + failure, Retry::after_backoff);
}

/// Ends the interest in a look-up, also when the waiting coroutine is destroyed.
class Interest {
 public:
  Interest(std::shared_ptr<Lookup> lookup, std::function<void()> notify)
      : lookup_(std::move(lookup)) {
    const std::scoped_lock lock(lookup_->mutex);
    lookup_->notify = std::move(notify);
  }
  ~Interest() {
    const std::scoped_lock lock(lookup_->mutex);
    lookup_->notify = nullptr;
  }
  Interest(const Interest&) = delete;
  Interest& operator=(const Interest&) = delete;
  bool done() const {
    const std::scoped_lock lock(lookup_->mutex);
    return lookup_->done;
  }

 private:
  std::shared_ptr<Lookup> lookup_;
};

}  // namespace

Task<Endpoints> resolve_tcp(std::string host, int port) {
  boost::system::error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) {
    co_return Endpoints{asio::ip::tcp::endpoint(address, static_cast<std::uint16_t>(port))};
  }
  const auto executor = co_await asio::this_coro::executor;
  const auto lookup = std::make_shared<Lookup>();
  const auto woken =
      std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  auto& context = asio::query(executor, asio::execution::context);
  const auto loop = asio::use_service<LoopWatch>(context).state();
  const Interest interest(lookup, [executor, woken, loop] {
    const std::scoped_lock lock(loop->mutex);
    if (!loop->gone) asio::post(executor, [woken] { woken->cancel(); });
  });
  start_thread(lookup, host, std::to_string(port));
  while (!interest.done()) {
    boost::system::error_code ignored;
    co_await woken->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  const std::scoped_lock lock(lookup->mutex);
  if (!lookup->failure.empty()) {
    throw Error(errc::io, fmt::format("{}: {}", host, lookup->failure), Retry::after_backoff);
  }
  co_return lookup->found;
}

}  // namespace botburrow::net
