#pragma once

#include "cli/reference/events.hpp"

namespace botburrow::cli {

using EventRows = std::vector<EventSpec>;

// One a section of the table.
EventRows leadership_and_polling_events();
EventRows queue_events();
EventRows runners_events();
EventRows activations_events();
EventRows budgets_and_reports_events();
EventRows models_and_the_loop_events();
EventRows tools_and_writing_events();
EventRows mcp_servers_events();
EventRows sandbox_events();
EventRows definitions_events();
EventRows calls_of_the_hub_events();
EventRows hub_events();
EventRows redis_events();
EventRows console_events();
EventRows services_events();

}  // namespace botburrow::cli
