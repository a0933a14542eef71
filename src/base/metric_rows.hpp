#pragma once

#include "base/metric_table.hpp"

namespace botburrow {

using MetricRows = std::vector<MetricSpec>;

// Sections of the table; those of agents and their work stand in metric_table.cpp.
MetricRows console_rows();
MetricRows hub_rows();
MetricRows process_rows();

}  // namespace botburrow
