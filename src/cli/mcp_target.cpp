#include "cli/mcp_target.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/version.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"
#include "mcp/connect.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <memory>

namespace botburrow::cli {
namespace {

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

mcp::ClientOptions client_options(const Settings& settings) {
  return {.version = std::string(version()),
          .times = {.quiet_max = settings.seconds("MCP_TIMEOUT"),
                    .total_max = settings.seconds("MCP_CALL_MAX")}};
}

Task<std::unique_ptr<mcp::Client>> connect(const Context& context, const Settings& settings,
                                           net::HttpClient& http, McpTarget target,
                                           Deadline deadline, Log log) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto limit = static_cast<std::size_t>(settings.integer("MCP_OUTPUT_LIMIT_KB")) * 1024;
  if (target.command.empty()) {
    co_return co_await mcp::connect_http(http, {.url = target.url, .message_bytes_max = limit},
                                         client_options(settings), deadline, std::move(log));
  }
  std::map<std::string, std::string> environment(context.environment.variables.begin(),
                                                 context.environment.variables.end());
  mcp::PlainLauncher launcher(executor, std::move(environment));
  mcp::LaunchSpec spec{.server = target.command.front(), .argv = target.command};
  co_return co_await mcp::connect_stdio(launcher, std::move(spec), {.message_bytes_max = limit},
                                        client_options(settings), deadline, std::move(log));
}

/// A server that went away has often said why.
Task<int> heard_out(mcp::Client& client, Task<int> work) {
  std::optional<Error> failure;
  try {
    co_return co_await std::move(work);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure->code() != errc::mcp_unavailable) throw *std::move(failure);
  throw mcp::with_complaints(*failure, client.complaints());
}

Task<int> run(const Context& context, const Settings& settings, McpTarget target,
              std::function<Task<int>(mcp::Client&, Deadline)> work) {
  const auto deadline = Deadline::in(settings.seconds("MCP_START_TIMEOUT"));
  net::HttpClient http(co_await boost::asio::this_coro::executor,
                       {.user_agent = fmt::format("botburrow-agents/{}", version())});
  const auto client = co_await connect(context, settings, http, std::move(target), deadline,
                                       command_log(context.environment, settings));
  co_return co_await with_cleanup<int>(heard_out(*client, work(*client, deadline)),
                                       [&client] { return client->close(); });
}

}  // namespace

McpTarget mcp_target(const std::vector<std::string>& words,
                     const std::vector<std::string>& command) {
  const bool has_command = !command.empty() && !command.front().empty();
  if (words.empty() && has_command) return {.command = command, .url = ""};
  if (words.size() == 1 && is_url(words.front()) && !has_command)
    return {.command = {}, .url = words.front()};
  if (words.empty()) {
    throw Error(errc::usage,
                "a server is missing: give its URL, or its command behind --, e.g. -- "
                "mcp-server-memory");
  }
  throw Error(errc::usage,
              fmt::format("\"{}\" is no URL of a server; a command stands behind --, e.g. -- "
                          "mcp-server-memory",
                          printable(words.front())));
}

int with_mcp_server(const Context& context, McpTarget target,
                    std::function<Task<int>(mcp::Client&, Deadline)> work) {
  const auto settings = load_settings(context.environment, "");
  return run_command([&] { return run(context, settings, target, work); });
}

}  // namespace botburrow::cli
