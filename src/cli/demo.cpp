#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/data_folder.hpp"
#include "cli/demo_story.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/ports.hpp"
#include "cli/service.hpp"
#include "cli/system.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace botburrow::cli {
namespace {

struct DemoFlags {
  bool json = false;
  int timeout = 60;
};

// Where the examples are: what --definitions says, else beside the working directory, else
// installed with the program.
std::string examples_folder() {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  for (const auto& candidate : {fs::path("examples"), program.parent_path() / "../../examples",
                                program.parent_path() / "../share/botburrow/examples"}) {
    if (fs::is_directory(candidate / "agents", error))
      return fs::weakly_canonical(candidate).string();
  }
  throw Error(errc::not_found,
              "the example agents were not found; name a folder of agents with --definitions DIR");
}

// The shorter of the two ways to name a folder.
std::string as_typed_here(const std::string& folder) {
  std::error_code error;
  const auto near = std::filesystem::proximate(folder, error).string();
  return error || near.size() >= folder.size() ? folder : near;
}

// The log of a demo would drown its story: only what went wrong is shown.
Log demo_log(const Environment& environment, const Settings& settings) {
  if (settings.is_set("LOG_LEVEL")) return command_log(environment, settings);
  return Log(scrubbing_log_sink(fd_log_sink(2), environment.scrubber),
             {.level = LogLevel::error,
              .format = environment.stderr_is_terminal ? LogFormat::console : LogFormat::json,
              .colour = false});
}

Task<int> run_demo(const Context& context, const Settings& settings, SystemOptions options,
                   DemoFlags flags) {
  const Output out(context.environment);
  const auto ground = ground_of(co_await boost::asio::this_coro::executor, context, settings,
                                demo_log(context.environment, settings));
  const auto begun = ground.clock.now();
  System system(ground, std::move(options));
  co_await system.start();
  if (!flags.json) {
    out.line(fmt::format("Started Hub, Redis, coordinator and runner in {:.1f} s ({}).",
                         std::chrono::duration<double>(ground.clock.now() - begun).count(),
                         system.running().hub_url));
    std::fflush(stdout);
  }
  const auto story =
      co_await with_cleanup(tell_demo_story(system, std::chrono::seconds(flags.timeout)),
                            [&system] { return system.stop(std::chrono::seconds(5)); });
  if (flags.json)
    out.json(to_document(story));
  else
    print_story(out, story, as_typed_here(settings.text("AGENT_DEFINITIONS_PATH")));
  co_return story.complete() ? exit_code::kDone : exit_code::kFailed;
}

}  // namespace

void add_demo(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "demo", "Start everything, mention the example agents, print their answers, stop");
  auto flags = add_service_flags(*command, "demo");
  auto ports = add_port_flags(*command);
  auto own = std::make_shared<DemoFlags>();
  command->add_flag("--json", own->json, "Print the outcome as JSON");
  command->add_option("--timeout", own->timeout, "Seconds to wait for the answers")
      ->check(CLI::Range(1, 3600))
      ->type_name("S");
  on_run(*command, context, [&context, flags, ports, own] {
    const bool given =
        std::any_of(flags->settings->begin(), flags->settings->end(),
                    [](const auto& flag) { return flag.name == "AGENT_DEFINITIONS_PATH"; });
    if (!given && !context.environment.variable("AGENT_DEFINITIONS_PATH") &&
        !context.environment.variable("BOTBURROW_AGENT_DEFINITIONS_PATH")) {
      flags->settings->push_back({"AGENT_DEFINITIONS_PATH", "--definitions", examples_folder()});
    }
    // Every demo is a fresh world unless a data folder is named.
    const auto temporary = flags->data.empty() ? std::make_unique<TemporaryFolder>() : nullptr;
    if (temporary) flags->data = temporary->path();
    const auto settings = service_settings(context, *flags, "demo");
    auto options = system_options(settings, *ports, flags->data);
    options.data_stays = temporary == nullptr;
    // Ports that nobody asked for are any free ones, so that a demo runs beside everything else.
    if (!settings.is_set("API_PORT")) options.hub_port = 0;
    if (ports->coordinator < 0) options.coordinator_port = 0;
    if (ports->runner < 0) options.runner_port = 0;
    return run_command(
        [&context, &settings, options, own] { return run_demo(context, settings, options, *own); });
  });
}

}  // namespace botburrow::cli
