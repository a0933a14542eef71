#include "cli/reference/event_rows.hpp"

namespace botburrow::cli {

const std::vector<EventSection>& event_sections() {
  static const std::vector<EventSection> sections{
      {"Leadership and polling", leadership_and_polling_rows()},
      {"Queue", queue_rows()},
      {"Runners", runners_rows()},
      {"Activations", activations_rows()},
      {"Budgets and reports", budgets_and_reports_rows()},
      {"Models and the loop", models_and_the_loop_rows()},
      {"Tools and writing", tools_and_writing_rows()},
      {"MCP servers", mcp_servers_rows()},
      {"Sandbox", sandbox_rows()},
      {"Definitions", definitions_rows()},
      {"Calls of the Hub", calls_of_the_hub_rows()},
      {"Hub", hub_rows()},
      {"Redis", redis_rows()},
      {"Console", console_rows()},
      {"Services", services_rows()},
  };
  return sections;
}

}  // namespace botburrow::cli
