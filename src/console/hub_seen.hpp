#pragma once

#include "base/time.hpp"

#include <string>

namespace botburrow::console {

/// How the coordinator of this process last asked the Hub.
struct HubSeen {
  WallTime at;
  std::string error;  ///< empty: it answered
};

}  // namespace botburrow::console
