// `doctor`: gathers what can be seen of the system, judges it by the table of checks, and prints
// one line a check.
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/doctor/check.hpp"
#include "cli/doctor/look.hpp"
#include "cli/exit_code.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace botburrow::cli {
namespace {

using doctor::Result;

struct DoctorFlags {
  bool json = false;
  std::vector<std::string> coordinators, runners;
};

/// Where to look, and what is already known.
struct Patient {
  doctor::Place place;
  doctor::Facts facts;
  Settings settings;
};

std::string without_slash(std::string url) {
  while (url.ends_with('/'))
    url.pop_back();
  return url;
}

using Flags = std::vector<SettingsSources::Flag>;

enum class Rank { below_environment, above_environment };

/// `more`: what is known here besides. What was typed always wins.
Settings settings_of(const Context& context, const LocateFlags& flags, const std::string& program,
                     const Flags& more = {}, Rank rank = Rank::below_environment) {
  const auto services = services_of_program(program);
  auto given = *flags.settings;
  std::erase_if(given, [services](const auto& flag) {
    return (find_setting(flag.name)->services & services) == 0;
  });
  auto settings = Settings::read(sources_of(context.environment, given, flags.data), program);
  const auto typed = given.size();
  for (const auto& flag : more)
    if (!settings.is_set(flag.name) ||
        (rank == Rank::above_environment && !settings.source(flag.name).starts_with("--")))
      given.push_back(flag);
  if (given.size() == typed) return settings;
  return Settings::read(sources_of(context.environment, std::move(given), flags.data), program);
}

void take_place(Patient& patient, const RunningSystem& system, const std::string& data_folder) {
  auto& place = patient.place;
  place.all_in_one = system.pid != 0;
  place.redis_url = system.redis_url;
  place.hub_url = system.hub_url;
  place.hub_key = system.service_key;
  if (!system.coordinator_url.empty()) place.coordinators.push_back(system.coordinator_url);
  if (!system.runner_url.empty()) place.runners.push_back(system.runner_url);
  if (place.all_in_one) place.data_folder = data_folder;
  patient.facts.settings.place =
      place.all_in_one ? fmt::format("`up` in {}, process {}", data_folder, system.pid)
                       : "services apart, by HUB_URL and REDIS_URL";
}

/// An `up` that was ended in good order leaves no run.json; its data is there all the same. Empty
/// where somebody says that services run apart, or nothing of the kind is there.
std::string stopped_system(const Context& context, const LocateFlags& flags,
                           const Settings& client) {
  if (!flags.data.empty() || client.is_set("HUB_URL") || client.is_set("REDIS_URL")) return "";
  const auto folder = context.environment.default_data_folder();
  std::error_code error;
  const bool lived = std::filesystem::exists(folder + "/keys.json", error) ||
                     std::filesystem::exists(folder + "/hub.db", error);
  if (!lived) return "";
  return fmt::format("the system of {} is stopped; start it with `botburrow up`", folder);
}

/// Ports that somebody gave to a service of this machine. Defaults say nothing: which services run
/// here is not known.
void add_port(doctor::Place& place, const Settings& settings, const std::string& name) {
  if (!settings.problems().empty() || !settings.is_set(name)) return;
  const auto port = static_cast<int>(settings.integer(name));
  if (port > 0) place.ports.emplace_back(name, port);
}

/// Services apart: what a coordinator and a runner would read here.
Patient examine(const Context& context, const LocateFlags& flags, const DoctorFlags& own) {
  const auto client = settings_of(context, flags, "client");
  Patient patient{.place = {}, .facts = {}, .settings = settings_of(context, flags, "up")};
  if (!client.problems().empty()) {
    patient.facts.settings = doctor::settings_facts({&client});
    patient.facts.settings.place = "unknown: the settings are wrong";
    return patient;
  }
  std::string trouble;
  RunningSystem system;
  try {
    system = locate_system(context, flags);
    if (system.pid == 0) trouble = stopped_system(context, flags, client);
    // Settings say nothing of a system that does not run.
    if (!trouble.empty()) system = {};
  } catch (const Error& error) {
    trouble = error.message();
  }
  const bool all_in_one = system.pid != 0 || !trouble.empty();
  if (all_in_one) {
    if (!system.definitions.empty())
      patient.settings = settings_of(context, flags, "up",
                                     {{"AGENT_DEFINITIONS_PATH", "run.json", system.definitions}},
                                     Rank::above_environment);
    patient.facts.settings = doctor::settings_facts({&patient.settings});
  } else {
    // Where services run apart, no runner falls back to another model by itself.
    patient.settings = settings_of(context, flags, "up", {{"LLM_MODE", "default", "vendor"}});
    const auto coordinator = settings_of(context, flags, "coordinator");
    const auto runner = settings_of(context, flags, "runner");
    patient.facts.settings = doctor::settings_facts({&client, &coordinator, &runner});
    add_port(patient.place, coordinator, "METRICS_PORT");
    add_port(patient.place, settings_of(context, flags, "hub"), "API_PORT");
  }
  if (trouble.empty())
    take_place(patient, system,
               flags.data.empty() ? context.environment.default_data_folder() : flags.data);
  patient.facts.settings.system_trouble = trouble;
  // Of a system that is not there nobody knows which definitions it would use.
  if (trouble.empty() || patient.settings.is_set("AGENT_DEFINITIONS_PATH"))
    patient.place.definitions = patient.settings.text("AGENT_DEFINITIONS_PATH");
  for (const auto& url : own.coordinators)
    patient.place.coordinators.push_back(without_slash(url));
  for (const auto& url : own.runners)
    patient.place.runners.push_back(without_slash(url));
  return patient;
}

json::value to_document(const std::vector<doctor::Finding>& findings) {
  json::array checks;
  for (const auto& [check, verdict] : findings) {
    checks.push_back({{"id", check->id},
                      {"title", check->title},
                      {"result", doctor::name_of(verdict.result)},
                      {"evidence", printable(verdict.evidence)},
                      {"cause", printable(verdict.cause)},
                      {"cure", printable(verdict.cure)}});
  }
  return json::object{{"checks", std::move(checks)}};
}

Style style_of(Result result) {
  return result == Result::ok ? Style::good : result == Result::fail ? Style::bad : Style::dim;
}

void print(const Output& out, const std::vector<doctor::Finding>& findings) {
  std::size_t faults = 0, unseen = 0;
  for (const auto& [check, verdict] : findings) {
    out.line(fmt::format(
        "{} {:<22} {}: {}",
        out.styled(style_of(verdict.result), fmt::format("{:<4}", name_of(verdict.result))),
        check->id, check->title, printable(verdict.evidence)));
    faults += verdict.result == Result::fail;
    unseen += verdict.result == Result::skip && !verdict.nothing_to_check;
    if (verdict.result != Result::fail) continue;
    out.line("     cause: " + printable(verdict.cause));
    out.line("     cure:  " + printable(verdict.cure));
  }
  out.line(fmt::format("{} checks, {} faults, {} not checked", findings.size(), faults, unseen));
}

Task<int> run_doctor(const Context& context, Patient& patient, const DoctorFlags& flags) {
  const auto ground =
      ground_of(co_await boost::asio::this_coro::executor, context, patient.settings, Log::none());
  const Output out(context.environment);
  BlockingPool pool(2);
  co_await doctor::look_at_all(ground, patient.place, pool, patient.facts);
  const auto checks = doctor::all_checks();
  const auto findings = doctor::judge_all(checks, patient.facts);
  if (flags.json)
    out.json(to_document(findings));
  else
    print(out, findings);
  const int code = doctor::all_well(findings) ? exit_code::kDone : exit_code::kFailed;
  // A file system that hangs would hold up the pool's end.
  if (pool.under_way() > 0) leave_process(code);
  co_return code;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "doctor", "Check everything that can be wrong; say what is, why, and what to do about it");
  auto flags = add_locate_flags(*command);
  add_setting_flag(*command, flags->settings, "--redis-url", "REDIS_URL");
  add_setting_flag(*command, flags->settings, "--definitions", "AGENT_DEFINITIONS_PATH");
  auto own = std::make_shared<DoctorFlags>();
  command->add_flag("--json", own->json, "Print the checks as JSON");
  command
      ->add_option("--coordinator", own->coordinators,
                   "Address of a coordinator, e.g. http://host:9090; again for each")
      ->type_name("URL")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--runner", own->runners,
                   "Address of a runner, e.g. http://host:9091; again for each")
      ->type_name("URL")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  on_run(*command, context, [&context, flags, own] {
    auto patient = examine(context, *flags, *own);
    return run_command([&] { return run_doctor(context, patient, *own); });
  });
}

}  // namespace botburrow::cli
