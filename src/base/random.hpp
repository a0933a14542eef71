#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace botburrow {

/// Where randomness comes from, so that tests own it.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  /// In [0, 1).
  double unit();
  /// `d` times a factor in [1 - share, 1 + share].
  std::chrono::nanoseconds jitter(std::chrono::nanoseconds d, double share);
  /// A UUID of version 4, lower case.
  std::string uuid4();
};

/// The kernel's generator; also for keys.
Random& system_random();

/// The same seed gives the same numbers. For tests and simulations only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::uint64_t state_;
};

/// `count` bytes of the kernel's generator, as lower-case hex.
std::string random_hex(std::size_t count);

}  // namespace botburrow
