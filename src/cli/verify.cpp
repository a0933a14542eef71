// `verify`: runs the acceptance plan against a system that it starts itself, or against one that
// runs, and writes the report.
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"
#include "cli/verify/kubernetes.hpp"
#include "cli/verify/live.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace botburrow::cli {
namespace {

using verify::Result;

struct VerifyFlags {
  bool local = false;
  bool json = false;
  bool destructive = false;
  std::string kubernetes;  ///< namespace
  std::string report;
  std::vector<std::string> coordinators, runners;
};

Style style_of(Result result) {
  return result == Result::pass ? Style::good : result == Result::fail ? Style::bad : Style::dim;
}

void print(const Output& out, const verify::Outcomes& outcomes, const std::string& otherwise) {
  std::map<Result, int> counts;
  for (const auto& [item, outcome] : verify::rows_of(outcomes, otherwise)) {
    ++counts[outcome.result];
    out.line(fmt::format("{} {:<4} {}: {}",
                         out.styled(style_of(outcome.result), name_of(outcome.result)), item->id,
                         item->title, printable(outcome.evidence)));
  }
  out.line(fmt::format("{} pass, {} fail, {} skip", counts[Result::pass], counts[Result::fail],
                       counts[Result::skip]));
}

void write_report(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file)
    throw Error(errc::io, fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
}

verify::Progress told_on(const Environment& environment) {
  // Minutes without a word make people doubt; scripts read the answer only.
  if (!environment.stderr_is_terminal) return {};
  return [](std::string_view id, const verify::Outcome& outcome) {
    std::fprintf(stderr, "%-4s %s\n", std::string(id).c_str(),
                 std::string(name_of(outcome.result)).c_str());
  };
}

/// kubectl finds its cluster by the environment, which it is given as it is.
verify::Cluster cluster_of(const Environment& environment, const VerifyFlags& flags) {
  verify::Cluster cluster{.name_space = flags.kubernetes, .destructive = flags.destructive};
  for (const auto& [name, value] : environment.variables)
    cluster.environment.push_back(name + "=" + value);
  if (const auto path = environment.variable("PATH")) cluster.path = *path;
  return cluster;
}

std::string what_is_verified(const VerifyFlags& flags) {
  if (flags.local) return "a system of its own on this machine";
  return flags.kubernetes.empty() ? "a live system" : "namespace " + flags.kubernetes;
}

Task<> run_items(const Ground& ground, const Environment& environment, const VerifyFlags& flags,
                 const verify::LiveSystem& system, verify::Outcomes& outcomes) {
  const auto progress = told_on(environment);
  if (flags.local)
    co_await verify::run_local(ground, outcomes, progress);
  else if (!flags.kubernetes.empty())
    co_await verify::run_kubernetes(cluster_of(environment, flags), outcomes, progress);
  else
    co_await verify::run_live(ground, system, outcomes, progress);
}

Task<int> run_verify(const Context& context, const Settings& settings, const VerifyFlags& flags,
                     const verify::LiveSystem& system) {
  const auto ground =
      ground_of(co_await boost::asio::this_coro::executor, context, settings, Log::none());
  const Output out(context.environment);
  verify::Outcomes outcomes;
  try {
    co_await run_items(ground, context.environment, flags, system, outcomes);
  } catch (const Error& error) {
    // Whatever ends the run, the report says how far it came.
    verify::note_end(outcomes, flags.local, error.message());
    std::fprintf(stderr, "error: the run ended early: %s\n", error.message().c_str());
  }
  const std::string otherwise =
      flags.local ? "not run"
                  : "would disturb a system that works: `botburrow verify --local` shows it";
  if (!flags.report.empty()) {
    write_report(flags.report, verify::to_markdown(outcomes, otherwise, what_is_verified(flags),
                                                   to_rfc3339(system_clock().wall())));
  }
  if (flags.json)
    out.json(verify::to_document(outcomes, otherwise));
  else
    print(out, outcomes, otherwise);
  co_return verify::any_failed(outcomes) ? exit_code::kFailed : exit_code::kDone;
}

verify::LiveSystem live_system(const Context& context, const LocateFlags& locate,
                               const VerifyFlags& flags) {
  const auto running = locate_system(context, locate);
  verify::LiveSystem system{.redis_url = running.redis_url,
                            .hub_url = running.hub_url,
                            .hub_key = running.service_key,
                            .coordinators = flags.coordinators,
                            .runners = flags.runners};
  if (!running.coordinator_url.empty()) system.coordinators.push_back(running.coordinator_url);
  if (!running.runner_url.empty()) system.runners.push_back(running.runner_url);
  return system;
}

}  // namespace

void add_verify(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "verify",
      "Run the acceptance plan against a running system, or with --local against one of "
      "its own, and report each item with evidence");
  auto locate = add_locate_flags(*command);
  add_setting_flag(*command, locate->settings, "--redis-url", "REDIS_URL");
  auto own = std::make_shared<VerifyFlags>();
  command->add_flag("--local", own->local,
                    "Start a Hub, a Redis, two coordinators and runners here, for this run only");
  command
      ->add_option("--kubernetes", own->kubernetes,
                   "A system in a cluster, as the manifests deploy it, through kubectl")
      ->type_name("NAMESPACE");
  command->add_flag("--destructive", own->destructive,
                    "With --kubernetes: also delete the leader's pod");
  command->add_flag("--json", own->json, "Print the items as JSON");
  command->add_option("--report", own->report, "Write the report there, as Markdown")
      ->type_name("FILE");
  const auto add_urls = [&](const char* flag, std::vector<std::string>& urls, const char* help) {
    command->add_option(flag, urls, help)
        ->type_name("URL")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  add_urls("--coordinator", own->coordinators, "Address of a coordinator; again for each");
  add_urls("--runner", own->runners, "Address of a runner; again for each");
  on_run(*command, context, [&context, locate, own] {
    // The parts of services are put together here, so their settings are read.
    const auto settings = load_settings(context.environment, "up", {}, locate->data);
    const auto system = own->local || !own->kubernetes.empty()
                            ? verify::LiveSystem{}
                            : live_system(context, *locate, *own);
    return run_command([&] { return run_verify(context, settings, *own, system); });
  });
}

}  // namespace botburrow::cli
