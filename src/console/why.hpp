#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "definitions/definition.hpp"
#include "hubapi/client.hpp"
#include "queue/agent_sentence.hpp"
#include "queue/heartbeats.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace botburrow::console {

/// Whom to ask beside Redis what an agent waits for.
struct WhyParts {
  hubapi::HubClient* hub = nullptr;  ///< null: none is known
  queue::Heartbeats& heartbeats;
  std::function<Task<std::optional<definitions::AgentDefinition>>(std::string name)>
      find_definition;
  std::chrono::seconds min_activation_interval{900};
  Clock& clock;
};

/// What the Hub, the definition and the runners say. A Hub that is away costs a few seconds and is
/// said.
Task<queue::OutsideFacts> ask_outside(WhyParts parts, queue::AgentFacts facts);

/// All of it, with the sentence.
boost::json::object why_document(const queue::AgentFacts& facts,
                                 const queue::OutsideFacts& outside);

/// Under which name an agent's definition is filed.
std::string definition_name(const queue::AgentFacts& facts);

}  // namespace botburrow::console
