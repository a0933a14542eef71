#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/live_screen.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "cli/parts.hpp"
#include "cli/redis_refusal.hpp"
#include "cli/service.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

constexpr const char* kAnswers = "answers";

struct StatusFlags {
  bool json = false;
  bool watch = false;
  int interval = 2;  // seconds
};

/// Everything `status` shows, gathered in one go.
struct SystemStatus {
  RunningSystem system;
  queue::QueueSnapshot queue;
  std::vector<queue::Heartbeat> runners;
  std::vector<queue::ActiveActivation> activations;
  std::vector<queue::ActivationResult> results;
  std::map<std::string, std::string> why;  // of agents held off
  std::string hub_state;                   // "answers", or what is wrong
  std::string redis_state;                 // why it takes no work; empty: it does
};

// A Hub reads on while it can write nothing, and says so here. Other Hubs may have no such page.
Task<std::string> readiness_of(net::HttpClient& http, std::string hub_url) {
  const auto answer = co_await http.send({.url = hub_url + "/ready", .total_timeout = 3000ms});
  const auto body = answer.status == 503 ? try_parse_json(answer.body) : std::nullopt;
  const auto reason = body ? string_field(*body, "reason") : std::nullopt;
  co_return reason ? "answers, but is not ready: " + *reason : std::string(kAnswers);
}

// With the key that services use: a Hub that refuses it is of no use to them.
Task<std::string> ask_hub(net::HttpClient& http, RunningSystem system) {
  net::HttpRequest request{.url = system.hub_url + "/api/v1/agents?limit=1",
                           .total_timeout = 3000ms};
  if (!system.service_key.empty())
    request.headers.emplace_back("Authorization", "Bearer " + system.service_key.reveal());
  try {
    const auto answer = co_await http.send(std::move(request));
    if (answer.ok() && !try_parse_json(answer.body))
      co_return "is not a Hub: its answer is no JSON; check HUB_URL";
    if (answer.ok()) co_return co_await readiness_of(http, system.hub_url);
    if (answer.status == 401 || answer.status == 403)
      co_return fmt::format("refuses the key ({}); check HUB_API_KEY", answer.status);
    co_return fmt::format("answers {}", answer.status);
  } catch (const Error& error) {
    co_return "does not answer: " + error.message();
  }
}

Task<SystemStatus> gather(const Ground& ground, RunningSystem system, net::Redis& redis,
                          net::HttpClient& http) {
  SystemStatus status{.system = std::move(system)};
  queue::OperatorView view(redis, ground.log);
  queue::Heartbeats heartbeats(redis);
  status.queue = co_await view.snapshot();
  status.runners = co_await heartbeats.live();
  status.activations = co_await view.activations();
  status.results = co_await view.results(5);
  constexpr std::size_t kReasonsMax = 50;
  for (const auto& [agent, seconds] : status.queue.backoff) {
    if (status.why.size() == kReasonsMax) break;
    const auto facts = co_await view.why(AgentId(agent));
    status.why[agent] = facts.last_reason.value_or("");
  }
  status.redis_state = co_await redis_refusal(redis);
  status.hub_state = co_await ask_hub(http, status.system);
  co_return status;
}

json::value lane_json(const queue::QueueSnapshot::Lane& lane) {
  return {{"length", lane.length}, {"oldest_age_seconds", lane.oldest_age_seconds}};
}

