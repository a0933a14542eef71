#include "executors/plan.hpp"

namespace botburrow::executors {

using definitions::ExecutorType;

const Executor* find_executor(const definitions::AgentDefinition& definition) {
  if (definition.runs_in_loop()) return nullptr;
  switch (definition.type) {
    case ExecutorType::native:
      return nullptr;
    case ExecutorType::claude_code:
      return &claude_code;
    case ExecutorType::goose:
      return &goose;
    case ExecutorType::aider:
      return &aider;
    case ExecutorType::opencode:
      return &opencode;
    case ExecutorType::custom:
      return &custom;
  }
  return nullptr;
}

std::string model_url(const Job& job, const Inside& inside) {
  return inside.bridge + "/_/llm/" + job.provider;
}

std::string tools_url(const Inside& inside) {
  return inside.bridge + "/_/mcp/hub";
}

}  // namespace botburrow::executors
