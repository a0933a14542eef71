#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace botburrow::net {

/// Bytes written to a pipe that does not block, 0 when it is full, or nothing: see errno. Never
/// ends the process with SIGPIPE, however it handles that.
std::optional<std::size_t> write_pipe_now(int fd, std::string_view bytes);

}  // namespace botburrow::net
