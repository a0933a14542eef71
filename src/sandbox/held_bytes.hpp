#pragma once

#include <cstddef>

namespace botburrow::sandbox {

/// Bytes that all connections of one sandbox may hold in the runner's memory together.
struct HeldBytesBudget {
  std::size_t left = std::size_t{64} << 20;
};

/// What one of them holds of it; given back at its end.
class HeldBytes {
 public:
  explicit HeldBytes(HeldBytesBudget& budget) : budget_(budget) {}
  ~HeldBytes() { give(held_); }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  /// False, and nothing is taken, where so much is not left.
  bool take(std::size_t bytes) {
    if (bytes > budget_.left) return false;
    budget_.left -= bytes;
    held_ += bytes;
    return true;
  }
  void give(std::size_t bytes) {
    budget_.left += bytes;
    held_ -= bytes;
  }

 private:
  HeldBytesBudget& budget_;
  std::size_t held_ = 0;
};

}  // namespace botburrow::sandbox
