// Process 1 of a sandbox, and what leads there: a program of its own, static and small, so that a
// sandbox starts in milliseconds and what runs as process 1 is read in an hour. It travels inside
// the runner; see ../init_image.hpp.
#include "sandbox/init/attempt.hpp"
#include "sandbox/init/enter.hpp"
#include "sandbox/init/keep.hpp"
#include "sandbox/init/protocol.hpp"
#include "sandbox/init/serve.hpp"

#include <fcntl.h>

#include <cstring>

int main(int argc, char** argv) {
  using namespace botburrow::sandbox::init;
  const char* const mode = argc > 1 ? argv[1] : "";
  // Before anything else is opened, which could take its number.
  const bool bridged = ::fcntl(botburrow::sandbox::wire::kBridgeFd, F_GETFD) >= 0;
  if (std::strcmp(mode, "serve") == 0) return serve(nullptr, bridged);
  if (std::strcmp(mode, "keep") == 0) {
    Keeper keeper;
    const int failure = Keeper::prepare(argc - 2, argv + 2, keeper);
    return failure < 0 ? -failure : serve(&keeper, bridged);
  }
  if (std::strcmp(mode, "enter") == 0) return enter(argc - 2, argv + 2);
  if (std::strcmp(mode, "attempt") == 0) return attempt(argc - 2, argv + 2);
  return 64;
}
