#include "mcp/stdio_channel.hpp"

#include "base/cleanup.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "mcp/tool_list.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <signal.h>

#include <algorithm>

namespace botburrow::mcp {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
/// What waits to be written: a server that reads nothing must not fill our memory.
constexpr std::size_t kOutgoingBytesMax = 8u << 20;
constexpr std::size_t kShownBytes = 200;
constexpr auto kLinePeriod = std::chrono::seconds(10);

std::string exit_text(const net::ExitStatus& status) {
  if (status.signal != 0) return fmt::format("it was ended by signal {}", status.signal);
  return fmt::format("it ended with exit code {}", status.code);
}

}  // namespace

StdioChannel::Waiter::Waiter(asio::any_io_executor executor, const Exchange& what)
    : request(what), clock(what.times, BootClock::now()), wake(executor) {}

void StdioChannel::Waiter::fail(const Error& error) {
  if (answer || failure) return;
  failure = std::make_exception_ptr(error);
  wake.cancel();
}

/// A waiter's place in the table. Leaving without an answer, by a time-out or because the caller
/// was cancelled, tells the server.
class StdioChannel::Place {
 public:
  Place(StdioChannel& channel, Waiter& waiter) : channel_(channel), waiter_(waiter) {
    channel_.pending_.add(waiter.request.id, waiter);
  }
  ~Place() {
    channel_.pending_.remove(waiter_.request.id);
    if (waiter_.answer || waiter_.failure || channel_.ended_) return;
    if (!waiter_.request.cancellable) {
      channel_.unheeded_.insert(waiter_.request.id);
      return;
    }
    channel_.post(notification_text(
        "notifications/cancelled",
        {{"requestId", waiter_.request.id}, {"reason", "nobody waits for the answer any more"}}));
  }
  Place(const Place&) = delete;

 private:
  StdioChannel& channel_;
  Waiter& waiter_;
};

StdioChannel::StdioChannel(asio::any_io_executor executor, std::unique_ptr<net::Process> process,
                           Limits limits, Log log)
    : executor_(executor),
      process_(std::move(process)),
      limits_(limits),
      log_(std::move(log)),
      framer_(limits.message_bytes_max),
      flood_(limits.flood),
      something_to_write_(executor, asio::steady_timer::time_point::max()),
      invalid_(kLinePeriod),
      mismatched_(kLinePeriod),
      tasks_(executor) {}

StdioChannel::~StdioChannel() = default;

void StdioChannel::attach(ChannelListener& listener) {
  listener_ = &listener;
  tasks_.spawn("mcp stdin", [this] { return write_all(); });
  tasks_.spawn("mcp stdout", [this] { return read_stdout(); });
  tasks_.spawn("mcp stderr", [this] { return read_stderr(); });
}

Error StdioChannel::gone() const {
  return Error(errc::mcp_unavailable, end_reason_, Retry::after_backoff);
}

void StdioChannel::end(std::string why) {
  if (ended_) return;
  ended_ = true;
  end_reason_ = std::move(why);
  outgoing_.clear();
  outgoing_bytes_ = 0;
  something_to_write_.cancel();
  for (auto* waiter : pending_.all())
    waiter->fail(gone());
}

void StdioChannel::post(std::string line) {
  if (ended_) return;
  if (outgoing_bytes_ + line.size() > kOutgoingBytesMax) {
    end("the server does not read what it is sent");
    process_->signal_group(SIGKILL);
    return;
  }
  outgoing_bytes_ += line.size() + 1;
  line += '\n';
  outgoing_.push_back(std::move(line));
  something_to_write_.cancel();
}

