#pragma once

#include "base/time.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::net {

/// Which of the failed attempts to reach one server deserve a line in the log: the first, the first
/// for a new reason (never two within a second), and then one after 1, 2, 4 … 60 s.
class RedisOutage {
 public:
  struct Told {
    std::uint64_t attempts = 0;  ///< failed since the outage began
    double seconds = 0;          ///< since then
  };
  /// Counts an attempt; what to tell about the outage if a line is due.
  std::optional<Told> failed(std::string_view reason, Instant now);
  /// It is over; nothing where there was none.
  std::optional<Told> ended(Instant now);

 private:
  Told told(Instant now) const;
  std::uint64_t attempts_ = 0;
  Instant begun_{};
  Instant line_at_{};
  std::chrono::nanoseconds pause_{};
  std::string reason_;
};

/// The outage that all connections to `url` on one io_context share: it tells of it once, not once
/// for each of them. Lives as long as the io_context.
RedisOutage& outage_of(const boost::asio::any_io_executor& executor, const std::string& url);

}  // namespace botburrow::net
