#include "sandbox/cell.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "sandbox/cell_process.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace botburrow::sandbox {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// Process 1 does what it is asked at once; longer than this, and something is wrong with it.
constexpr auto kAnswerTime = 10s;
constexpr auto kStopTime = 5s;
constexpr auto kQuotaPeriod = 1s;
constexpr std::size_t kLastWordsBytes = 2000;
/// Threads of ours and of a garbage collector each count.
constexpr std::uint32_t kTasksPerProcess = 8;

Cut cut_of(wire::Cut cut) {
  switch (cut) {
    case wire::Cut::memory:
      return Cut::memory;
    case wire::Cut::processes:
      return Cut::processes;
    case wire::Cut::cpu:
      return Cut::cpu;
    case wire::Cut::unwatched:
      return Cut::unwatched;
    case wire::Cut::files:
      return Cut::files;
    case wire::Cut::none:
      break;
  }
  return Cut::none;
}

std::string texts_of(const Command& command) {
  std::string texts;
  const auto add = [&texts](const std::string& text) {
    if (text.find('\0') != std::string::npos)
      throw Error(errc::invalid_argument, "cannot start a program: a text with a zero byte");
    texts.append(text).push_back('\0');
  };
  add(command.working_directory);
  std::ranges::for_each(command.argv, add);
  std::ranges::for_each(command.environment, add);
  return texts;
}

[[noreturn]] void throw_refused(const Command& command, int number) {
  const auto& program = command.argv.front();
  if (number == ENOENT)
    throw Error(errc::not_found, fmt::format("program {} not found in the sandbox", program));
  throw Error(errc::io,
              fmt::format("cannot start {} in the sandbox: {}", program, ::strerror(number)));
}

[[noreturn]] void throw_gone() {
  throw Error(errc::io, "the sandbox has ended", Retry::after_backoff);
}

}  // namespace

struct Cell::Measurement {
  Measurement(asio::any_io_executor executor, std::uint32_t number) : id(number), done(executor) {}
  std::uint32_t id;
  StopSource done;
  std::optional<SandboxUsage> usage;
};

Cell::Cell(asio::any_io_executor executor, Parts parts)
    : executor_(executor),
      launcher_(std::move(parts.launcher)),
      control_(executor, parts.control.release()),
      limits_(parts.limits),
      limits_tasks_(parts.limits_tasks),
      over_quota_(std::move(parts.over_quota)),
      workspace_(std::move(parts.workspace)),
      home_(std::move(parts.home)),
      tasks_(executor) {}

Cell::~Cell() = default;

Task<std::string> Cell::last_words() {
  std::string words;
  const auto read = [this, &words]() -> Task<> {
    for (auto bytes = co_await launcher_->read_stderr(kLastWordsBytes);
         !bytes.empty() && words.size() < kLastWordsBytes;
         bytes = co_await launcher_->read_stderr(kLastWordsBytes))
      words += bytes;
  };
  try {
    co_await with_deadline("its last words", Deadline::in(1s), read());
  } catch (const Error&) {
  }
  while (!words.empty() && (words.back() == '\n' || words.back() == ' '))
    words.pop_back();
  std::ranges::replace(words, '\n', ' ');
  co_return words;
}

Task<> Cell::begin(Deadline deadline) {
  const auto first_tell = [this]() -> Task<bool> {
    for (;;) {
      wire::Tell tell;
      const auto got = receive_tell(control_.native_handle(), tell);
      if (got == Got::message) co_return tell.kind == wire::TellKind::ready;
      if (got == Got::closed) co_return false;
      co_await control_.async_wait(Descriptor::wait_read, asio::use_awaitable);
    }
  };
  bool ready = false;
  std::string why = "no answer in time";
  try {
    ready = co_await with_deadline("the sandbox", deadline.sooner_of(kAnswerTime), first_tell());
    if (!ready) why = co_await last_words();
  } catch (const Error& error) {
    if (error.code() != errc::timeout) throw;
  }
  if (!ready) {
    gone_ = true;
    throw Error(errc::io, fmt::format("the sandbox did not start: {}",
                                      why.empty() ? "it ended without a word" : why));
  }
  begun_ = true;
  tasks_.spawn("sandbox", [this] { return listen(); });
}

