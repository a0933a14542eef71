#include "cli/operator_command.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/locate.hpp"
#include "cli/parts.hpp"
#include "cli/service.hpp"
#include "definitions/nearest.hpp"
#include "net/http_client.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

Task<int> when_ready(net::Redis& redis, OperatorTools& tools, const OperatorWork& work) {
  try {
    co_await redis.ready(Deadline::in(3s));
  } catch (const Error& error) {
    throw Error(error.code(), with_start_hint(error.message()));
  }
  co_return co_await work(tools);
}

Task<int> with_tools(const Context& context, const RunningSystem& system, bool json,
                     const OperatorWork& work) {
  const Log log = Log::none();
  net::Redis redis(co_await boost::asio::this_coro::executor,
                   net::parse_redis_url(system.redis_url), {.name = "botburrow-operator"}, log,
                   system_random());
  queue::OperatorView view(redis, log);
  queue::Heartbeats heartbeats(redis);
  const Output out(context.environment);
  OperatorTools tools{.system = system,
                      .redis = redis,
                      .view = view,
                      .heartbeats = heartbeats,
                      .out = out,
                      .json = json};
  redis.start();
  co_return co_await with_cleanup(when_ready(redis, tools, work),
                                  [&redis] { return redis.stop(); });
}

}  // namespace

void add_operator_command(CLI::App& command, Context& context, OperatorWork work) {
  auto flags = add_locate_flags(command);
  add_setting_flag(command, flags->settings, "--redis-url", "REDIS_URL");
  auto json = std::make_shared<bool>(false);
  command.add_flag("--json", *json, "Print the answer as JSON");
  on_run(command, context, [&context, flags, json, work = std::move(work)] {
    const auto system = locate_system(context, *flags);
    return run_command([&] { return with_tools(context, system, *json, work); });
  });
}

AgentId agent_argument(const std::string& text) {
  if (!queue::valid_agent_id(text) || text == "*") {
    throw Error(errc::usage,
                fmt::format("AGENT \"{}\": expected the id of an agent, 1 to 256 bytes "
                            "without control characters (see `botburrow hub agents`)",
                            printable(text)));
  }
  return AgentId(text);
}

namespace {

Task<std::optional<net::HttpResponse>> ask_hub(const RunningSystem& system, net::HttpClient& http,
                                               std::string path) {
  net::HttpRequest request{.url = system.hub_url + std::move(path), .total_timeout = 3000ms};
  if (!system.service_key.empty())
    request.headers.emplace_back("Authorization", "Bearer " + system.service_key.reveal());
  try {
    co_return co_await http.send(std::move(request));
  } catch (const Error&) {
    co_return std::nullopt;
  }
}

std::vector<std::string> names_in(const std::string& body) {
  std::vector<std::string> names;
  const auto document = try_parse_json(body);
  if (!document) return names;
  for (const auto& agent : array_field(*document, "agents"))
    if (auto name = string_field(agent, "name")) names.push_back(*std::move(name));
  return names;
}

// Paused, held off or at work: an agent whose Hub entry is gone has to be looked after all the
// same.
bool is_known(const queue::AgentFacts& facts) {
  return facts.paused || facts.waiting || facts.active || facts.backoff_seconds > 0 ||
         facts.failures > 0 || facts.follow_up;
}

}  // namespace

Task<> require_known_agent(OperatorTools& tools, AgentId agent) {
  if (tools.system.hub_url.empty() || is_known(co_await tools.view.why(agent))) co_return;
  net::HttpClient http(co_await boost::asio::this_coro::executor, {});
  const auto answer =
      co_await ask_hub(tools.system, http, "/api/v1/agents/" + net::url_encode(agent.str()));
  const auto shown = printable(agent.str());
  if (!answer) {
    std::fprintf(stderr, "warning: the Hub does not answer, so nobody knows whether %s exists\n",
                 shown.c_str());
    co_return;
  }
  if (answer->status != 404) co_return;
  const auto all = co_await ask_hub(tools.system, http, "/api/v1/agents?limit=500");
  const auto names = all ? names_in(all->body) : std::vector<std::string>();
  throw Error(errc::not_found,
              fmt::format("the Hub knows no agent \"{}\"{}; see `botburrow hub agents`, or insist "
                          "with --unchecked",
                          shown, definitions::did_you_mean(agent.str(), names)));
}

void add_unchecked(CLI::App& command, bool& flag) {
  command.add_flag("--unchecked", flag, "Do not ask the Hub whether the agent exists");
}

std::string span_text(double seconds) {
  seconds = std::max(0.0, seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{:.0f} h", seconds / 3600);
  return fmt::format("{:.0f} d", seconds / 86400);
}

std::string since_text(const std::string& timestamp) {
  const auto at = parse_rfc3339(timestamp);
  return at ? span_text(to_unix(system_clock().wall()) - to_unix(*at)) : timestamp;
}

}  // namespace botburrow::cli
