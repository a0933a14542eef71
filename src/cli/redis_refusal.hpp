#pragma once

#include "base/task.hpp"

#include <string>

namespace botburrow::net {
class Redis;
}

namespace botburrow::cli {

/// Why Redis takes no work now (full, a replica, a disk that cannot be written, …), with the cure;
/// empty where it does. Asks what services ask each second: a write that changes nothing, for a
/// server that refuses writes looks well to those who only read.
Task<std::string> redis_refusal(net::Redis& redis);

}  // namespace botburrow::cli
