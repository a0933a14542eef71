#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/metric_table.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/service.hpp"
#include "cli/service_manager.hpp"
#include "cli/services.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <filesystem>

namespace botburrow::cli {
namespace {

// A migration that failed will not heal by waiting: it ends the program, with its line.
Task<> watch_database(hub::HubServer& hub, StopRequest& stop, std::exception_ptr& failure) {
  try {
    co_await hub.until_ready();
  } catch (const Error&) {
    failure = std::current_exception();
  }
  if (failure) stop.request();
}

// Whoever is started after us asks at once; a database that does not open holds nobody's start up.
Task<> wait_for_database(const hub::HubServer& hub, const StopRequest& stop) {
  const auto patience = Deadline::in(std::chrono::seconds(5));
  while (!hub.ready() && !stop.requested() && !patience.passed())
    co_await sleep_for(std::chrono::milliseconds(10));
}

Task<int> run_hub(StopRequest& stop, const Context& context, const Settings& settings,
                  std::string data) {
  const Log log = service_log(context.environment, settings, "hub");
  log_settings(settings, log);
  auto options = hub_options(settings, data);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(options.database_path).parent_path(),
                                      ignored);
  if (options.admin_key.empty() && options.admin_key_hash.empty())
    log.warning("hub_admin_key_missing",
                {{"msg", "admin calls answer 501 and no key can be made: set HUB_ADMIN_KEY"}});
  const auto executor = co_await boost::asio::this_coro::executor;
  Metrics metrics;
  add_process_metrics(metrics);
  declare_metrics(metrics, "hub");
  hub::HubServer hub(executor, std::move(options), system_clock(), system_random(), log, metrics);
  hub.start();
  std::exception_ptr failure;
  TaskGroup tasks(executor);
  tasks.spawn("database", [&] { return watch_database(hub, stop, failure); });
  ServiceManager manager(executor, context.environment);
  co_await wait_for_database(hub, stop);
  manager.ready([] { return true; });
  co_await stop.until_requested();
  stop.log_to(log);
  manager.stopping();
  co_await tasks.stop();
  co_await hub.stop(settings.seconds("SHUTDOWN_GRACE"));
  if (failure) std::rethrow_exception(failure);
  co_return exit_code::kDone;
}

}  // namespace

void add_hub_server(CLI::App& hub, Context& context) {
  auto flags = add_service_flags(hub, "hub");
  on_run(hub, context, [&context, flags] {
    const auto settings = service_settings(context, *flags, "hub", hub_options);
    const auto data = data_folder(context, *flags);
    return run_service([&context, &settings, data](StopRequest& stop) {
      return run_hub(stop, context, settings, data);
    });
  });
}

}  // namespace botburrow::cli
