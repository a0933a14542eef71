#include "base/error.hpp"
#include "base/version.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/parts.hpp"
#include "cli/service.hpp"
#include "definitions/grants.hpp"
#include "mcp/http_endpoint.hpp"
#include "mcp/http_server_rules.hpp"
#include "mcp/stdio_server.hpp"
#include "tools/hub_server_tools.hpp"
#include "tools/uncounted_agent_state.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace botburrow::cli {
namespace {

constexpr std::string_view kPath = "/mcp";
/// Each call and each stream that listens holds one.
constexpr std::size_t kConnectionsMax = 64;

struct McpHubFlags {
  SettingFlags settings = no_flags();
  std::string listen;
};

/// HOST:PORT, [v6]:PORT or PORT.
struct ListenAddress {
  std::string host = "127.0.0.1";
  int port = 0;
  bool is_loopback() const { return mcp::is_loopback_host(host); }
};

ListenAddress parse_listen(const std::string& text) {
  ListenAddress address;
  const auto colon = text.rfind(':');
  const auto digits = colon == std::string::npos ? text : text.substr(colon + 1);
  if (colon != std::string::npos) address.host = text.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  const auto* end = digits.data() + digits.size();
  const auto [stopped, fault] = std::from_chars(digits.data(), end, address.port);
  const bool good = fault == std::errc() && stopped == end && !address.host.empty() &&
                    address.port >= 0 && address.port <= 65535;
  if (!good) {
    throw Error(errc::usage,
                fmt::format("--listen \"{}\": expected HOST:PORT, e.g. 127.0.0.1:8765", text));
  }
  return address;
}

AgentId acting_agent(const Settings& settings) {
  const auto agent = settings.text("AGENT_ID");
  if (!agent.empty()) return AgentId(agent);
  throw Error(errc::bad_settings,
              "config error: AGENT_ID is required: the agent in whose name the Hub is asked "
              "(set AGENT_ID or give --agent)");
}

definitions::GrantSet grants_of(const Settings& settings) {
  const auto grants = settings.list("GRANTS");
  for (const auto& grant : grants) {
    if (const auto fault = definitions::grant_fault(grant)) {
      throw Error(errc::bad_settings,
                  fmt::format("config error: GRANTS: \"{}\" {}", grant, *fault));
    }
  }
  return definitions::GrantSet(grants);
}

/// The Hub's tools, and everything behind them.
class HubTools {
 public:
  HubTools(const Ground& ground)
      : ground_(ground),
        hub_(ground, ground.settings.text("HUB_URL"), ground.settings.secret("HUB_API_KEY"),
             metrics_),
        agent_(acting_agent(ground.settings)),
        grants_(grants_of(ground.settings)),
        rules_({.name = "hub-mcp-server", .version = std::string(version())},
               tools::make_hub_server_tools({.hub = hub_.hub,
                                             .agent = agent_,
                                             .grants = grants_,
                                             .writer = [this] { return make_writer(); },
                                             .log = ground.log,
                                             .metrics = metrics_})) {
    // Without one, the Hub's own limits are what holds.
    if (ground.settings.is_set("REDIS_URL")) {
      redis_.emplace(ground.executor, net::parse_redis_url(ground.settings.text("REDIS_URL")),
                     net::Redis::Options{.name = "botburrow-mcp-hub"}, ground.log, ground.random);
      counted_.emplace(*redis_, ground.log);
      redis_->start();
    }
    if (rules_.offers_nothing())
      ground.log.warning(
          "missing_grants_for_mcp",
          {{"server", "hub"},
           {"msg", grants_.list().empty() ? "GRANTS is empty: no tool is offered"
                                          : "no grant in GRANTS unlocks a tool: none is offered"},
           {"grants", fmt::format("{}", fmt::join(grants_.list(), ","))},
           {"fix", "GRANTS=hub:read,hub:write, or --grants"}});
    if (ground.settings.secret("HUB_API_KEY").empty())
      ground.log.warning("hub_key_missing",
                         {{"msg", "no HUB_API_KEY is set: a Hub that asks for keys answers 401"},
                          {"fix", "set HUB_API_KEY to a key of type service"}});
  }

  const mcp::ServerRules& rules() const { return rules_; }
  Task<> stop() {
    if (redis_) co_await redis_->stop();
  }

 private:
  // Each call is a piece of work of its own, with keys of its own.
  std::shared_ptr<tools::HubWriter> make_writer() {
    queue::AgentState& state = counted_ ? static_cast<queue::AgentState&>(*counted_) : uncounted_;
    auto writer = std::make_shared<tools::HubWriter>(
        hub_.hub, state, ground_.clock,
        tools::HubWriter::Identity{.id = agent_, .name = agent_.str()},
        tools::HubWriter::Rules{.grants = grants_, .scrubber = ground_.environment.scrubber.get()},
        [] { return true; }, journal_, ground_.log, metrics_);
    writer->begin_work(WorkId(ground_.random.uuid4()));
    return writer;
  }

