#pragma once

#include "queue/operator_view.hpp"

#include <string>

namespace botburrow::queue {

/// An activation by its record under `agent:activation:{agent}`; what the record does not tell
/// stays empty.
ActiveActivation activation_of(const std::string& agent, const std::string& runner,
                               const std::string& record);

}  // namespace botburrow::queue
