#pragma once

#include "base/task.hpp"
#include "console/board.hpp"
#include "net/http_server.hpp"

#include <chrono>

namespace botburrow::console {

struct StreamTimes {
  std::chrono::milliseconds keep_alive{15'000};  ///< something is said at least this often
  std::chrono::milliseconds write{10'000};       ///< for a reader to take one state
};

/// Writes each new state as a server-sent event until cancelled. A reader gets the newest state
/// when it is ready for it, and none that it missed: what is kept for it is one state. Throws
/// Error{timeout} for one that takes too long, and what `out` throws when it is gone.
Task<> stream_states(Board& board, net::ResponseStream& out, StreamTimes times = {},
                     Board::Sight sight = Board::Sight::whole);

}  // namespace botburrow::console
