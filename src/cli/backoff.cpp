#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

struct HeldOff {
  std::string agent;
  double seconds = 0;  ///< 0: failures are counted, but it may run
  std::int64_t failures = 0;
  std::string reason;
};

Task<std::vector<HeldOff>> gather(OperatorTools& tools) {
  const auto seen = co_await tools.view.snapshot();
  std::map<std::string, HeldOff> all;
  for (const auto& [agent, count] : seen.failures)
    all[agent].failures = count;
  for (const auto& [agent, seconds] : seen.backoff)
    all[agent].seconds = seconds;
  std::vector<HeldOff> out;
  for (auto& [agent, one] : all) {
    one.agent = agent;
    one.reason = (co_await tools.view.why(AgentId(agent))).last_reason.value_or("");
    out.push_back(std::move(one));
  }
  co_return out;
}

Task<int> list(OperatorTools& tools) {
  const auto all = co_await gather(tools);
  if (tools.json) {
    json::array agents;
    for (const auto& one : all)
      agents.push_back({{"agent_id", one.agent},
                        {"seconds_left", one.seconds},
                        {"failures", one.failures},
                        {"last_reason", one.reason}});
    tools.out.json({{"agents", std::move(agents)}});
    co_return exit_code::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& one : all)
    rows.push_back({one.agent, one.seconds > 0 ? span_text(one.seconds) : "not held off",
                    fmt::format("{}", one.failures), one.reason});
  if (rows.empty())
    tools.out.line("no agent is held off");
  else
    tools.out.table({"agent", "held off for", "failures", "last reason"}, rows);
  co_return exit_code::kDone;
}

struct ClearFlags {
  std::string agent;
  bool all = false;
  bool unchecked = false;
};

Task<int> clear(OperatorTools& tools, const ClearFlags& flags) {
  const auto& [agent, all, unchecked] = flags;
  if (agent.empty() != all)
    throw Error(errc::usage, "backoff clear: name one AGENT, or give --all");
  if (!all && !unchecked) co_await require_known_agent(tools, agent_argument(agent));
  const auto cleared = all ? co_await tools.view.clear_all_backoffs()
                           : co_await tools.view.clear_backoff(agent_argument(agent));
  if (tools.json)
    tools.out.json({{"cleared", cleared}});
  else if (all)
    tools.out.line(fmt::format("cleared the back-off and failures of {} agents", cleared));
  else
    tools.out.line(printable(agent) + (cleared > 0 ? ": back-off and failures are cleared"
                                                   : " was not held off and has no failures"));
  co_return exit_code::kDone;
}

}  // namespace

void add_backoff(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("backoff", "Which agents are held off, and why; clear it");
  command->require_subcommand(0, 1);
  auto* clearing =
      command->add_subcommand("clear", "Let an agent run again, its failures forgotten");
  auto flags = std::make_shared<ClearFlags>();
  clearing->add_option("agent", flags->agent, "The agent's id")->type_name("AGENT");
  clearing->add_flag("--all", flags->all, "Every agent");
  add_unchecked(*clearing, flags->unchecked);
  add_operator_command(*clearing, context,
                       [flags](OperatorTools& tools) { return clear(tools, *flags); });
  add_operator_command(*command, context, [](OperatorTools& tools) { return list(tools); });
}

}  // namespace botburrow::cli