Task<> Cell::listen() {
  for (;;) {
    wire::Tell tell;
    const auto got = receive_tell(control_.native_handle(), tell);
    if (got == Got::closed) break;
    if (got == Got::message)
      hear(tell);
    else
      co_await control_.async_wait(Descriptor::wait_read, asio::use_awaitable);
  }
  lose();
}

void Cell::hear(const wire::Tell& tell) {
  if (tell.kind == wire::TellKind::measured) {
    if (!measurement_ || measurement_->id != tell.id) return;
    measurement_->usage = SandboxUsage{.memory_bytes = tell.memory_bytes,
                                       .processes = tell.processes,
                                       .cpu = std::chrono::milliseconds(tell.cpu_ms)};
    measurement_->done.stop();
    return;
  }
  if (!command_ || command_->id != tell.id || command_->ended.stopped()) return;
  switch (tell.kind) {
    case wire::TellKind::started:
      return command_->answered.stop();
    case wire::TellKind::refused:
      command_->refused = tell.error == 0 ? EIO : tell.error;
      break;
    case wire::TellKind::ended:
      command_->status = {.code = tell.code, .signal = tell.signal};
      if (command_->cut == Cut::none) command_->cut = cut_of(tell.cut);
      break;
    case wire::TellKind::held:
      command_->removed_bytes = tell.removed_bytes;
      return;
    case wire::TellKind::ready:
    case wire::TellKind::measured:
      return;
  }
  command_->answered.stop();
  command_->ended.stop();
  // Process 1 ends by itself: nobody is to begin something in there meanwhile.
  if (command_->cut == Cut::files) lose();
}

// Process 1 is dead, and with it all of its sandbox.
void Cell::lose() {
  gone_ = true;
  kill();
  if (command_ && !command_->ended.stopped()) {
    command_->status = {.code = -1, .signal = SIGKILL};
    if (command_->cut == Cut::none) command_->cut = Cut::gone;
    if (!command_->answered.stopped()) command_->refused = ECONNRESET;
    command_->answered.stop();
    command_->ended.stop();
  }
  if (measurement_) measurement_->done.stop();
}

void Cell::kill() {
  launcher_->signal_group(SIGKILL);
}

Task<> Cell::send(const wire::Ask& ask, std::string texts, std::vector<int> fds) {
  for (;;) {
    if (!usable()) throw_gone();
    const auto sent = send_ask(control_.native_handle(), ask, texts, fds);
    if (sent == Sent::yes) co_return;
    if (sent == Sent::never) throw_gone();
    co_await control_.async_wait(Descriptor::wait_write, asio::use_awaitable);
  }
}

wire::Limits Cell::limits_until(Deadline deadline) const {
  const auto seconds = std::chrono::duration<double>(deadline.left()).count();
  return {
      .memory_bytes = limits_.memory_bytes,
      .file_bytes = limits_.file_bytes_max,
      .cpu_seconds = static_cast<std::uint64_t>(std::max(1.0, std::ceil(limits_.cpu * seconds))),
      .processes = limits_.processes_max,
      .tasks = limits_tasks_ ? limits_.processes_max * kTasksPerProcess : 0,
      .open_files = limits_.open_files_max};
}

