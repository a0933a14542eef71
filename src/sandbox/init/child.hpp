#pragma once

#include "sandbox/init/protocol.hpp"

#include <sys/types.h>

namespace botburrow::sandbox::init {

class Keeper;

/// A command as it came from the runner; texts end in null.
struct Command {
  const char* directory = nullptr;
  char** argv = nullptr;
  char** environment = nullptr;
  bool only_itself = false;
  wire::Limits limits;
  int stdio[3] = {-1, -1, -1};
  const Keeper* keeper = nullptr;  ///< what keeps it in; null: namespaces do
};

/// Starts it in a session of its own under its limits. Returns once it runs; negative: it could not
/// be started, and that is errno with its sign turned.
pid_t start_child(const Command& command);

}  // namespace botburrow::sandbox::init
