#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/mcp_target.hpp"
#include "cli/output.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli {
namespace {

struct McpFlags {
  std::vector<std::string> words;
  bool json = false;
};

std::shared_ptr<McpFlags> add_target(CLI::App& command, const std::string& words_help) {
  auto flags = std::make_shared<McpFlags>();
  command.add_option("words", flags->words, words_help)->type_name("WORD");
  command.add_flag("--json", flags->json, "Machine-readable answer");
  return flags;
}

// The first that says something: descriptions often begin with an empty one.
std::string first_line(std::string_view text) {
  constexpr std::size_t kBytesMax = 90;
  constexpr std::string_view kBlank = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  text = text.substr(0, text.find_last_not_of(kBlank) + 1);
  const auto cut = utf8_prefix(text.substr(0, text.find('\n')), kBytesMax);
  return printable(cut) + (cut.size() < text.size() ? "…" : "");
}

json::value tools_json(const mcp::ServerFacts& facts,
                       const std::vector<mcp::ToolDefinition>& tools) {
  json::array list;
  for (const auto& tool : tools)
    list.push_back(tool.source);
  return {{"protocolVersion", facts.revision}, {"serverInfo", facts.info}, {"tools", list}};
}

void show_tools(const Output& out, const mcp::ServerFacts& facts,
                const std::vector<mcp::ToolDefinition>& tools) {
  out.line(fmt::format("{} {}, revision {}, {} tools",
                       printable(string_field(facts.info, "name").value_or("(no name)")),
                       printable(string_field(facts.info, "version").value_or("")), facts.revision,
                       tools.size()));
  for (const auto& tool : tools) {
    out.line(fmt::format("  {}  {}", out.styled(Style::bold, printable(tool.name)),
                         first_line(tool.description)));
  }
}

Task<int> list_tools(const Context& context, bool as_json, mcp::Client& client, Deadline end) {
  const auto tools = co_await client.list_tools(end);
  const Output out(context.environment);
  if (as_json) {
    out.json(tools_json(client.facts(), tools));
  } else {
    show_tools(out, client.facts(), tools);
  }
  co_return exit_code::kDone;
}

/// What `mcp call` is asked to do.
struct Wanted {
  std::string tool;
  json::object arguments;
  McpTarget target;
};

Wanted wanted_call(std::vector<std::string> words, const std::vector<std::string>& command) {
  if (words.empty()) throw Error(errc::usage, "the name of a tool is missing");
  Wanted wanted{.tool = words.front()};
  words.erase(words.begin());
  if (!words.empty() && (try_parse_json(words.front()) || words.front().starts_with('{'))) {
    const auto value = parse_json(words.front(), "ARGUMENTS_JSON");
    if (!value.is_object()) {
      throw Error(errc::bad_input,
                  fmt::format("ARGUMENTS_JSON {}: expected an object, e.g. {{\"path\":\"/tmp/a\"}}",
                              printable(utf8_prefix(words.front(), 80))));
    }
    wanted.arguments = value.get_object();
    words.erase(words.begin());
  }
  wanted.target = mcp_target(words, command);
  return wanted;
}

mcp::Client::Call make_call(const Wanted& wanted, const std::vector<mcp::ToolDefinition>& tools) {
  const auto found = std::ranges::find(tools, wanted.tool, &mcp::ToolDefinition::name);
  if (found == tools.end()) {
    throw Error(errc::not_found,
                fmt::format("the server has no tool \"{}\"; `botburrow mcp tools` lists them",
                            printable(wanted.tool)));
  }
  return {.tool = wanted.tool,
          .arguments = wanted.arguments,
          .input_schema = found->input_schema,
          .output_schema = found->output_schema};
}

Task<int> call_tool(const Context& context, bool as_json, const Wanted& wanted, mcp::Client& client,
                    Deadline end) {
  const auto tools = co_await client.list_tools(end);
  const auto result = co_await client.call(make_call(wanted, tools), Deadline::never());
  const Output out(context.environment);
  if (as_json) {
    out.json(result.source);
  } else {
    const auto text = printable(result.text);
    out.line(std::string_view(text).substr(0, text.size() - (text.ends_with('\n') ? 1 : 0)));
  }
  co_return result.is_error ? exit_code::kFailed : exit_code::kDone;
}

void add_tools(CLI::App& mcp, Context& context) {
  CLI::App* command = mcp.add_subcommand("tools", "List the tools of a server");
  auto flags = add_target(*command, "-- COMMAND ARGUMENTS…, or a URL");
  command->footer(
      "Examples:\n  botburrow mcp tools -- mcp-server-filesystem /tmp\n"
      "  botburrow mcp tools --json http://127.0.0.1:3000/mcp");
  on_run(*command, context, [&context, flags] {
    return with_mcp_server(context, mcp_target(flags->words, context.command),
                           [&](mcp::Client& client, Deadline end) {
                             return list_tools(context, flags->json, client, end);
                           });
  });
}

void add_call(CLI::App& mcp, Context& context) {
  CLI::App* command = mcp.add_subcommand("call", "Call one tool of a server");
  auto flags = add_target(*command, "TOOL [ARGUMENTS_JSON], then -- COMMAND ARGUMENTS…, or a URL");
  command->footer(
      "Exit code 1 when the tool says that it failed.\n"
      "Example:\n  botburrow mcp call read_file '{\"path\":\"/tmp/a\"}' -- mcp-server-filesystem "
      "/tmp");
  on_run(*command, context, [&context, flags] {
    const auto wanted = wanted_call(flags->words, context.command);
    return with_mcp_server(context, wanted.target, [&](mcp::Client& client, Deadline end) {
      return call_tool(context, flags->json, wanted, client, end);
    });
  });
}

}  // namespace

void add_mcp(CLI::App& app, Context& context) {
  CLI::App* mcp = app.add_subcommand("mcp", "Look at servers of the Model Context Protocol");
  mcp->require_subcommand(0, 1);
  add_tools(*mcp, context);
  add_call(*mcp, context);
  add_mcp_approve(*mcp, context);
  add_mcp_hub(*mcp, context);
  add_mcp_desk(*mcp, context);
}

}  // namespace botburrow::cli
