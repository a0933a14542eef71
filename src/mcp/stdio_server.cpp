#include "mcp/stdio_server.hpp"

#include "base/cleanup.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "mcp/line_framer.hpp"
#include "mcp/server_call.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <memory>

namespace botburrow::mcp {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kOutgoingBytesMax = 1u << 20;
/// For calls under way when the client has closed its end.
constexpr auto kFinishTime = std::chrono::seconds(5);

/// Whether the kernel can say when a descriptor is ready. It does not for plain files, /dev/null
/// and the like, which always are; Asio would take them, and then never or badly wake.
bool can_be_waited_for(int fd) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  const bool can = epoll >= 0 && ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
  if (epoll >= 0) ::close(epoll);
  return can;
}

/// A descriptor that is waited for where that is possible. Its mode is left alone, because others
/// may hold the same open file.
class Waitable {
 public:
  Waitable(const asio::any_io_executor& executor, int fd) : fd_(fd), waits_(executor) {
    if (!can_be_waited_for(fd)) return;
    boost::system::error_code not_taken;
    const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    waits_.assign(own, not_taken);
    if (not_taken && own >= 0) ::close(own);
  }

  Task<> readable() { return ready(Descriptor::wait_read); }
  Task<> writable() { return ready(Descriptor::wait_write); }
  int fd() const { return fd_; }

 private:
  using Descriptor = asio::posix::stream_descriptor;
  Task<> ready(Descriptor::wait_type what) {
    if (waits_.is_open())
      co_await waits_.async_wait(what, asio::use_awaitable);
    else
      co_await yield_once();  // a long file must not keep the calls from their turn
  }

  int fd_;
  Descriptor waits_;
};

class StdioServer;

/// A call of a client, running.
struct RunningCall final : CallProgress {
  RunningCall(StdioServer& where, json::value call_id, json::value token)
      : server(where), id(std::move(call_id)), progress_token(std::move(token)) {}
  Task<> progressed(double done, std::optional<double> total, std::string message) override;

  StdioServer& server;
  json::value id;
  json::value progress_token;
  bool withdrawn = false;  ///< its answer is not wanted any more
};

class StdioServer {
 public:
  StdioServer(const asio::any_io_executor& executor, const ServerRules& rules,
              StdioServerOptions options, Log log)
      : rules_(rules),
        options_(options),
        log_(std::move(log)),
        in_(executor, options.in),
        out_(executor, options.out),
        executor_(executor),
        framer_(options.message_bytes_max),
        something_said_(executor, asio::steady_timer::time_point::max()),
        something_done_(executor, asio::steady_timer::time_point::max()),
        writer_(executor) {}

  Task<> serve() {
    writer_.spawn("mcp stdout", [this] { return write_all(); });
    co_await with_cleanup<void>(read_and_finish(), [this] { return stop(); });
    if (!out_fault_.empty()) throw Error(errc::io, out_fault_);
  }

  void say(std::string text) {
    if (!out_fault_.empty()) return;
    text += '\n';
    outgoing_bytes_ += text.size();
    outgoing_.push_back(std::move(text));
    something_said_.cancel();
  }

  /// Waits while a client that does not read has much to read.
  Task<> room() {
    while (outgoing_bytes_ > kOutgoingBytesMax && out_fault_.empty())
      co_await until(something_done_);
  }

 private:
  /// A call of the client, under way.
  struct Call {
    Call(const asio::any_io_executor& executor, std::unique_ptr<RunningCall> what)
        : running(std::move(what)), group(executor) {}
    std::unique_ptr<RunningCall> running;
    TaskGroup group;
  };

  static Task<> until(asio::steady_timer& event) {
    boost::system::error_code ignored;
    co_await event.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  Task<> read_and_finish() {
    co_await read_all();
    // Whoever sends all requests at once and closes the pipe still wants the answers.
    try {
      co_await with_deadline("calls under way", Deadline::in(kFinishTime), all_done());
    } catch (const Error&) {
      log_.warning("mcp_calls_cut", {{"calls", calls_under_way_}});
    }
  }

  Task<> all_done() {
    while ((calls_under_way_ > 0 || !outgoing_.empty() || writing_) && out_fault_.empty())
      co_await until(something_done_);
  }

  Task<> read_all() {
    std::array<char, kReadBytes> buffer{};
    while (out_fault_.empty()) {
      co_await in_.readable();
      const auto got = ::read(in_.fd(), buffer.data(), buffer.size());
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) co_return;
      std::deque<std::string> lines;
      framer_.feed(
          {buffer.data(), static_cast<std::size_t>(got)},
          [&lines](std::string_view line) { lines.emplace_back(line); },
          [this](std::optional<std::int64_t> id, std::size_t bytes) { too_long(id, bytes); });
      for (auto& line : lines)
        co_await take_line(std::move(line));
      co_await room();
    }
  }

