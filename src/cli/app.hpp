#pragma once

#include "cli/commands.hpp"

#include <memory>

namespace botburrow::cli {

/// The whole command line: every subcommand with its flags and help.
std::unique_ptr<CLI::App> make_app(Context& context);

/// Parses, runs and gives the exit code. Nothing is thrown.
int run(int argc, char** argv);

}  // namespace botburrow::cli
