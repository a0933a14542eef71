#pragma once

#include "base/log.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

namespace botburrow::test {

/// Keeps every line, for tests that look for events.
class LogLines final : public LogSink {
 public:
  void write(LogLevel, std::string_view line) override {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(line);
  }
  /// Lines of the event that also hold the text.
  std::size_t count(std::string_view event, std::string_view also = "") const {
    const std::lock_guard lock(mutex_);
    const auto wanted = fmt::format("\"event\":\"{}\"", event);
    return static_cast<std::size_t>(std::ranges::count_if(lines_, [&](const std::string& line) {
      return line.find(wanted) != std::string::npos && line.find(also) != std::string::npos;
    }));
  }
  std::string all() const {
    const std::lock_guard lock(mutex_);
    return fmt::format("{}", fmt::join(lines_, "\n"));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace botburrow::test
