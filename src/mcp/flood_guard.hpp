#pragma once

#include <cstddef>

namespace botburrow::mcp {

/// Tells a peer that talks from one that only keeps us busy: what nobody waits for (notifications,
/// requests, garbage, answers to nothing) is counted until it answers a request again.
class FloodGuard {
 public:
  struct Limits {
    std::size_t messages_max = 10'000;
    std::size_t bytes_max = 64u << 20;
  };
  FloodGuard() : FloodGuard(Limits()) {}
  explicit FloodGuard(Limits limits) : limits_(limits) {}

  /// False once it is too much.
  bool unasked(std::size_t bytes) {
    ++messages_;
    bytes_ += bytes;
    return messages_ <= limits_.messages_max && bytes_ <= limits_.bytes_max;
  }
  void answered() { messages_ = bytes_ = 0; }

 private:
  Limits limits_;
  std::size_t messages_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace botburrow::mcp
