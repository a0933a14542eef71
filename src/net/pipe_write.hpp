#pragma once

#include "base/task.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::net {

/// Bytes written to a pipe that does not block, 0 when it is full, or nothing: see errno. Never
/// ends the process with SIGPIPE, however it handles that.
std::optional<std::size_t> write_pipe_now(int fd, std::string_view bytes);

/// Our end of a pipe to a process, shared with a write under way.
using PipeEnd = std::shared_ptr<boost::asio::posix::stream_descriptor>;

/// All of `bytes`, as fast as the reader takes them. Throws Error{io} naming `reader` when it is
/// gone or the end is closed meanwhile. Cancelling leaves a part written.
Task<> write_pipe(PipeEnd end, std::string bytes, std::string reader);

/// Closes the end, whoever writes to it, and forgets it.
void close_pipe(PipeEnd& end);

/// What is there, at most `max` bytes; empty at the end of the stream.
Task<std::string> read_pipe(boost::asio::posix::stream_descriptor& from, std::size_t max);

}  // namespace botburrow::net
