#pragma once

#include "net/unique_fd.hpp"

namespace botburrow::sandbox {

/// The program of process 1 (src/sandbox/init), which travels inside this one, as a sealed file
/// without a name: whoever holds the descriptor starts it by its path in /proc. Throws Error{io}.
net::UniqueFd open_init_image();

/// A file without a name that holds `text` and can be changed by nobody.
net::UniqueFd sealed_file(const char* name, const void* bytes, std::size_t size);

/// The same file opened anew for reading, with a position of its own.
net::UniqueFd reopened(const net::UniqueFd& file);

}  // namespace botburrow::sandbox