json::value to_document(const SystemStatus& s) {
  json::object active, backoff, failures;
  for (const auto& [agent, runner] : s.queue.active)
    active[agent] = runner;
  for (const auto& [agent, seconds] : s.queue.backoff)
    backoff[agent] = seconds;
  for (const auto& [agent, count] : s.queue.failures)
    failures[agent] = count;
  json::array runners, activations, results, paused;
  for (const auto& r : s.runners) {
    runners.push_back({{"runner_id", r.runner_id.str()},
                       {"status", std::string(queue::name_of(r.status))},
                       {"mode", r.mode ? std::string(queue::name_of(*r.mode)) : ""},
                       {"active", r.active},
                       {"capacity", r.capacity},
                       {"version", r.version},
                       {"sandbox", r.sandbox},
                       {"sandbox_reason", r.sandbox_reason},
                       {"executors", json::array(r.executors.begin(), r.executors.end())},
                       {"timestamp", to_rfc3339(r.timestamp)}});
  }
  for (const auto& a : s.activations) {
    activations.push_back({{"agent_id", a.agent_id.str()},
                           {"runner_id", a.runner_id.str()},
                           {"activation_id", a.activation_id.str()},
                           {"task_type", a.task_type},
                           {"started_at", a.started_at}});
  }
  for (const auto& r : s.results) {
    results.push_back({{"agent_name", r.agent_name},
                       {"status", r.status},
                       {"error", r.error ? json::value(*r.error) : json::value(nullptr)},
                       {"timestamp", r.timestamp},
                       {"duration_seconds", r.duration_seconds}});
  }
  for (const auto& agent : s.queue.paused)
    paused.emplace_back(agent);
  return {
      {"hub",
       {{"url", s.system.hub_url}, {"answers", s.hub_state == kAnswers}, {"state", s.hub_state}}},
      {"redis", {{"takes_work", s.redis_state.empty()}, {"state", s.redis_state}}},
      {"leader", s.queue.leader.empty() ? json::value(nullptr) : json::value(s.queue.leader)},
      {"epoch", s.queue.epoch},
      {"generation", s.queue.generation},
      {"queues",
       {{"high", lane_json(s.queue.high)},
        {"normal", lane_json(s.queue.normal)},
        {"low", lane_json(s.queue.low)}}},
      {"deferred", s.queue.deferred},
      {"dead", s.queue.dead},
      {"outbox", s.queue.outbox},
      {"active", std::move(active)},
      {"backoff", std::move(backoff)},
      {"failures", std::move(failures)},
      {"paused", std::move(paused)},
      {"runners", std::move(runners)},
      {"activations", std::move(activations)},
      {"results", std::move(results)}};
}

std::string state_line(const Output& out, bool good, const std::string& text) {
  return out.styled(good ? Style::good : Style::bad, text);
}

std::string when(const std::string& timestamp) {
  const auto at = parse_rfc3339(timestamp);
  return at ? ago(to_unix(system_clock().wall()) - to_unix(*at)) : timestamp;
}

// Its last heartbeat stands for a minute, whatever has become of it.
std::string status_of(const queue::Heartbeat& runner, double now) {
  constexpr double kSilent = 15;
  const auto name = std::string(queue::name_of(runner.status));
  const double silent = now - to_unix(runner.timestamp);
  return silent > kSilent ? fmt::format("{}, heard {}", name, ago(silent)) : name;
}

void print_status(const Output& out, const SystemStatus& s) {
  out.line(fmt::format("Hub       {}  {}", s.system.hub_url,
                       state_line(out, s.hub_state == kAnswers, printable(s.hub_state))));
  if (!s.redis_state.empty())
    out.line("redis     " + state_line(out, false, "takes no work: " + printable(s.redis_state)));
  out.line(
      fmt::format("leader    {}",
                  s.queue.leader.empty()
                      ? state_line(out, false,
                                   "none: no coordinator leads, nothing new is enqueued (start "
                                   "`botburrow coordinator`)")
                      : fmt::format("{} (epoch {})", printable(s.queue.leader), s.queue.epoch)));
  if (s.queue.generation.empty())
    out.line("claims    " +
             state_line(out, false, "none until a leader has compared Redis with the Hub"));
  out.line(fmt::format(
      "queues    high {} · normal {} · low {} · deferred {} · dead {}{}", s.queue.high.length,
      s.queue.normal.length, s.queue.low.length, s.queue.deferred, s.queue.dead,
      s.queue.outbox > 0 ? fmt::format(" · unsent reports {}", s.queue.outbox) : ""));
  const double oldest =
      std::max({s.queue.high.oldest_age_seconds, s.queue.normal.oldest_age_seconds,
                s.queue.low.oldest_age_seconds});
  if (oldest > 0) out.line(fmt::format("waiting   oldest item {:.0f} s", oldest));
  if (!s.queue.paused.empty())
    out.line(
        fmt::format("paused    {}", printable(fmt::format("{}", fmt::join(s.queue.paused, ", ")))));
  std::vector<std::vector<std::string>> rows;
  for (const auto& r : s.runners) {
    rows.push_back({r.runner_id.str(), r.mode ? std::string(queue::name_of(*r.mode)) : "?",
                    status_of(r, s.queue.server_time), fmt::format("{}/{}", r.active, r.capacity),
                    r.sandbox.empty() ? "?" : r.sandbox, r.version});
  }
  if (rows.empty())
    out.line("runners   " +
             state_line(out, false, "none: nothing is worked on (start `botburrow runner`)"));
  else
    out.table({"runner", "mode", "status", "busy", "sandbox", "version"}, rows);
  for (const auto& r : s.runners) {
    if (!r.sandbox_reason.empty())
      out.line(fmt::format("sandbox   {}: {}", r.runner_id.str(),
                           state_line(out, false, printable(r.sandbox_reason))));
  }
  rows.clear();
  for (const auto& a : s.activations)
    rows.push_back(
        {a.agent_id.str(), a.runner_id.str(), a.task_type, a.started_at, a.activation_id.str()});
  if (!rows.empty()) out.table({"running", "on", "task", "since", "activation"}, rows);
  rows.clear();
  for (const auto& [agent, seconds] : s.queue.backoff) {
    const auto failures = s.queue.failures.find(agent);
    rows.push_back({agent, fmt::format("{:.0f} s", seconds),
                    failures == s.queue.failures.end() ? "0" : fmt::format("{}", failures->second),
                    s.why.contains(agent) ? s.why.at(agent) : ""});
  }
  if (!rows.empty()) out.table({"held off", "for", "failures", "last reason"}, rows);
  rows.clear();
  for (const auto& r : s.results)
    rows.push_back({r.agent_name, when(r.timestamp), r.status,
                    fmt::format("{:.2f} s", r.duration_seconds), r.error.value_or("")});
  if (!rows.empty()) out.table({"last results", "when", "status", "took", "reason"}, rows);
}

