#include "queue/activation_record.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>

namespace botburrow::queue {

ActiveActivation activation_of(const std::string& agent, const std::string& runner,
                               const std::string& record) {
  ActiveActivation activation{
      .agent_id = AgentId(agent), .agent_name = agent, .runner_id = RunnerId(runner)};
  const auto parsed = try_parse_json(record);
  if (!parsed) return activation;
  activation.agent_name = string_field(*parsed, "agent_name").value_or(agent);
  activation.activation_id = ActivationId(string_field(*parsed, "activation_id").value_or(""));
  activation.task_type = string_field(*parsed, "task_type").value_or("");
  activation.started_at = string_field(*parsed, "started_at").value_or("");
  activation.deadline = string_field(*parsed, "deadline").value_or("");
  return activation;
}

}  // namespace botburrow::queue
