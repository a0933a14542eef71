#include "cli/app.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace {

/// A standard stream that was closed by whoever started us would be the next file that is opened:
/// read as if somebody had typed it, or written over.
void fill_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest number that is free is this one.
    ::open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  fill_closed_streams();
  return botburrow::cli::run(argc, argv);
}
