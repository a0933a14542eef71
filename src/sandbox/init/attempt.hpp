#pragma once

namespace botburrow::sandbox::init {

/// `attempt FILE PID PORT`: tries to get out, with what the runner knows to be outside: a file to
/// read, its process, a port of its 127.0.0.1. Prints a line for each way that is open (`escaped
/// ...`), for each thing that should work and does not (`broken ...`), and `done` at the end.
int attempt(int argc, char** argv);

}  // namespace botburrow::sandbox::init
