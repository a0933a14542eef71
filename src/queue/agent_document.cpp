#include "queue/agent_document.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>

namespace botburrow::queue {
namespace {

template <class T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

}  // namespace

std::string state_name(const AgentFacts& facts) {
  if (facts.active) return "running";
  if (facts.paused || facts.fleet_paused) return "paused";
  if (facts.waiting) return facts.waiting->due ? "deferred" : "waiting";
  if (facts.backoff_seconds > 0) return "held_off";
  return "idle";
}

json::object facts_document(const AgentFacts& facts) {
  return {{"agent_id", facts.agent_id.str()},
          {"state", state_name(facts)},
          {"paused", facts.paused},
          {"fleet_paused", facts.fleet_paused},
          {"failures", facts.failures},
          {"backoff_seconds", facts.backoff_seconds},
          {"ahead", facts.waiting ? json::value(facts.ahead) : json::value(nullptr)},
          {"activation_id",
           facts.active ? json::value(facts.active->activation_id.str()) : json::value(nullptr)},
          {"last_outcome", or_null(facts.last_outcome)},
          {"last_reason", or_null(facts.last_reason)},
          {"sentence", to_sentence(facts)}};
}

}  // namespace botburrow::queue