Task<std::unique_ptr<SandboxedProcess>> Cell::spawn(Command command, Deadline deadline) {
  BB_ASSERT(!command.argv.empty());
  if (command.working_directory.empty()) command.working_directory = workspace_;
  if (command_) {
    co_await with_deadline("the command before", deadline.sooner_of(kAnswerTime),
                           command_->ended.wait());
  }
  if (!usable()) throw_gone();
  auto texts = texts_of(command);
  if (sizeof(wire::Ask) + texts.size() > wire::kMessageBytesMax) {
    throw Error(errc::limit, fmt::format("the command with its environment is {} bytes long, at "
                                         "most {} are possible",
                                         texts.size(), wire::kMessageBytesMax - sizeof(wire::Ask)));
  }
  auto pipes = CellProcess::make_pipes(command.want_stdin);
  const wire::Ask ask{.kind = wire::AskKind::start,
                      .id = ++last_id_,
                      .argc = static_cast<std::uint32_t>(command.argv.size()),
                      .envc = static_cast<std::uint32_t>(command.environment.size()),
                      .only_itself = command.only_itself ? 1U : 0U,
                      .limits = limits_until(deadline)};
  const auto running = std::make_shared<RunningCommand>(executor_, ask.id);
  std::vector<int> theirs{pipes.in.theirs.get(), pipes.out.theirs.get(), pipes.err.theirs.get()};
  co_await send(ask, std::move(texts), std::move(theirs));
  command_ = running;
  pipes.close_theirs();
  // From here on it dies with this, also when the caller is cancelled before it is answered.
  auto process = std::make_unique<CellProcess>(executor_, *this, running, std::move(pipes));
  try {
    co_await with_deadline("starting a program", Deadline::in(kAnswerTime),
                           running->answered.wait());
  } catch (const Error&) {
    lose();
    throw;
  }
  if (running->refused != 0) throw_refused(command, running->refused);
  if (over_quota_) tasks_.spawn("quota", [this, running] { return watch_quota(running); });
  co_return process;
}

Task<> Cell::watch_quota(std::shared_ptr<RunningCommand> command) {
  std::chrono::nanoseconds period = kQuotaPeriod;
  for (;;) {
    try {
      co_await with_deadline("the command", Deadline::in(period), command->ended.wait());
      co_return;
    } catch (const Error&) {
      // It still runs.
    }
    const auto begun = BootClock::now();
    if (co_await over_quota_(command->removed_bytes)) break;
    // Looking must not become the main work.
    period = std::max<std::chrono::nanoseconds>(kQuotaPeriod, 10 * (BootClock::now() - begun));
  }
  if (command->ended.stopped()) co_return;
  command->cut = Cut::quota;
  signal(*command, SIGKILL);
}

Task<SandboxUsage> Cell::measure() {
  const wire::Ask ask{.kind = wire::AskKind::measure, .id = ++last_id_};
  const auto measurement = std::make_shared<Measurement>(executor_, ask.id);
  measurement_ = measurement;
  co_await send(ask, "", {});
  co_await with_deadline("measuring the sandbox", Deadline::in(kAnswerTime),
                         measurement->done.wait());
  if (!measurement->usage) throw_gone();
  co_return *measurement->usage;
}

void Cell::signal(const RunningCommand& command, int number) {
  if (!usable() || command_.get() != &command || command.ended.stopped()) return;
  const wire::Ask ask{.kind = wire::AskKind::signal, .id = command.id, .signal = number};
  // A socket that is full is one that nobody reads any more.
  if (send_ask(control_.native_handle(), ask, "", {}) != Sent::yes) kill();
}

// Process 1 hears the end of its socket, kills what runs, and ends; the launcher ends after it. So
// when the launcher has ended by itself, nothing is left that could still write somewhere.
Task<> Cell::stop() {
  if (std::exchange(stopped_, true)) co_return;
  gone_ = true;
  ::shutdown(control_.native_handle(), SHUT_RDWR);
  co_await tasks_.stop();
  try {
    co_await with_deadline("the sandbox", Deadline::in(kStopTime), launcher_->wait());
  } catch (const Error&) {
    // Then the hard way.
  }
  lose();
  co_await launcher_->terminate(0ns);
}

}  // namespace botburrow::sandbox
