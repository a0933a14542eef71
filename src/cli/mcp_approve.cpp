#include "base/error.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"
#include "mcp/redis_trust.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

using Waiting = mcp::TrustStore::Waiting;

json::object waiting_json(const Waiting& waiting) {
  return {{"server", waiting.server},
          {"sha256", waiting.changed.sha256},
          {"trusted_sha256", waiting.trusted.sha256},
          {"seen_at", waiting.changed.seen_at},
          {"difference", mcp::difference(waiting.trusted, waiting.changed)}};
}

Task<int> list(OperatorTools& tools) {
  mcp::RedisTrust trust(tools.redis);
  const auto all = co_await trust.waiting();
  if (tools.json) {
    json::array servers;
    for (const auto& one : all)
      servers.push_back(waiting_json(one));
    tools.out.json({{"waiting", std::move(servers)}});
    co_return exit_code::kDone;
  }
  if (all.empty()) {
    tools.out.line("no MCP server waits to be approved");
    co_return exit_code::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& one : all)
    rows.push_back(
        {one.server, since_text(one.changed.seen_at), mcp::difference(one.trusted, one.changed)});
  tools.out.table({"server", "changed since", "what"}, rows);
  co_return exit_code::kDone;
}

Task<int> approve(OperatorTools& tools, const std::string& server) {
  mcp::RedisTrust trust(tools.redis);
  const auto approved = co_await trust.approve(server);
  if (!approved) {
    throw Error(errc::not_found,
                fmt::format("the MCP server \"{}\" does not wait to be approved; `botburrow mcp "
                            "approve` lists those that do",
                            printable(server)));
  }
  if (tools.json) {
    tools.out.json({{"approved", waiting_json(*approved)}});
  } else {
    tools.out.line(fmt::format("{}: approved ({})", printable(server),
                               mcp::difference(approved->trusted, approved->changed)));
  }
  co_return exit_code::kDone;
}

}  // namespace

void add_mcp_approve(CLI::App& mcp, Context& context) {
  CLI::App* command = mcp.add_subcommand(
      "approve", "Trust the changed tools of a server; without SERVER, list those that changed");
  const auto server = std::make_shared<std::string>();
  command->add_option("server", *server, "The server, as `mcp_server_quarantined` names it")
      ->type_name("SERVER");
  add_operator_command(*command, context, [server](OperatorTools& tools) {
    return server->empty() ? list(tools) : approve(tools, *server);
  });
}

}  // namespace botburrow::cli
