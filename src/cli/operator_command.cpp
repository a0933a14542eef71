#include "cli/operator_command.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "cli/locate.hpp"
#include "cli/parts.hpp"
#include "cli/service.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>

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
