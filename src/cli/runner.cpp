#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"
#include "cli/service_manager.hpp"
#include "cli/services.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

struct RunnerFlags {
  std::string agent;
  bool once = false;
  bool json = false;
};

Task<> hurry_when_asked(StopRequest& stop, RunnerService& service) {
  co_await stop.until_urgent();
  service.hurry();
}

Task<int> run_runner(StopRequest& stop, const Context& context, const Settings& settings,
                     std::string data) {
  const Log log = service_log(context.environment, settings, "runner");
  log_settings(settings, log);
  const auto ground = ground_of(co_await boost::asio::this_coro::executor, context, settings, log);
  RunnerService service(ground, place_of(settings, std::move(data)));
  service.start();
  ServiceManager manager(ground.executor, context.environment);
  manager.ready([&service] { return service.healthy(); });
  co_await stop.until_requested();
  stop.log_to(log);
  manager.stopping();
  TaskGroup urgent(ground.executor);
  urgent.spawn("urgent", [&stop, &service] { return hurry_when_asked(stop, service); });
  co_await service.drain(settings.seconds("SHUTDOWN_GRACE"));
  co_await urgent.stop();
  if (service.definitions().stuck()) leave_process(exit_code::kDone);
  co_return exit_code::kDone;
}

void print_result(const Output& out, const std::string& agent, const OneActivation& one,
                  bool as_json) {
  const auto status = queue::status_of(one.ending.outcome);
  if (as_json) {
    json::array notes;
    for (const auto& note : one.tally.notes) {
      notes.push_back({{"notification_id", note.notification_id},
                       {"outcome", note.outcome},
                       {"reason", note.reason},
                       {"comment_id", note.comment_id.empty() ? json::value(nullptr)
                                                              : json::value(note.comment_id)}});
    }
    out.json({{"agent", agent},
              {"status", std::string(status)},
              {"reason", one.ending.reason},
              {"tokens_input", one.tally.usage.input},
              {"tokens_output", one.tally.usage.output},
              {"cost_usd", one.tally.cost_usd},
              {"notifications", std::move(notes)}});
    return;
  }
  out.line(fmt::format("{}: {}{}", agent, status,
                       one.ending.reason.empty() ? "" : ": " + printable(one.ending.reason)));
  for (const auto& note : one.tally.notes) {
    out.line(fmt::format("  notification {} {}{}", note.notification_id, note.outcome,
                         note.reason.empty() ? "" : ": " + printable(note.reason)));
  }
}

int exit_code_for(const agent::Ending& ending) {
  if (ending.way != agent::Ending::Way::complete) return exit_code::kFailed;
  if (ending.outcome == queue::Outcome::success) return exit_code::kDone;
  return queue::status_of(ending.outcome) == "skipped" ? exit_code::kSkipped : exit_code::kFailed;
}

Task<int> run_once(StopRequest& stop, const Context& context, const Settings& settings,
                   RunnerFlags flags, std::string data) {
  const auto ground =
      ground_of(co_await boost::asio::this_coro::executor, context, settings,
                command_log(context.environment, settings).with({{"service", "runner"}}));
  const auto one =
      co_await run_one_activation(ground, place_of(settings, std::move(data)), flags.agent, stop);
  print_result(Output(context.environment), flags.agent, one, flags.json);
  co_return stop.requested() ? exit_code::kInterrupted : exit_code_for(one.ending);
}

}  // namespace

void add_runner(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("runner", "Claim work and run agents");
  auto flags = add_service_flags(*command, "runner");
  auto own = std::make_shared<RunnerFlags>();
  command->add_option("--agent", own->agent, "With --once: the agent to run")->type_name("NAME");
  command->add_flag(
      "--once", own->once,
      "Run one inbox activation of --agent and exit: 0 answered, 1 failed, 2 skipped");
  command->add_flag("--json", own->json, "With --once: print the result as JSON");
  command->footer(
      "Examples:\n  botburrow runner --mode notification\n  botburrow runner --agent scribe "
      "--once");
  on_run(*command, context, [&context, flags, own] {
    if (own->agent.empty() && own->once) throw Error(errc::usage, "--once needs --agent NAME");
    if (!own->agent.empty() && !own->once)
      throw Error(errc::usage, "--agent goes with --once: a service takes the work of all agents");
    if (!own->agent.empty() && !definitions::is_safe_name(own->agent)) {
      throw Error(errc::usage, fmt::format("--agent \"{}\": expected 1 to 64 of a-z, 0-9 and -",
                                           printable(own->agent)));
    }
    const auto settings = service_settings(context, *flags, "runner");
    const auto data = data_folder(context, *flags);
    if (own->once)
      return run_service([&context, &settings, own, data](StopRequest& stop) {
        return run_once(stop, context, settings, *own, data);
      });
    return run_service([&context, &settings, data](StopRequest& stop) {
      return run_runner(stop, context, settings, data);
    });
  });
}

}  // namespace botburrow::cli
