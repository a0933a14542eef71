#include "base/task.hpp"

#include "base/error.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <list>
#include <utility>
#include <vector>

namespace botburrow {

namespace asio = boost::asio;

namespace {

struct OneTask {
  std::string name;
  std::function<Task<>()> body;
  asio::cancellation_signal signal;
  bool started = false;
};

}  // namespace

struct TaskGroup::State {
  asio::any_io_executor executor;
  FailureHandler on_failure;
  std::list<OneTask> tasks;
  std::vector<asio::steady_timer*> joiners;
  bool cancelled = false;

  // Emitting may end tasks at once, which changes the list: emit from a copy of the addresses. A
  // task that has not started yet would lose the signal; it looks at `cancelled` when it starts.
  void emit_to_all() {
    std::vector<OneTask*> started;
    for (auto& task : tasks) {
      if (task.started) started.push_back(&task);
    }
    for (auto* task : started) {
      const auto alive =
          std::find_if(tasks.begin(), tasks.end(), [&](const auto& one) { return &one == task; });
      if (alive != tasks.end()) alive->signal.emit(asio::cancellation_type::all);
    }
  }

  static Task<> run_one(std::shared_ptr<State> state, OneTask* task) {
    // co_spawn lets only terminal cancellation through; the waits below understand all kinds.
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    task->started = true;
    if (state->cancelled) asio::post(state->executor, [state] { state->emit_to_all(); });
    co_await task->body();
  }

  static Task<> drained(std::shared_ptr<State> state) {
    while (!state->tasks.empty()) {
      asio::steady_timer timer(state->executor, asio::steady_timer::time_point::max());
      state->joiners.push_back(&timer);
      boost::system::error_code ignored;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      std::erase(state->joiners, &timer);
    }
  }

  void ended(std::list<OneTask>::iterator task, std::exception_ptr failure) {
    const std::string name = task->name;
    tasks.erase(task);
    if (failure && !is_cancellation(failure) && on_failure) on_failure(name, failure);
    if (tasks.empty()) {
      for (auto* timer : joiners)
        timer->cancel();
    }
  }
};

TaskGroup::TaskGroup(asio::any_io_executor executor, FailureHandler on_failure)
    : state_(std::make_shared<State>(
          State{std::move(executor), std::move(on_failure), {}, {}, false})) {}

TaskGroup::~TaskGroup() {
  // An io_context that is destroyed with suspended tasks takes the frames with it; the group then
  // outlives nothing. Otherwise its owner forgot to join.
  BB_ASSERT(state_->tasks.empty());
}

void TaskGroup::spawn(std::string name, std::function<Task<>()> body) {
  state_->tasks.emplace_back();
  auto task = std::prev(state_->tasks.end());
  task->name = std::move(name);
  task->body = std::move(body);
  asio::co_spawn(state_->executor, State::run_one(state_, &*task),
                 asio::bind_cancellation_slot(task->signal.slot(),
                                              [state = state_, task](std::exception_ptr failure) {
                                                state->ended(task, std::move(failure));
                                              }));
}

void TaskGroup::cancel() {
  state_->cancelled = true;
  state_->emit_to_all();
}

Task<> TaskGroup::join() {
  co_await shielded(State::drained(state_));
}

Task<> TaskGroup::stop() {
  cancel();
  co_await join();
}

std::size_t TaskGroup::size() const {
  return state_->tasks.size();
}
asio::any_io_executor TaskGroup::executor() const {
  return state_->executor;
}

namespace {

Task<> without_cancellation(Task<> work) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await std::move(work);
}

}  // namespace

Task<> shielded(Task<> work) {
  // A chain of its own, whose state is its own.
  co_await asio::co_spawn(co_await asio::this_coro::executor, without_cancellation(std::move(work)),
                          asio::use_awaitable);
}

Task<> sleep_for(std::chrono::nanoseconds d) {
  asio::steady_timer timer(co_await asio::this_coro::executor, d);
  co_await timer.async_wait(asio::use_awaitable);
}

Task<> yield_once() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

}  // namespace botburrow
