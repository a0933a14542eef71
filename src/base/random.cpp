#include "base/random.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"

#include <fmt/format.h>

#include <sys/random.h>

#include <array>
#include <utility>

namespace botburrow {
namespace {

void fill(void* out, std::size_t size) {
  auto* at = static_cast<unsigned char*>(out);
  while (size > 0) {
    const auto got = ::getrandom(at, size, 0);
    if (got < 0) continue;  // Only a signal can interrupt it.
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

// Numbers are fetched many at a time: a call into the kernel for each would be dearer than what it
// is for. Nothing here forks without exec, so no two processes share a batch.
class KernelRandom final : public Random {
 public:
  std::uint64_t next() override {
    thread_local std::array<std::uint64_t, 32> batch;
    thread_local std::size_t left = 0;
    if (left == 0) {
      fill(batch.data(), sizeof batch);
      left = batch.size();
    }
    return std::exchange(batch[--left], 0);
  }
};

}  // namespace

double Random::unit() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

std::chrono::nanoseconds Random::jitter(std::chrono::nanoseconds d, double share) {
  const double factor = 1.0 - share + 2.0 * share * unit();
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(d.count()) * factor));
}

std::string Random::uuid4() {
  const std::uint64_t a = (next() & ~0xf000ULL) | 0x4000ULL;
  const std::uint64_t b = (next() & ~(0xc0ULL << 56)) | (0x80ULL << 56);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xffff,
                     b >> 48, b & 0xffffffffffffULL);
}

Random& system_random() {
  static KernelRandom random;
  return random;
}

// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t SeededRandom::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::string random_hex(std::size_t count) {
  std::string bytes(count, '\0');
  fill(bytes.data(), bytes.size());
  return to_hex(bytes);
}

}  // namespace botburrow
