// One target as libFuzzer calls it; BOTBURROW_FUZZ_TARGET names it.
#include "tests/fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  botburrow::fuzz::BOTBURROW_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
