#include "base/log.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <mutex>

namespace botburrow {
namespace {

std::atomic<std::uint64_t> dropped_lines{0};

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

std::string_view colour_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "\033[2m";
    case LogLevel::info:
      return "\033[36m";
    case LogLevel::warning:
      return "\033[33m";
    case LogLevel::error:
      return "\033[31m";
  }
  return "";
}

class FdSink final : public LogSink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}

  void write(LogLevel, std::string_view line) override {
    const std::scoped_lock lock(mutex_);
    std::string whole;
    // The last line was cut off by a full pipe: begin a new one.
    if (cut_) whole.push_back('\n');
    whole += line;
    whole.push_back('\n');
    if (!write_all(whole)) dropped_lines.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  // poll() promises room for one page; a longer write to a blocking pipe would wait for its reader.
  static constexpr std::size_t kPiece = 4096;

  bool write_all(std::string_view rest) {
    const auto end = BootClock::now() + (stalled_ ? std::chrono::milliseconds(0) : kPatience);
    const auto size = rest.size();
    bool fine = true;
    while (fine && !rest.empty()) {
      fine = wait_writable(end);
      const auto wrote = fine ? ::write(fd_, rest.data(), std::min(rest.size(), kPiece)) : 0;
      if (wrote > 0)
        rest.remove_prefix(static_cast<std::size_t>(wrote));
      else if (wrote < 0)
        fine = errno == EINTR || errno == EAGAIN;
    }
    stalled_ = !fine;
    if (rest.size() < size) cut_ = !rest.empty();
    return fine;
  }

  bool wait_writable(Instant end) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - BootClock::now());
      pollfd poll_fd{fd_, POLLOUT, 0};
      const int ready =
          ::poll(&poll_fd, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
      if (ready >= 0) return ready > 0;
      if (errno != EINTR) return false;
    }
  }

  static constexpr auto kPatience = std::chrono::milliseconds(100);
  int fd_;
  std::mutex mutex_;
  bool stalled_ = false;
  bool cut_ = false;
};

class NoSink final : public LogSink {
 public:
  void write(LogLevel, std::string_view) override {}
};

void append_json(std::string& out, const LogField& field) {
  out.push_back(',');
  append_json_string(out, field.key());
  out.push_back(':');
  out += field.json();
}

// JSON lets DEL and the C1 controls (U+0080 to U+009F) through, and terminals obey them.
void append_for_terminal(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == 0x7f) {
      out += "\\u007f";
    } else if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
      out += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
}

void append_console(std::string& out, const LogField& field) {
  out += fmt::format(" {}=", field.key());
  append_for_terminal(out, field.json());
}

}  // namespace

LogField::LogField(std::string_view key, std::string_view value) : key_(key) {
  append_json_string(json_, value);
}
LogField::LogField(std::string_view key, bool value) : key_(key), json_(value ? "true" : "false") {}
LogField::LogField(std::string_view key, double value)
    : key_(key), json_(std::isfinite(value) ? fmt::format("{}", value) : "null") {}
LogField LogField::integer(std::string_view key, std::int64_t value) {
  return {key, fmt::format("{}", value), 0};
}
LogField LogField::natural(std::string_view key, std::uint64_t value) {
  return {key, fmt::format("{}", value), 0};
}
LogField LogField::raw(std::string_view key, std::string json) {
  return {key, std::move(json), 0};
}

Log::Log(std::shared_ptr<LogSink> sink, Options options)
    : sink_(std::move(sink)), options_(options) {}

Log Log::none() {
  static const auto sink = std::make_shared<NoSink>();
  return Log(sink, {.level = LogLevel::error});
}

Log Log::with(std::initializer_list<LogField> fields) const {
  auto context = std::make_shared<std::string>(context_ ? *context_ : "");
  for (const auto& field : fields) {
    if (options_.format == LogFormat::json)
      append_json(*context, field);
    else
      append_console(*context, field);
  }
  Log copy = *this;
  copy.context_ = std::move(context);
  return copy;
}

bool Log::enabled(LogLevel level) const {
  return level >= options_.level;
}

void Log::debug(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::debug, event, fields);
}
void Log::info(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::info, event, fields);
}
void Log::warning(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::warning, event, fields);
}
void Log::error(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::error, event, fields);
}

void Log::write(LogLevel level, std::string_view event,
                std::initializer_list<LogField> fields) const {
  if (!enabled(level)) return;
  const auto now = to_rfc3339(std::chrono::system_clock::now());
  std::string line;
  if (options_.format == LogFormat::json) {
    line = fmt::format(R"({{"timestamp":"{}","level":"{}","event":)", now, name_of(level));
    append_json_string(line, event);
    if (context_) line += *context_;
    for (const auto& field : fields)
      append_json(line, field);
    line.push_back('}');
  } else {
    const auto clock = std::string_view(now).substr(11, 12);
    line = options_.colour ? fmt::format("\033[2m{}\033[0m {}{:<7}\033[0m \033[1m{}\033[0m", clock,
                                         colour_of(level), name_of(level), event)
                           : fmt::format("{} {:<7} {}", clock, name_of(level), event);
    for (const auto& field : fields)
      append_console(line, field);
    if (context_) line += *context_;
  }
  sink_->write(level, line);
}

std::shared_ptr<LogSink> fd_log_sink(int fd) {
  return std::make_shared<FdSink>(fd);
}

std::uint64_t log_lines_dropped() {
  return dropped_lines.load(std::memory_order_relaxed);
}

bool LogThrottle::allow(Instant now) {
  if (last_ && now - *last_ < period_) return false;
  last_ = now;
  return true;
}

}  // namespace botburrow
