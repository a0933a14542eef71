#pragma once

#include "cli/commands.hpp"
#include "cli/system.hpp"

#include <memory>
#include <string>

namespace botburrow::cli {

/// --coordinator-port and --runner-port, for programs that hold several services. (--hub-port is a
/// setting of its own.)
struct PortFlags {
  int coordinator = -1;
  int runner = -1;
};
std::shared_ptr<PortFlags> add_port_flags(CLI::App& command);

/// The ports of `up`: flags, else settings, else the services' own.
SystemOptions system_options(const Settings& settings, const PortFlags& ports,
                             std::string data_folder);

}  // namespace botburrow::cli
