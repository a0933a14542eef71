#include "base/json.hpp"
#include "base/log.hpp"
#include "base/settings.hpp"
#include "base/settings_values.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace botburrow {
namespace {

std::string service_names(unsigned services) {
  constexpr std::array<std::pair<unsigned, std::string_view>, 8> kNames = {{
      {service::kCoordinator, "coordinator"},
      {service::kRunner, "runner"},
      {service::kHub, "hub"},
      {service::kSkillSync, "skill-sync"},
      {service::kAssistant, "assistant"},
      {service::kMcpHub, "mcp"},
      {service::kRegister, "register"},
      {service::kClient, "commands"},
  }};
  if (services == service::kAll) return "all";
  std::string out;
  for (const auto& [bit, name] : kNames)
    if (services & bit) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

std::string in_cell(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string code(std::string_view text) {
  return text.empty() ? "" : fmt::format("`{}`", text);
}

std::string default_cell(const SettingSpec& spec) {
  std::string out = code(spec.default_value);
  for (const ProgramDefault& own : spec.defaults)
    out += fmt::format("{}`{}` in `{}`", out.empty() ? "" : "; ", own.value, own.program);
  return out;
}

std::string meaning_cell(const SettingSpec& spec) {
  std::string out(spec.help);
  if (!spec.aliases.empty()) {
    out += " Also";
    for (std::size_t i = 0; i < spec.aliases.size(); ++i)
      out += fmt::format("{} {}", i == 0 ? "" : ",", code(spec.aliases[i]));
    out += ".";
  }
  if (!spec.flag.empty()) out += fmt::format(" Flag {}.", code(spec.flag));
  if (spec.required_by != 0)
    out += fmt::format(" Required by {}.", service_names(spec.required_by));
  if (!spec.takes_effect) out += " *Checked, without effect in this version.*";
  return out;
}

std::string type_cell(const SettingSpec& spec) {
  std::string out;
  if (spec.type == SettingType::text)
    out = "text";
  else
    out = expected_form(spec);
  return spec.secret ? "secret: " + out : out;
}

constexpr std::string_view kIntroduction = R"(# Settings

<!-- Written by `botburrow config --markdown`. A test compares this file with the program. -->

Every setting has a name `X` and can be given, strongest first, as a command-line flag where the
table names one, as `BOTBURROW_X`, as `X`, under one of its other names from left to right, in a file
`.env` of the working directory, or else has its default. An empty value counts as not set. Where two
names hold different values the first is used and the log says so (`setting_conflict`). A variable
`BOTBURROW_…` that no program knows is reported with the nearest name (`setting_unknown`). What
Kubernetes adds for its Services (`…_SERVICE_HOST`, `…_PORT=tcp://…`) is never read.

A secret `X` can also be read from a file: `X_FILE` names it, or `$CREDENTIALS_DIRECTORY/X` holds it.
One line end at its end is dropped.

Durations are whole seconds or `30s`, `5m`, `4h`, `7d`; sizes are `512m`, `2g`, `2Gi` (powers of
1024); processors `1.0` or `500m`; booleans `true`, `1`, `yes`, `on` and their opposites; lists have
commas between their values.

A wrong value ends a program before it connects anywhere: one line `config error: …` for each, exit
code 78. `botburrow config` shows every value in force and where it came from, with secrets masked;
`botburrow config --service runner` shows what one service uses.
)";

}  // namespace

std::vector<SettingReport> Settings::report() const {
  std::vector<SettingReport> out;
  for (const SettingSpec& spec : settings_table()) {
    if (const auto at = values_.find(spec.name); at != values_.end()) {
      const std::string& text = at->second.text;
      out.push_back({std::string(spec.name),
                     spec.secret ? Secret(text).masked() : shown_value(text), at->second.source,
                     &spec});
    }
    if (const auto at = families_.find(spec.name); at != families_.end())
      for (const auto& [member, value] : at->second) {
        std::string name(spec.name);
        name.replace(name.find('*'), 1, member);
        out.push_back({std::move(name), shown_value(value.text), value.source, &spec});
      }
  }
  return out;
}

void log_settings(const Settings& settings, const Log& log) {
  for (const SettingWarning& warning : settings.warnings())
    log.warning(warning.event, {{"setting", warning.name}, {"msg", warning.message}});
  json::object values;
  for (const SettingReport& row : settings.report())
    if (log.format() == LogFormat::json || row.source != "default")
      values[row.name] = {{"value", valid_utf8(row.value)}, {"source", row.source}};
  log.info("settings_loaded", {LogField::raw("settings", to_json(values))});
}

std::string settings_markdown() {
  std::string out(kIntroduction);
  for (const SettingSection& section : settings_sections()) {
    out += fmt::format("\n## {}\n\n", section.title);
    if (!section.intro.empty()) out += fmt::format("{}\n\n", section.intro);
    out += "| Name | Value | Default | Used by | Meaning |\n|---|---|---|---|---|\n";
    for (const SettingSpec& spec : section.rows)
      out += fmt::format("| `{}` | {} | {} | {} | {} |\n", spec.name, in_cell(type_cell(spec)),
                         in_cell(default_cell(spec)), service_names(spec.services),
                         in_cell(meaning_cell(spec)));
  }
  out +=
      "\n## Accepted without effect\n\nPYTHONTRACEMALLOC, PYTHONFAULTHANDLER, PYTHONUNBUFFERED, "
      "PYTHONPATH, PYTHONDONTWRITEBYTECODE and NODE_ENV: no effect, no complaint.\n";
  return out;
}

}  // namespace botburrow
