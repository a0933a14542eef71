#include "tests/fuzz/targets.hpp"

#include <cstdio>
#include <cstdlib>

namespace botburrow::fuzz {

void fail(std::string_view what) {
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace botburrow::fuzz
