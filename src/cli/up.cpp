#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/stop.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/ports.hpp"
#include "cli/service.hpp"
#include "cli/service_manager.hpp"
#include "cli/services.hpp"
#include "cli/system.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

namespace botburrow::cli {
namespace {

struct UpFlags {
  std::string ready_file;
  bool json = false;
};

json::value ready_document(const RunningSystem& system) {
  return {{"hub", system.hub_url},
          {"coordinator", system.coordinator_url},
          {"runner", system.runner_url},
          {"redis", system.redis_url},
          {"pid", system.pid}};
}

// Among the log's lines, and one of them: whoever reads JSON lines reads on.
std::string ready_line(const Settings& settings, const RunningSystem& system) {
  const auto document = ready_document(system);
  if (settings.text("LOG_FORMAT") == "console") return "ready " + to_json(document);
  json::object line{{"timestamp", to_rfc3339(system_clock().wall())},
                    {"level", "info"},
                    {"event", "ready"},
                    {"service", "up"}};
  for (const auto& entry : document.as_object())
    line[entry.key()] = entry.value();
  return to_json(line);
}

// Whole or not at all: who waits for the file must never read half of it.
void write_ready_file(const std::string& path, const std::string& text) {
  const auto temporary = path + ".tmp";
  std::FILE* file = std::fopen(temporary.c_str(), "we");
  if (!file) throw Error(errc::io, fmt::format("--ready-file {}: cannot be written", path));
  const bool wrote = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (!wrote || !closed || std::rename(temporary.c_str(), path.c_str()) != 0) {
    throw Error(errc::io, fmt::format("--ready-file {}: cannot be written", path));
  }
}

// With the key behind it where it is the one that was made; one that was set stays with who set it.
std::string console_link(const RunningSystem& running, const Settings& settings) {
  if (!settings.secret("ADMIN_KEY").empty()) return running.coordinator_url + "/";
  return fmt::format("{}/#key={}", running.coordinator_url, running.admin_key.reveal());
}

void print_ready(const Output& out, const System& system, const Settings& settings,
                 const std::string& data_folder) {
  const auto& running = system.running();
  out.line(out.styled(Style::good, "Botburrow is up."));
  out.line(fmt::format("  Hub          {}/#key={}", running.hub_url, running.owner_key.reveal()));
  out.line(fmt::format("  console      {}", console_link(running, settings)));
  out.line(fmt::format("  coordinator  {}", running.coordinator_url));
  out.line(fmt::format("  runner       {}", running.runner_url));
  out.line(fmt::format("  redis        {}", running.redis_url));
  out.line(fmt::format("  data         {}", data_folder));
  std::vector<std::vector<std::string>> rows;
  for (const auto& agent : system.agents())
    rows.push_back({"@" + agent.name, agent.type, agent.problem.empty() ? "ready" : agent.problem});
  for (const auto& folder : system.ignored())
    rows.push_back({folder.agent, "-", folder.message + "; " + folder.fix});
  if (rows.empty())
    out.line(
        "  no agents yet: put some into the definitions folder (botburrow validate checks them)");
  else
    out.table({"agent", "type", "state"}, rows);
  out.line("Open the Hub's link in a browser, or from another terminal:");
  out.line(
      fmt::format("  botburrow hub post --data {} --as owner --community general \"@{} hello\"",
                  data_folder, system.agents().empty() ? "name" : system.agents().front().name));
  out.line("Ctrl-C stops it; running work is finished first, or handed back.");
}

Task<> hurry_when_asked(StopRequest& stop, System& system) {
  co_await stop.until_urgent();
  system.hurry();
}

Task<> pass_on(StopRequest& stop, StopSource& source) {
  co_await stop.until_requested();
  source.stop();
}

// False: a signal came before everything was up; what had been started is stopped again.
Task<bool> start_unless_stopped(StopRequest& stop, System& system) {
  const auto executor = co_await boost::asio::this_coro::executor;
  StopSource source(executor);
  TaskGroup watch(executor);
  watch.spawn("stop", [&stop, &source] { return pass_on(stop, source); });
  auto start = run_bounded(system.start(), Deadline::never(), source);
  co_return co_await with_cleanup(std::move(start), [&watch] { return watch.stop(); }) ==
      BoundedEnd::done;
}

Task<int> run_up(StopRequest& stop, const Context& context, const Settings& settings,
                 SystemOptions options, UpFlags flags) {
  // With --json, standard output is the answer, as it is of every other command.
  const Log log = flags.json ? command_log(context.environment, settings)
                             : shared_log(context.environment, settings);
  log_settings(settings, log.with({{"service", "up"}}));
  const auto ground = ground_of(co_await boost::asio::this_coro::executor, context, settings, log);
  const Output out(context.environment);
  const auto data_folder = options.data_folder;
  System system(ground, std::move(options));
  if (!co_await start_unless_stopped(stop, system)) co_return exit_code::kInterrupted;
  std::exception_ptr failure;
  try {
    const auto document = to_json(ready_document(system.running()));
    if (!flags.ready_file.empty()) write_ready_file(flags.ready_file, document + "\n");
    if (flags.json)
      out.line(document);
    else if (context.environment.stdout_is_terminal)
      print_ready(out, system, settings, data_folder);
    else
      out.line(ready_line(settings, system.running()));
    std::fflush(stdout);
  } catch (...) {
    failure = std::current_exception();
  }
  ServiceManager manager(ground.executor, context.environment);
  if (!failure) {
    manager.ready([&system] { return system.healthy(); });
    co_await stop.until_requested();
    stop.log_to(log);
  }
  manager.stopping();
  TaskGroup urgent(ground.executor);
  urgent.spawn("urgent", [&stop, &system] { return hurry_when_asked(stop, system); });
  co_await system.stop(settings.seconds("SHUTDOWN_GRACE"));
  co_await urgent.stop();
  if (system.stuck()) leave_process(failure ? report_failure(failure) : exit_code::kDone);
  if (failure) std::rethrow_exception(failure);
  co_return exit_code::kDone;
}

}  // namespace

std::shared_ptr<PortFlags> add_port_flags(CLI::App& command) {
  auto flags = std::make_shared<PortFlags>();
  command
      .add_option("--coordinator-port", flags->coordinator,
                  "Port of the coordinator's console, health and metrics; 0 = any free one")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  command
      .add_option("--runner-port", flags->runner,
                  "Port of the runner's health and metrics; 0 = any free one")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  return flags;
}

SystemOptions system_options(const Settings& settings, const PortFlags& ports,
                             std::string data_folder) {
  SystemOptions options{
      .data_folder = std::filesystem::absolute(data_folder).lexically_normal().string(),
      .hub_port = static_cast<int>(settings.integer("API_PORT"))};
  if (ports.coordinator >= 0) options.coordinator_port = ports.coordinator;
  if (ports.runner >= 0) options.runner_port = ports.runner;
  return options;
}

void add_up(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("up", "Run everything on this machine: Hub, Redis, coordinator, runner");
  auto flags = add_service_flags(*command, "up");
  auto ports = add_port_flags(*command);
  auto own = std::make_shared<UpFlags>();
  command
      ->add_option("--ready-file", own->ready_file,
                   "Write the URLs there as JSON once everything is ready")
      ->type_name("FILE");
  command->add_flag(
      "--json", own->json,
      "Print the URLs as JSON once everything is ready, alone on stdout; the log goes to "
      "stderr");
  on_run(*command, context, [&context, flags, ports, own] {
    const auto settings = service_settings(context, *flags, "up", hub_options);
    return run_service([&context, &settings, flags, ports, own](StopRequest& stop) {
      return run_up(stop, context, settings,
                    system_options(settings, *ports, data_folder(context, *flags)), *own);
    });
  });
}

}  // namespace botburrow::cli