  void too_long(std::optional<std::int64_t> id, std::size_t bytes) {
    log_.error("invalid_json", {{"error", "a message over the limit"}, {"bytes", bytes}});
    say(error_text(id ? json::value(*id) : json::value(nullptr),
                   {.code = rpc_code::kInvalidRequest,
                    .message = fmt::format("a message is at most {} bytes long",
                                           options_.message_bytes_max)}));
  }

  // Requests of a batch are answered one by one.
  Task<> take_line(std::string line) {
    for (auto& read : read_messages(line)) {
      if (!read.message) {
        log_.error("invalid_json", {{"error", read.fault}});
        say(rules_.refuse(read));
      } else {
        co_await take(*std::move(read.message));
      }
    }
  }

  Task<> take(Message message) {
    auto step = rules_.step(message);
    switch (step.kind) {
      case ServerStep::Kind::nothing:
        co_return;
      case ServerStep::Kind::answer:
      case ServerStep::Kind::subscribe:
        co_return say(std::move(step.reply));
      case ServerStep::Kind::cancel:
        co_return withdraw(step.cancelled);
      case ServerStep::Kind::call:
        break;
    }
    while (calls_under_way_ >= options_.calls_max)
      co_await until(something_done_);
    begin_call(std::move(message.id), std::move(step));
  }

  void begin_call(json::value id, ServerStep step) {
    std::erase_if(calls_, [](const Call& call) { return call.group.size() == 0; });
    auto& call = calls_.emplace_back(
        executor_, std::make_unique<RunningCall>(*this, std::move(id), step.progress_token));
    ++calls_under_way_;
    call.group.spawn("mcp call",
                     [this, &call, step = std::move(step)] { return run(*call.running, step); });
  }

  Task<> run(RunningCall& call, ServerStep step) {
    std::string answer;
    try {
      answer = co_await run_call(rules_, call.id, std::move(step), call, log_);
    } catch (...) {
      // Taken back, or the server stops: nobody is owed an answer.
      call.withdrawn = true;
    }
    --calls_under_way_;
    if (!call.withdrawn) say(std::move(answer));
    something_done_.cancel();
  }

  void withdraw(const json::value& id) {
    for (auto& call : calls_) {
      if (call.running->id != id || call.running->withdrawn) continue;
      call.running->withdrawn = true;
      call.group.cancel();
    }
  }

  Task<> write_all() {
    for (;;) {
      if (outgoing_.empty()) {
        co_await until(something_said_);
        continue;
      }
      const std::string text = std::move(outgoing_.front());
      outgoing_.pop_front();
      writing_ = true;
      co_await write(text);
      writing_ = false;
      outgoing_bytes_ -= text.size();
      something_done_.cancel();
    }
  }

  Task<> write(std::string_view rest) {
    while (!rest.empty() && out_fault_.empty()) {
      co_await out_.writable();
      // A pipe that is ready takes this much without making us wait.
      const auto put =
          ::write(out_.fd(), rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
      if (put > 0) rest.remove_prefix(static_cast<std::size_t>(put));
      if (put < 0 && errno != EINTR && errno != EAGAIN)
        out_fault_ = fmt::format("the client no longer reads: {}", ::strerror(errno));
    }
  }

  Task<> stop() {
    for (auto& call : calls_)
      co_await call.group.stop();
    calls_.clear();
    co_await writer_.stop();
  }

  const ServerRules& rules_;
  StdioServerOptions options_;
  Log log_;
  Waitable in_, out_;
  asio::any_io_executor executor_;
  LineFramer framer_;
  std::deque<std::string> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  bool writing_ = false;
  std::string out_fault_;
  std::size_t calls_under_way_ = 0;
  asio::steady_timer something_said_, something_done_;
  std::list<Call> calls_;
  TaskGroup writer_;
};

Task<> RunningCall::progressed(double done, std::optional<double> total, std::string message) {
  if (progress_token.is_null() || withdrawn) co_return;
  server.say(ServerRules::progress_text(progress_token, done, total, message));
  co_await server.room();
}

}  // namespace

Task<> serve_stdio(const ServerRules& rules, StdioServerOptions options, Log log) {
  StdioServer server(co_await asio::this_coro::executor, rules, options, std::move(log));
  co_await server.serve();
}

}  // namespace botburrow::mcp
