#include "cli/config.hpp"

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

namespace botburrow::cli {
namespace {

struct ConfigFlags {
  std::vector<std::string> names;
  std::string service;
  std::string data;
  bool as_json = false;
  bool as_markdown = false;
};

std::string default_text(const SettingSpec& spec, const std::string& program) {
  for (const ProgramDefault& own : spec.defaults)
    if (own.program == program) return std::string(own.value);
  return std::string(spec.default_value);
}

bool is_wanted(const SettingReport& row, const std::vector<std::string>& names) {
  return names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
           return find_setting(name) == row.spec;
         });
}

json::object to_document(const Settings& settings, const std::vector<std::string>& names) {
  json::array rows, problems, warnings;
  for (const SettingReport& row : settings.report()) {
    if (!is_wanted(row, names)) continue;
    rows.push_back({{"name", row.name},
                    {"value", valid_utf8(row.value)},
                    {"source", row.source},
                    {"default", default_text(*row.spec, settings.program())},
                    {"secret", row.spec->secret},
                    {"expected", expected_form(*row.spec)},
                    {"takes_effect", row.spec->takes_effect},
                    {"help", std::string(row.spec->help)}});
  }
  for (const std::string& line : settings.problems())
    problems.emplace_back(valid_utf8(line));
  for (const SettingWarning& warning : settings.warnings())
    warnings.push_back({{"event", warning.event},
                        {"setting", warning.name},
                        {"message", valid_utf8(warning.message)}});
  json::object out;
  out["service"] = settings.program();
  out["settings"] = std::move(rows);
  out["problems"] = std::move(problems);
  out["warnings"] = std::move(warnings);
  return out;
}

void check_names(const std::vector<std::string>& names, const Settings& settings) {
  for (const std::string& name : names) {
    const SettingSpec* spec = find_setting(name);
    if (!spec)
      throw Error(errc::usage,
                  fmt::format("no setting is named \"{}\"; `botburrow config` lists all", name));
    if ((spec->services & services_of_program(settings.program())) == 0)
      throw Error(errc::usage,
                  fmt::format("{} is not a setting of {}", spec->name, settings.program()));
  }
}

std::string value_text(const SettingReport& row) {
  return row.value.empty() ? "unset" : row.value;
}

void explain(const Settings& settings, const Output& output,
             const std::vector<std::string>& names) {
  for (const SettingReport& row : settings.report()) {
    if (!is_wanted(row, names)) continue;
    const std::string usual = default_text(*row.spec, settings.program());
    output.line(output.styled(Style::bold, row.name));
    output.line("  " + std::string(row.spec->help));
    output.line("  value     " + printable(value_text(row)));
    output.line("  source    " + row.source);
    output.line("  default   " + (usual.empty() ? "none" : usual));
    output.line("  expected  " + expected_form(*row.spec));
    if (!row.spec->takes_effect) output.line("  (checked, without effect in this version)");
  }
}

int run_config(const Context& context, const ConfigFlags& flags) {
  const Output output(context.environment);
  if (flags.as_markdown) {
    const std::string text = settings_markdown();
    std::fwrite(text.data(), 1, text.size(), stdout);
    return exit_code::kDone;
  }
  const Settings settings =
      Settings::read(sources_of(context.environment, {}, flags.data), flags.service);
  check_names(flags.names, settings);
  if (flags.as_json)
    output.json(to_document(settings, flags.names));
  else if (!flags.names.empty())
    explain(settings, output, flags.names);
  else
    print_settings(settings, output);
  print_warnings(settings);
  for (const std::string& line : settings.problems())
    std::fprintf(stderr, "%s\n", line.c_str());
  return settings.problems().empty() ? exit_code::kDone : exit_code::kSettings;
}

}  // namespace

void print_settings(const Settings& settings, const Output& output) {
  std::vector<std::vector<std::string>> rows;
  for (const SettingReport& row : settings.report())
    rows.push_back({row.name, value_text(row), row.source});
  output.table({"NAME", "VALUE", "SOURCE"}, rows);
}

void add_config(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ConfigFlags>();
  CLI::App* command =
      app.add_subcommand("config", "Show every setting, its value and where it comes from");
  command->add_option("name", flags->names, "Only these settings, with their meaning")
      ->type_name("NAME");
  command
      ->add_option("--service", flags->service, "Only what this service uses, as it would read it")
      ->type_name("NAME")
      ->check(CLI::IsMember(std::set<std::string>{"coordinator", "runner", "hub", "skill-sync",
                                                  "assistant", "mcp", "register", "client", "up",
                                                  "demo"}));
  command->add_option("--data", flags->data, "Data folder")->type_name("DIR");
  command->add_flag("--json", flags->as_json, "Machine-readable answer");
  command->add_flag("--markdown", flags->as_markdown,
                    "The reference of all settings, as in docs/settings.md");
  on_run(*command, context, [&context, flags] { return run_config(context, *flags); });
}

}  // namespace botburrow::cli
