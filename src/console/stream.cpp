#include "console/stream.hpp"

#include "base/deadline.hpp"

namespace botburrow::console {
namespace {

Task<> write_in_time(net::ResponseStream& out, std::string text, StreamTimes times) {
  return with_deadline("a reader of the console", Deadline::in(times.write),
                       out.write(std::move(text)));
}

}  // namespace

Task<> stream_states(Board& board, net::ResponseStream& out, StreamTimes times,
                     Board::Sight sight) {
  co_await write_in_time(out, "retry: 3000\n\n", times);
  std::uint64_t version = 0;
  for (;;) {
    const auto shot = co_await board.after(version, Deadline::in(times.keep_alive));
    if (shot) version = shot->version;
    std::string text = shot ? "event: state\ndata: " + shot->seen_by(sight) + "\n\n"
                            : std::string(": still here\n\n");
    co_await write_in_time(out, std::move(text), times);
  }
}

}  // namespace botburrow::console