Task<> StdioChannel::write_all() {
  while (!ended_) {
    if (outgoing_.empty()) {
      boost::system::error_code ignored;
      co_await something_to_write_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    const std::string line = std::move(outgoing_.front());
    outgoing_.pop_front();
    outgoing_bytes_ -= line.size();
    try {
      co_await process_->write_stdin(line);
    } catch (const Error&) {
      // It closed its stdin. What it says last may still be an answer: stdout tells when it ends.
      outgoing_.clear();
      outgoing_bytes_ = 0;
    }
  }
}

Task<> StdioChannel::read_stdout() {
  for (;;) {
    const auto bytes = co_await process_->read_stdout(kReadBytes);
    if (bytes.empty()) break;
    framer_.feed(
        bytes, [this](std::string_view line) { take_line(line); },
        [this](std::optional<std::int64_t> id, std::size_t size) { take_oversized(id, size); });
    // A server that never pauses must not keep the others from their turn.
    co_await yield_once();
    if (ended_) co_return;
  }
  std::string how = "it closed its stdout";
  try {
    how = exit_text(co_await with_deadline(
        "the server's end", Deadline::in(std::chrono::milliseconds(200)), process_->wait()));
  } catch (const Error&) {
    // It lives on, and is of no use.
  }
  end("the server is gone: " + how);
}

Task<> StdioChannel::read_stderr() {
  for (;;) {
    const auto bytes = co_await process_->read_stderr(kReadBytes);
    if (bytes.empty()) co_return;
    stderr_ += bytes;
    if (stderr_.size() > limits_.stderr_bytes_max)
      stderr_.erase(0, stderr_.size() - limits_.stderr_bytes_max);
  }
}

void StdioChannel::take_line(std::string_view line) {
  for (auto& read : read_messages(line)) {
    if (ended_) return;
    take(std::move(read), line.size());
  }
}

void StdioChannel::take(ReadMessage read, std::size_t bytes) {
  if (!read.message) {
    // Programs that print to stdout are common, and no reason to give up.
    if (invalid_.allow(BootClock::now()))
      log_.warning("mcp_message_invalid", {{"fault", read.fault}});
    return count_unasked(bytes);
  }
  auto& message = *read.message;
  switch (message.kind) {
    case Message::Kind::result:
    case Message::Kind::error:
      return take_answer(std::move(message));
    case Message::Kind::request:
      count_unasked(bytes);
      return post(listener_->answer(message));
    case Message::Kind::notification:
      count_unasked(bytes);
      if (message.method == "notifications/progress") take_progress(message);
      return listener_->heard(message);
  }
}

void StdioChannel::take_answer(Message message) {
  const auto* id = message.id.if_int64();
  if (auto* waiter = id ? pending_.find(*id) : nullptr) {
    flood_.answered();
    if (waiter->answer || waiter->failure) return;
    waiter->answer = std::move(message);
    waiter->wake.cancel();
    return;
  }
  // The server cannot know that nobody waits.
  if (id && unheeded_.erase(*id) != 0) {
    log_.debug("mcp_answer_unheeded", {{"id", *id}});
    return flood_.answered();
  }
  if (mismatched_.allow(BootClock::now())) {
    const bool used = id && pending_.known(*id) == Pending<Waiter>::Known::used;
    log_.warning("mcp_id_mismatch",
                 {{"id", clean_text(utf8_prefix(shown_id(message.id), kShownBytes))},
                  {"msg", used ? "an answer to a request that has had one, or was given up"
                               : "an answer to no request of ours"},
                  {"error", clean_text(utf8_prefix(message.error.message, kShownBytes))}});
  }
  count_unasked(0);
}

void StdioChannel::take_progress(const Message& message) {
  const auto token = int_field(json::value(message.params), "progressToken");
  auto* waiter = token ? pending_.find(*token) : nullptr;
  if (!waiter) return;
  waiter->clock.progressed(BootClock::now());
  if (waiter->request.on_progress) waiter->request.on_progress(message);
}

void StdioChannel::take_oversized(std::optional<std::int64_t> id, std::size_t bytes) {
  if (ended_) return;
  const Error error(errc::limit, fmt::format("a message of {} bytes, over the limit of {} "
                                             "(MCP_OUTPUT_LIMIT_KB)",
                                             bytes, limits_.message_bytes_max));
  auto* waiter = id ? pending_.find(*id) : pending_.only();
  if (waiter) return waiter->fail(error);
  log_.warning("mcp_message_invalid", {{"fault", error.message()}});
  count_unasked(bytes);
}

void StdioChannel::count_unasked(std::size_t bytes) {
  if (flood_.unasked(bytes)) return;
  end("the server floods: it says too much that nobody asked for");
  process_->signal_group(SIGKILL);
}

Task<Message> StdioChannel::exchange(Exchange request) {
  if (ended_) throw gone().with_detail("not_sent");
  Waiter waiter(executor_, request);
  const Place place(*this, waiter);
  post(request_text(request.id, request.method, request.params));
  for (;;) {
    if (waiter.answer) co_return *std::move(waiter.answer);
    if (waiter.failure) std::rethrow_exception(waiter.failure);
    if (waiter.clock.over(BootClock::now())) {
      const bool call = request.method == "tools/call";
      throw Error(errc::timeout,
                  fmt::format("no answer to {} in time ({})", request.method,
                              call ? "MCP_TIMEOUT, MCP_CALL_MAX" : "MCP_START_TIMEOUT"),
                  Retry::after_backoff);
    }
    waiter.wake.expires_after(Deadline::at(waiter.clock.end()).left());
    boost::system::error_code ignored;
    co_await waiter.wake.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
  }
}

Task<> StdioChannel::notify(std::string method, json::object params, Deadline) {
  if (ended_) throw gone().with_detail("not_sent");
  post(notification_text(method, std::move(params)));
  co_return;
}

// Its answer is the stream of notifications, which come like any other; it ends with the process.
void StdioChannel::listen_for_changes(std::int64_t id, json::object params) {
  if (id == 0) return;  // Servers of the older era tell unasked.
  pending_.note(id);
  unheeded_.insert(id);
  post(request_text(id, "subscriptions/listen", std::move(params)));
}

namespace {

Task<> wait_for_end(net::Process& process) {
  co_await process.wait();
}

}  // namespace

Task<> StdioChannel::close() {
  if (closed_) co_return;
  closed_ = true;
  end("the server was stopped");
  process_->close_stdin();
  co_await tasks_.stop();
  try {
    co_await with_deadline("the server", Deadline::in(limits_.eof_grace), wait_for_end(*process_));
  } catch (const Error&) {
    log_.debug("mcp_server_killed", {{"msg", "it did not end when its stdin was closed"}});
  }
  co_await process_->terminate(limits_.term_grace);
}

}  // namespace botburrow::mcp