  const Ground& ground_;
  Metrics metrics_;
  HubParts hub_;
  std::optional<net::Redis> redis_;
  std::optional<queue::RedisAgentState> counted_;
  tools::UncountedAgentState uncounted_;
  tools::NoEffectJournal journal_;
  AgentId agent_;
  definitions::GrantSet grants_;
  mcp::ServerRules rules_;
};

Task<> serve_until_stopped(StopRequest& stop, const mcp::ServerRules& rules, Log log) {
  TaskGroup waiting(co_await boost::asio::this_coro::executor);
  std::exception_ptr failure;
  waiting.spawn("stdio", [&]() -> Task<> {
    try {
      co_await mcp::serve_stdio(rules, {}, log);
    } catch (...) {
      failure = std::current_exception();
      if (is_cancellation(failure)) throw;
    }
    stop.request();
  });
  co_await stop.until_requested();
  co_await waiting.stop();
  if (failure && !is_cancellation(failure)) std::rethrow_exception(failure);
}

Task<> listen_until_stopped(StopRequest& stop, const mcp::ServerRules& rules,
                            const Settings& settings, ListenAddress address, Log log) {
  net::HttpServer http(
      co_await boost::asio::this_coro::executor,
      {.host = address.host, .port = address.port, .connections_max = kConnectionsMax}, log);
  mcp::add_endpoint(
      http, std::string(kPath), rules,
      {.token = settings.secret("MCP_HTTP_TOKEN"), .loopback_only = address.is_loopback()}, log);
  http.start();
  log.info("mcp_server_started", {{"name", "hub"}, {"url", http.url() + std::string(kPath)}});
  co_await stop.until_requested();
  co_await http.stop(settings.seconds("SHUTDOWN_GRACE"));
}

Task<int> run_mcp_hub(StopRequest& stop, const Context& context, const Settings& settings,
                      std::optional<ListenAddress> address) {
  // stdout is the protocol.
  const Log log = command_log(context.environment, settings).with({{"service", "mcp-hub"}});
  const Ground ground{.executor = co_await boost::asio::this_coro::executor,
                      .environment = context.environment,
                      .settings = settings,
                      .clock = system_clock(),
                      .random = system_random(),
                      .log = log};
  HubTools tools(ground);
  std::exception_ptr failure;
  try {
    if (address) {
      co_await listen_until_stopped(stop, tools.rules(), settings, *address, log);
    } else {
      co_await serve_until_stopped(stop, tools.rules(), log);
    }
  } catch (const Error&) {
    failure = std::current_exception();
  }
  co_await tools.stop();
  if (failure) std::rethrow_exception(failure);
  co_return exit_code::kDone;
}

}  // namespace

void add_mcp_hub(CLI::App& mcp, Context& context) {
  CLI::App* command =
      mcp.add_subcommand("hub", "Serve the Hub's tools to any MCP client, acting as one agent");
  auto flags = std::make_shared<McpHubFlags>();
  add_setting_flag(*command, flags->settings, "--hub-url", "HUB_URL");
  add_setting_flag(*command, flags->settings, "--redis-url", "REDIS_URL");
  add_setting_flag(*command, flags->settings, "--agent", "AGENT_ID");
  add_setting_flag(*command, flags->settings, "--grants", "GRANTS");
  add_setting_flag(*command, flags->settings, "--log-level", "LOG_LEVEL");
  command
      ->add_option("--listen", flags->listen,
                   "Serve Streamable HTTP at http://HOST:PORT/mcp instead of stdio")
      ->type_name("HOST:PORT");
  command->footer(
      "Examples:\n"
      "  AGENT_ID=scribe GRANTS=hub:read,hub:write botburrow mcp hub\n"
      "  botburrow mcp hub --agent scribe --grants hub:read --listen 127.0.0.1:8765");
  on_run(*command, context, [&context, flags] {
    const auto settings = load_settings(context.environment, "mcp", *flags->settings);
    std::optional<ListenAddress> address;
    if (!flags->listen.empty()) address = parse_listen(flags->listen);
    if (address && !address->is_loopback() && settings.secret("MCP_HTTP_TOKEN").empty()) {
      throw Error(errc::bad_settings,
                  fmt::format("config error: --listen {}: beyond loopback MCP_HTTP_TOKEN must be "
                              "set; clients send it as bearer token",
                              flags->listen));
    }
    return run_service([&context, &settings, address](StopRequest& stop) {
      return run_mcp_hub(stop, context, settings, address);
    });
  });
}

}  // namespace botburrow::cli
