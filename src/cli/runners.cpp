#include "base/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

std::string mode_of(const queue::Heartbeat& beat) {
  return beat.mode ? std::string(queue::name_of(*beat.mode)) : "?";
}

Task<int> list(OperatorTools& tools) {
  const auto live = co_await tools.heartbeats.live();
  if (tools.json) {
    json::array runners;
    for (const auto& r : live) {
      runners.push_back({{"runner_id", r.runner_id.str()},
                         {"mode", mode_of(r)},
                         {"status", std::string(queue::name_of(r.status))},
                         {"active", r.active},
                         {"capacity", r.capacity},
                         {"version", r.version},
                         {"sandbox", r.sandbox},
                         {"sandbox_reason", r.sandbox_reason},
                         {"executors", json::array(r.executors.begin(), r.executors.end())},
                         {"timestamp", to_rfc3339(r.timestamp)}});
    }
    tools.out.json({{"runners", std::move(runners)}});
    co_return exit_code::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& r : live) {
    rows.push_back({r.runner_id.str(), mode_of(r), std::string(queue::name_of(r.status)),
                    fmt::format("{}/{}", r.active, r.capacity),
                    since_text(to_rfc3339(r.timestamp)) + " ago",
                    r.sandbox.empty() ? "?" : r.sandbox, r.version});
  }
  if (rows.empty())
    tools.out.line("no runner has been heard of for a minute; start one: botburrow runner");
  else
    tools.out.table({"runner", "mode", "status", "busy", "heard", "sandbox", "version"}, rows);
  co_return exit_code::kDone;
}

}  // namespace

void add_runners(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("runners", "Which runners live, and how busy they are");
  add_operator_command(*command, context, [](OperatorTools& tools) { return list(tools); });
}

}  // namespace botburrow::cli
