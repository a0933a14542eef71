#include "cli/commands.hpp"

#include "cli/config.hpp"
#include "cli/exit_code.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace botburrow::cli {

void on_run(CLI::App& command, Context& context, std::function<int()> run) {
  command.callback([&command, &context, run = std::move(run)] {
    if (command.get_subcommands().empty()) context.run = run;
  });
}

SettingFlags no_flags() {
  return std::make_shared<std::vector<SettingsSources::Flag>>();
}

CLI::Option* add_setting_flag(CLI::App& command, const SettingFlags& flags, std::string flag,
                              std::string setting) {
  const SettingSpec* spec = find_setting(setting);
  BB_ASSERT(spec != nullptr);
  return command
      .add_option_function<std::string>(
          flag,
          [flags, flag, setting](const std::string& value) {
            flags->push_back({setting, flag, value});
          },
          std::string(spec->help))
      ->type_name(std::string(spec->name))
      ->take_last();
}

void add_setting_flags(CLI::App& command, const SettingFlags& flags, std::string_view program) {
  constexpr std::array<std::string_view, 7> kOfOneService = {
      "HUB_URL",     "REDIS_URL",    "RUNNER_ID",    "INSTANCE_ID",
      "RUNNER_MODE", "METRICS_PORT", "SKILL_SOURCES"};
  const bool all_in_one = program == "up" || program == "demo";
  for (const SettingSpec& spec : settings_table()) {
    if (spec.flag.empty() || (spec.services & services_of_program(program)) == 0) continue;
    if (all_in_one &&
        std::find(kOfOneService.begin(), kOfOneService.end(), spec.name) != kOfOneService.end())
      continue;
    add_setting_flag(command, flags, std::string(spec.flag), std::string(spec.name));
  }
}

std::shared_ptr<ServiceFlags> add_service_flags(CLI::App& command, std::string_view program) {
  auto flags = std::make_shared<ServiceFlags>();
  add_setting_flags(command, flags->settings, program);
  command
      .add_option("--data", flags->data,
                  "Data folder (default $XDG_STATE_HOME/botburrow or ~/.local/state/botburrow)")
      ->type_name("DIR");
  command.add_flag("--check", flags->check, "Read the settings, reach nothing, exit 0 or 78");
  command.add_flag("--print-config", flags->print_config,
                   "Print the settings in force and where they come from, then exit");
  // Keeps the values alive as long as the command that writes into them.
  command.parse_complete_callback([flags] {});
  return flags;
}

std::string data_folder(const Context& context, const ServiceFlags& flags) {
  return flags.data.empty() ? context.environment.default_data_folder() : flags.data;
}

Settings service_settings(const Context& context, const ServiceFlags& flags,
                          std::string_view program, const SettingsCheck& further) {
  const std::string data = data_folder(context, flags);
  if (!flags.print_config && !flags.check)
    return load_settings(context.environment, program, *flags.settings, data);
  const Settings settings =
      Settings::read(sources_of(context.environment, *flags.settings, data), program);
  if (flags.print_config) print_settings(settings, Output(context.environment));
  print_warnings(settings);
  for (const std::string& line : settings.problems())
    std::fprintf(stderr, "%s\n", line.c_str());
  if (!settings.problems().empty()) throw Exit(exit_code::kSettings);
  if (flags.check && further) further(settings, data);
  if (flags.check) Output(context.environment).line("settings are good");
  throw Exit(exit_code::kDone);
}

}  // namespace botburrow::cli
