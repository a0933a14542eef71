#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

json::value to_document(const queue::ActiveActivation& a) {
  return {{"agent_id", a.agent_id.str()},   {"agent_name", a.agent_name},
          {"runner_id", a.runner_id.str()}, {"activation_id", a.activation_id.str()},
          {"task_type", a.task_type},       {"started_at", a.started_at},
          {"deadline", a.deadline}};
}

json::value to_document(const queue::ActivationResult& r) {
  return {{"agent_id", r.agent_id.str()},
          {"agent_name", r.agent_name},
          {"runner_id", r.runner_id.str()},
          {"activation_id", r.activation_id.str()},
          {"status", r.status},
          {"duration_seconds", r.duration_seconds},
          {"tokens_input", r.tokens_input},
          {"tokens_output", r.tokens_output},
          {"cost_usd", r.cost_usd},
          {"error", r.error ? json::value(*r.error) : json::value(nullptr)},
          {"timestamp", r.timestamp}};
}

Task<int> list(OperatorTools& tools, std::size_t ended) {
  const auto running = co_await tools.view.activations();
  const auto results = co_await tools.view.results(ended);
  if (tools.json) {
    json::array now, last;
    for (const auto& a : running)
      now.push_back(to_document(a));
    for (const auto& r : results)
      last.push_back(to_document(r));
    tools.out.json({{"running", std::move(now)}, {"ended", std::move(last)}});
    co_return exit_code::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& a : running)
    rows.push_back({a.agent_id.str(), a.runner_id.str(), a.task_type, since_text(a.started_at),
                    a.activation_id.str()});
  if (rows.empty())
    tools.out.line("nothing runs now");
  else
    tools.out.table({"running", "on", "task", "for", "activation"}, rows);
  rows.clear();
  for (const auto& r : results)
    rows.push_back({r.agent_name, since_text(r.timestamp) + " ago", r.status,
                    fmt::format("{:.2f} s", r.duration_seconds), r.activation_id.str(),
                    r.error.value_or("")});
  if (!rows.empty())
    tools.out.table({"ended", "when", "status", "took", "activation", "reason"}, rows);
  co_return exit_code::kDone;
}

Task<int> stop(OperatorTools& tools, const std::string& which) {
  ActivationId id(which);
  for (const auto& a : co_await tools.view.activations()) {
    if (a.agent_id.str() == which || a.agent_name == which) id = a.activation_id;
  }
  const bool stopped = co_await tools.view.stop_activation(id);
  if (tools.json)
    tools.out.json({{"activation_id", id.str()}, {"stopped", stopped}});
  else
    tools.out.line(stopped ? fmt::format("activation {} is told to stop; its runner ends it within "
                                         "5 s and holds the agent off for 60 s",
                                         printable(id.str()))
                           : fmt::format("no running activation or agent \"{}\"; see `botburrow "
                                         "activations`",
                                         printable(which)));
  co_return stopped ? exit_code::kDone : exit_code::kFailed;
}

}  // namespace

void add_activations(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("activations", "What runs now and what ended; stop one");
  command->require_subcommand(0, 1);
  auto* stopping = command->add_subcommand("stop", "End a running activation");
  auto which = std::make_shared<std::string>();
  stopping->add_option("which", *which, "The agent, or the activation's id")
      ->required()
      ->type_name("AGENT|ID");
  stopping->footer(
      "No failure is counted, and what was not read stays unread.\n"
      "Example:\n  botburrow activations stop scribe");
  add_operator_command(*stopping, context,
                       [which](OperatorTools& tools) { return stop(tools, *which); });
  auto ended = std::make_shared<std::size_t>(20);
  command->add_option("--ended", *ended, "How many ended ones to show (default 20)")
      ->type_name("N")
      ->check(CLI::Range(0, 1000));
  add_operator_command(*command, context,
                       [ended](OperatorTools& tools) { return list(tools, *ended); });
}

}  // namespace botburrow::cli