std::string text_of(const Output& out, const SystemStatus& status, const StatusFlags& flags) {
  std::string text;
  const auto captured = out.into(text);
  if (flags.json)
    captured.json(to_document(status));
  else
    print_status(captured, status);
  return text;
}

Task<int> show_once(const Output& out, const Ground& ground, const RunningSystem& system,
                    net::Redis& redis, StatusFlags flags) {
  net::HttpClient http(ground.executor, {});
  try {
    co_await redis.ready(Deadline::in(3s));
  } catch (const Error& error) {
    throw Error(error.code(), with_start_hint(error.message()));
  }
  const auto status = co_await gather(ground, system, redis, http);
  std::fputs(text_of(out, status, flags).c_str(), stdout);
  co_return exit_code::kDone;
}

/// A system that is away is shown as such: it may come back.
Task<std::string> look(const Output& out, const Ground& ground, const RunningSystem& system,
                       net::Redis& redis, net::HttpClient& http, const StatusFlags& flags) {
  try {
    co_await redis.ready(Deadline::in(3s));
    const auto status = co_await gather(ground, system, redis, http);
    co_return text_of(out, status, flags);
  } catch (const Error& error) {
    std::string text;
    const auto captured = out.into(text);
    if (flags.json)
      captured.json(json::object{{"error", error.message()}});
    else
      captured.line(state_line(out, false, printable(error.message())));
    co_return text;
  }
}

Task<int> watch(const Context& context, const Output& out, const Ground& ground,
                const RunningSystem& system, net::Redis& redis, StatusFlags flags) {
  net::HttpClient http(ground.executor, {});
  LiveScreen screen(context.environment.stdout_is_terminal && !flags.json);
  for (;;) {
    const auto time = to_rfc3339(system_clock().wall());
    const auto text = co_await look(out, ground, system, redis, http, flags);
    if (flags.json) {
      std::fputs(text.c_str(), stdout);
      std::fflush(stdout);
    } else {
      screen.show(out.styled(Style::dim, time + "  Ctrl-C ends") + "\n" + text);
    }
    // Who read it has gone.
    if (std::ferror(stdout) != 0) co_return exit_code::kDone;
    co_await sleep_for(std::chrono::seconds(flags.interval));
  }
}

Task<int> run_status(const Context& context, RunningSystem system, const Settings& settings,
                     StatusFlags flags) {
  const auto ground =
      ground_of(co_await boost::asio::this_coro::executor, context, settings, Log::none());
  net::Redis redis(ground.executor, net::parse_redis_url(system.redis_url),
                   {.name = "botburrow-status"}, ground.log, ground.random);
  redis.start();
  const Output out(context.environment);
  auto showing = flags.watch ? watch(context, out, ground, system, redis, flags)
                             : show_once(out, ground, system, redis, flags);
  co_return co_await with_cleanup(std::move(showing), [&redis] { return redis.stop(); });
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("status", "The running system on one screen");
  auto flags = add_locate_flags(*command);
  add_setting_flag(*command, flags->settings, "--redis-url", "REDIS_URL");
  auto own = std::make_shared<StatusFlags>();
  command->add_flag("--json", own->json, "Print it as JSON");
  command->add_flag("--watch", own->watch,
                    "Live in the terminal, or block after block elsewhere; until Ctrl-C");
  command->add_option("--interval", own->interval, "Seconds between two looks (default 2)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 3600));
  on_run(*command, context, [&context, flags, own] {
    const auto system = locate_system(context, *flags);
    const auto settings = load_settings(context.environment, "client", *flags->settings);
    return run_command(
        [&context, &settings, system, own] { return run_status(context, system, settings, *own); });
  });
}

}  // namespace botburrow::cli
