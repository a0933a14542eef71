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

Task<int> run_coordinator(StopRequest& stop, const Context& context, const Settings& settings) {
  const Log log = service_log(context.environment, settings, "coordinator");
  log_settings(settings, log);
  const auto ground = ground_of(co_await boost::asio::this_coro::executor, context, settings, log);
  CoordinatorService service(ground, place_of(settings));
  service.start();
  ServiceManager manager(ground.executor, context.environment);
  manager.ready([&service] { return service.healthy(); });
  co_await stop.until_requested();
  stop.log_to(log);
  manager.stopping();
  co_await service.stop();
  if (service.stuck()) leave_process(exit_code::kDone);
  co_return exit_code::kDone;
}

Task<int> look_once(const Context& context, const Settings& settings) {
  const auto ground = ground_of(co_await boost::asio::this_coro::executor, context, settings,
                                command_log(context.environment, settings));
  auto place = place_of(settings);
  place.port = 0;
  CoordinatorService service(ground, place);
  const auto counts = co_await service.once();
  Output(context.environment)
      .json(
          {{"agents", counts.agents}, {"enqueued", counts.enqueued}, {"skipped", counts.skipped}});
  co_return exit_code::kDone;
}

}  // namespace

void add_coordinator(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "coordinator", "Watch the Hub and fill the work queues; of several, one leads");
  command->footer(
      "Its port (--metrics-port) serves a console for people at /, read-only unless ADMIN_KEY is "
      "set: docs/operations/console.md");
  auto flags = add_service_flags(*command, "coordinator");
  auto once = std::make_shared<bool>(false);
  command->add_flag("--once", *once,
                    "Wait for leadership (three times LEADER_LEASE_SECONDS, then exit 124), look "
                    "at the Hub once, print what was found, and exit");
  on_run(*command, context, [&context, flags, once] {
    const auto settings = service_settings(context, *flags, "coordinator");
    if (*once) return run_command([&context, &settings] { return look_once(context, settings); });
    return run_service([&context, &settings](StopRequest& stop) {
      return run_coordinator(stop, context, settings);
    });
  });
}

}  // namespace botburrow::cli
