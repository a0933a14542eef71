// `botburrow mcp desk`: a small server that needs nothing, to see how agents use one. Its tools are
// plain functions of their arguments: it may run anywhere, a sandbox without a network included.
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/version.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/service.hpp"
#include "mcp/server_rules.hpp"
#include "mcp/stdio_server.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace botburrow::cli {
namespace {

mcp::ToolReply reply(std::string text, json::object structured) {
  auto made = mcp::ToolReply::text(std::move(text));
  made.structured = std::move(structured);
  return made;
}

mcp::ToolReply add_numbers(const json::value& arguments) {
  double sum = 0;
  for (const auto& number : array_field(arguments, "numbers"))
    sum += number.to_number<double>();
  if (!std::isfinite(sum)) return mcp::ToolReply::failed("the sum is too large");
  return reply(fmt::format("{:.12g}", sum), {{"sum", sum}});
}

mcp::ToolReply count_words(const json::value& arguments) {
  const auto text = string_field(arguments, "text").value_or("");
  std::int64_t words = 0, lines = text.empty() || text.ends_with('\n') ? 0 : 1;
  bool inside = false;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!blank && !inside) ++words;
    if (c == '\n') ++lines;
    inside = !blank;
  }
  return reply(fmt::format("{} words in {} lines", words, lines),
               {{"words", words}, {"lines", lines}});
}

mcp::ToolReply weekday(const json::value& arguments) {
  constexpr std::array<const char*, 7> kNames{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};
  const auto text = string_field(arguments, "date").value_or("");
  int year = 0;
  unsigned month = 0, day = 0;
  char rest = 0;
  const bool read = std::sscanf(text.c_str(), "%4d-%2u-%2u%c", &year, &month, &day, &rest) == 3;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!read || !date.ok()) return mcp::ToolReply::failed("date: expected a day such as 2026-07-28");
  const auto* const name =
      kNames.at(std::chrono::weekday(std::chrono::sys_days(date)).c_encoding());
  return reply(name, {{"weekday", name}});
}

json::value schema(std::string name, json::value of) {
  return {{"type", "object"},
          {"properties", json::object{{name, std::move(of)}}},
          {"required", json::array{name}}};
}

mcp::ServerTool tool(std::string name, std::string description, json::value input,
                     mcp::ToolReply (*function)(const json::value&)) {
  const auto handler = [function](json::object arguments,
                                  mcp::CallProgress&) -> Task<mcp::ToolReply> {
    co_return function(json::value(std::move(arguments)));
  };
  return {.name = std::move(name),
          .description = std::move(description),
          .input_schema = std::move(input),
          .annotations = {{"readOnlyHint", true}},
          .handler = handler};
}

std::vector<mcp::ServerTool> desk_tools() {
  const json::value numbers{{"type", "array"}, {"items", {{"type", "number"}}}};
  const json::value text{{"type", "string"}};
  std::vector<mcp::ServerTool> tools;
  tools.push_back(tool("add_numbers", "Add numbers.", schema("numbers", numbers), add_numbers));
  tools.push_back(tool("count_words", "Count the words and lines of a text.", schema("text", text),
                       count_words));
  tools.push_back(
      tool("weekday", "The day of the week of a date, YYYY-MM-DD.", schema("date", text), weekday));
  return tools;
}

Task<int> serve() {
  const mcp::ServerRules rules({.name = "desk", .version = std::string(version())}, desk_tools());
  co_await mcp::serve_stdio(rules, {}, Log::none());
  co_return exit_code::kDone;
}

}  // namespace

void add_mcp_desk(CLI::App& mcp, Context& context) {
  CLI::App* command = mcp.add_subcommand(
      "desk", "A small server to try servers with: adds numbers, counts words, knows weekdays");
  command->footer("Example:\n  botburrow mcp tools -- botburrow mcp desk");
  on_run(*command, context, [] { return run_command(serve); });
}

}  // namespace botburrow::cli
