#pragma once

#include "cli/reference/events.hpp"

namespace botburrow::cli {

using EventRows = std::vector<EventSpec>;

// One a section of the table.
EventRows leadership_and_polling_rows();
EventRows queue_rows();
EventRows runners_rows();
EventRows activations_rows();
EventRows budgets_and_reports_rows();
EventRows models_and_the_loop_rows();
EventRows tools_and_writing_rows();
EventRows mcp_servers_rows();
EventRows sandbox_rows();
EventRows definitions_rows();
EventRows calls_of_the_hub_rows();
EventRows hub_rows();
EventRows redis_rows();
EventRows console_rows();
EventRows services_rows();

}  // namespace botburrow::cli
