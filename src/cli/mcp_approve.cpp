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
using Outcome = mcp::TrustStore::Approval::Outcome;

constexpr std::size_t kDigitsShown = 12;
constexpr std::size_t kDigitsMin = 8;

std::string hash_fault(const std::string& text) {
  const bool good = text.size() >= kDigitsMin && text.size() <= 64 &&
                    text.find_first_not_of("0123456789abcdef") == std::string::npos;
  return good ? "" : "give 8 to 64 hex digits of the sha256 that `botburrow mcp approve` shows";
}

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
    rows.push_back({one.server, since_text(one.changed.seen_at),
                    one.changed.sha256.substr(0, kDigitsShown),
                    mcp::difference(one.trusted, one.changed)});
  tools.out.table({"server", "changed since", "sha256", "what"}, rows);
  co_return exit_code::kDone;
}

Task<int> approve(OperatorTools& tools, const std::string& server, const std::string& sha256) {
  mcp::RedisTrust trust(tools.redis);
  const auto [outcome, waiting] = co_await trust.approve(server, sha256);
  if (outcome == Outcome::nothing_waits) {
    throw Error(errc::not_found,
                fmt::format("the MCP server \"{}\" does not wait to be approved; `botburrow mcp "
                            "approve` lists those that do",
                            printable(server)));
  }
  if (outcome == Outcome::others_wait) {
    throw Error(
        errc::not_found,
        fmt::format("the tools of \"{}\" that wait have the sha256 {}, not {}: they changed "
                    "again; look at them anew with `botburrow mcp approve`",
                    printable(server), waiting.changed.sha256, printable(sha256)));
  }
  if (tools.json) {
    tools.out.json({{"approved", waiting_json(waiting)}});
  } else {
    tools.out.line(fmt::format("{}: approved sha256 {} ({})", printable(server),
                               waiting.changed.sha256,
                               mcp::difference(waiting.trusted, waiting.changed)));
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
  const auto sha256 = std::make_shared<std::string>();
  command
      ->add_option("--hash", *sha256,
                   "Approve only the definitions whose sha256 begins so, as the list shows it")
      ->type_name("HEX")
      ->check(hash_fault);
  add_operator_command(*command, context, [server, sha256](OperatorTools& tools) {
    return server->empty() ? list(tools) : approve(tools, *server, *sha256);
  });
}

}  // namespace botburrow::cli
