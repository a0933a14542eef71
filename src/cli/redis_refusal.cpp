#include "cli/redis_refusal.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "net/redis.hpp"

namespace botburrow::cli {

Task<std::string> redis_refusal(net::Redis& redis) {
  try {
    co_await redis.command({"SETRANGE", "work:probe", "0", ""},
                           Deadline::in(std::chrono::seconds(3)));
  } catch (const Error& error) {
    // Somebody who may only look is told nothing about others.
    if (error.code() == errc::redis_unavailable && error.detail() != "NOPERM")
      co_return error.message();
  }
  co_return "";
}

}  // namespace botburrow::cli
