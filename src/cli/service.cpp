#include "cli/service.hpp"

#include "base/error.hpp"
#include "base/resident.hpp"
#include "cli/exit_code.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace botburrow::cli {

namespace asio = boost::asio;

namespace {

/// As `nohup` leaves it to those it starts.
bool is_ignored(int signal) {
  struct sigaction now{};
  return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

std::string_view name_of_signal(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "another";
  }
}

}  // namespace

struct StopRequest::State : std::enable_shared_from_this<State> {
  explicit State(const asio::any_io_executor& executor)
      : signals(executor, SIGINT, SIGTERM),
        first(executor, asio::steady_timer::time_point::max()),
        second(executor, asio::steady_timer::time_point::max()) {
    if (!is_ignored(SIGHUP)) signals.add(SIGHUP);
  }

  void listen() {
    signals.async_wait(
        [self = shared_from_this()](const boost::system::error_code& error, int signal) {
          if (error) return;
          self->note(signal);
          self->listen();
        });
  }

  void note(int signal) {
    if (signal_name.empty()) signal_name = name_of_signal(signal);
    // A terminal that closes may say so twice, which is nobody's wish for haste.
    if (signal == SIGHUP && count > 0) return;
    request();
  }

  void request() {
    ++count;
    if (count == 1) first.cancel();
    if (count == 2) second.cancel();
    // Whoever asks three times does not want to wait any more. What is held comes back by its
    // lease.
    if (count >= 3) std::_Exit(exit_code::kInterrupted);
  }

  asio::signal_set signals;
  asio::steady_timer first, second;  // never expire; cancelled when it happens
  int count = 0;
  std::string_view signal_name;  // the first that came
};

StopRequest::StopRequest(asio::any_io_executor executor)
    : state_(std::make_shared<State>(executor)) {
  state_->listen();
}

StopRequest::~StopRequest() {
  boost::system::error_code ignored;
  state_->signals.cancel(ignored);
}

bool StopRequest::requested() const {
  return state_->count >= 1;
}
bool StopRequest::urgent() const {
  return state_->count >= 2;
}
void StopRequest::request() {
  state_->request();
}
void StopRequest::log_to(const Log& log) const {
  if (state_->signal_name.empty()) return;
  log.info("stop_requested",
           {{"signal", state_->signal_name}, {"msg", "running work is finished, or handed back"}});
}

namespace {

/// Waits until `happened`, whose event cancels `timer`. A cancellation of the waiter ends it too.
Task<> wait_for_event(asio::steady_timer& timer, const int& count, int wanted) {
  while (count < wanted) {
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (count < wanted && error) throw boost::system::system_error(error);
  }
}

}  // namespace

Task<> StopRequest::until_requested() {
  const auto state = state_;
  co_await wait_for_event(state->first, state->count, 1);
}

Task<> StopRequest::until_urgent() {
  const auto state = state_;
  co_await wait_for_event(state->second, state->count, 2);
}

namespace {

struct Ending {
  std::exception_ptr failure;
  int code = exit_code::kInternal;
};

/// What co_spawn calls when the body has ended: the loop stops, whatever is still registered in it.
auto note_ending(asio::io_context& io, Ending& ending) {
  return [&io, &ending](std::exception_ptr failure, int code) {
    ending = {failure, code};
    io.stop();
  };
}

}  // namespace

namespace {

constexpr std::chrono::seconds kStartedAfter(2);
constexpr std::chrono::seconds kTrimPeriod(5);

/// Keeps the process as small as what it does: once when it has started, and after bursts.
void keep_small(asio::steady_timer& timer, bool started) {
  timer.expires_after(started ? kTrimPeriod : kStartedAfter);
  timer.async_wait([&timer, started](const boost::system::error_code& error) {
    if (error) return;
    trim_heap();
    if (!started) release_startup_pages();
    keep_small(timer, true);
  });
}

}  // namespace

int run_service(std::function<Task<int>(StopRequest& stop)> body) {
  share_one_heap();
  Ending ending;
  {
    asio::io_context io(1);
    StopRequest stop(io.get_executor());
    asio::steady_timer care(io);
    keep_small(care, false);
    asio::co_spawn(io, body(stop), note_ending(io, ending));
    io.run();
  }
  return ending.failure ? report_failure(ending.failure) : ending.code;
}

int run_command(std::function<Task<int>()> body) {
  Ending ending;
  {
    asio::io_context io(1);
    asio::cancellation_signal cancel;
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      signals.clear();  // the second signal ends the process as it would any other
      cancel.emit(asio::cancellation_type::terminal);
    });
    asio::co_spawn(io, body(),
                   asio::bind_cancellation_slot(cancel.slot(), note_ending(io, ending)));
    io.run();
  }
  return ending.failure ? report_failure(ending.failure) : ending.code;
}

void leave_process(int code) {
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace botburrow::cli
