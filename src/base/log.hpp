#pragma once

#include "base/time.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow {

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { json, console };

/// One name and value of a log line. Strings are escaped; `raw` is JSON already.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value);
  LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value)
      : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, bool value);
  LogField(std::string_view key, double value);
  template <std::signed_integral I>
  LogField(std::string_view key, I value)
      : LogField(integer(key, static_cast<std::int64_t>(value))) {}
  template <std::unsigned_integral I>
  LogField(std::string_view key, I value)
      : LogField(natural(key, static_cast<std::uint64_t>(value))) {}
  /// A value that is JSON text already, such as a list of names.
  static LogField raw(std::string_view key, std::string json);

  std::string_view key() const { return key_; }
  const std::string& json() const { return json_; }

 private:
  LogField(std::string_view key, std::string json, int) : key_(key), json_(std::move(json)) {}
  static LogField integer(std::string_view key, std::int64_t value);
  static LogField natural(std::string_view key, std::uint64_t value);
  std::string_view key_;
  std::string json_;
};

/// Where lines go.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// One whole line without its end. Called from any thread.
  virtual void write(LogLevel level, std::string_view line) = 0;
};

/// Writes events, one line each: `{"timestamp":…,"level":…,"event":…,<fields>}` or a readable
/// console form. Copies share the sink; `with` adds fields to every line of the copy. Cheap to
/// copy, safe from any thread.
class Log {
 public:
  struct Options {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::json;
    bool colour = false;
  };
  Log(std::shared_ptr<LogSink> sink, Options options);
  /// Drops everything; for tests.
  static Log none();

  Log with(std::initializer_list<LogField> fields) const;

  void debug(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void warning(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void error(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  bool enabled(LogLevel level) const;
  LogFormat format() const { return options_.format; }

 private:
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const;
  // context_: the fields of every line, in the form of the log. Copies of a log share them.
  std::shared_ptr<LogSink> sink_;
  Options options_;
  std::shared_ptr<const std::string> context_;
};

/// Lines to a file descriptor (1 = stdout, 2 = stderr), each whole and on a line of its own. A line
/// that cannot be written (a full pipe that nobody reads) is waited for at most 100 ms in all, then
/// counted and dropped; lines after it are not waited for until one gets through. The descriptor
/// may be blocking or not.
std::shared_ptr<LogSink> fd_log_sink(int fd);

/// Lines dropped by all sinks of this process so far: botburrow_log_dropped_total.
std::uint64_t log_lines_dropped();

/// Lets an often repeated line through at first and then once a period.
class LogThrottle {
 public:
  explicit LogThrottle(std::chrono::nanoseconds period) : period_(period) {}
  bool allow(Instant now);
  void reset() { last_.reset(); }

 private:
  std::chrono::nanoseconds period_;
  std::optional<Instant> last_;
};

}  // namespace botburrow
