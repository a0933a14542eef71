#include "cli/commands.hpp"

#include <CLI/CLI.hpp>

namespace botburrow::cli {

void add_bench(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("bench", "Measure this program on this machine");
  command->require_subcommand(1);
  add_bench_queue(*command, context);
}

}  // namespace botburrow::cli
