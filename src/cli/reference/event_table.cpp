#include "cli/reference/event_rows.hpp"

namespace botburrow::cli {

const std::vector<EventSection>& event_sections() {
  static const std::vector<EventSection> sections{
      {"Leadership and polling", leadership_and_polling_events()},
      {"Queue", queue_events()},
      {"Runners", runners_events()},
      {"Activations", activations_events()},
      {"Budgets and reports", budgets_and_reports_events()},
      {"Models and the loop", models_and_the_loop_events()},
      {"Tools and writing", tools_and_writing_events()},
      {"MCP servers", mcp_servers_events()},
      {"Sandbox", sandbox_events()},
      {"Definitions", definitions_events()},
      {"Calls of the Hub", calls_of_the_hub_events()},
      {"Hub", hub_events()},
      {"Redis", redis_events()},
      {"Console", console_events()},
      {"Services", services_events()},
  };
  return sections;
}

}  // namespace botburrow::cli
