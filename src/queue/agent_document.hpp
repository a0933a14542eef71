#pragma once

#include "queue/agent_sentence.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace botburrow::queue {

/// "running", "paused", "waiting", "deferred", "held_off" or "idle", by Redis alone.
std::string state_name(const AgentFacts& facts);
/// What Redis tells of one agent, for --json.
boost::json::object facts_document(const AgentFacts& facts);

}  // namespace botburrow::queue
