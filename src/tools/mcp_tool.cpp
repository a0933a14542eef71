#include "tools/mcp_tool.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/metric_table.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::tools {
namespace {

constexpr std::size_t kHashDigits = 16;
constexpr std::size_t kRecordedBytesMax = 64u << 10;

/// Which call it is: the same tool with the same arguments, for the n-th time.
std::string slot_of(std::string_view server, std::string_view tool, const json::object& arguments,
                    int n) {
  const auto hash = sha256_hex(mcp::canonical_json(json::value(arguments))).substr(0, kHashDigits);
  return fmt::format("tool:{}/{}:{}:{}", server, tool, hash, n);
}

json::object arguments_of(const json::value& arguments) {
  return arguments.is_object() ? arguments.get_object() : json::object();
}

/// Whether a failure says for certain that the server has not got the call.
bool surely_not_called(const Error& error) {
  return error.detail() == "not_sent";
}

}  // namespace

McpTool::McpTool(std::string name, mcp::ToolDefinition definition, McpServer& server,
                 McpCalls& calls)
    : definition_(std::move(definition)),
      server_(server),
      calls_(calls),
      spec_{.name = std::move(name),
            .description = definition_.description,
            .input_schema = mcp::clean_texts(definition_.input_schema)},
      idempotent_(server.entry().is_idempotent(definition_.name)) {}

void McpTool::count(std::string_view status, std::chrono::nanoseconds took) {
  series_of(calls_.metrics, "botburrow_mcp_calls_total")
      .with({calls_.agent_id, server_.entry().name, std::string(status)})
      .add();
  histogram_of(calls_.metrics, "botburrow_mcp_call_duration_seconds")
      .with({server_.entry().name})
      .observe(std::chrono::duration<double>(took).count());
}

Task<McpTool::Attempt> McpTool::attempt(json::object arguments, Deadline deadline) {
  const auto begun = BootClock::now();
  Attempt made;
  std::string status = "ok";
  try {
    const auto result = co_await server_.call(definition_, std::move(arguments), deadline);
    made.output = result.is_error ? ToolOutput::failed(result.text) : ToolOutput::ok(result.text);
    if (result.is_error) status = "error";
  } catch (const Error& error) {
    if (error.code() == errc::redis_unavailable) throw;
    made.output = ToolOutput::failed(error.message());
    status = error.code() == errc::timeout ? "timeout" : "failed";
    // An error of the server is an answer, and a refusal of ours was no call.
    const bool answered = error.code() == errc::mcp_error || error.code() == errc::http_status ||
                          error.code() == errc::limit;
    if (error.code() == errc::limit)
      made.output = ToolOutput::failed("the call was made; its answer is " + error.message());
    if (surely_not_called(error)) {
      made.outcome = Attempt::Outcome::not_sent;
      // Withheld since the call began.
      if (!server_.quarantined().empty()) made.output = ToolOutput::refused(server_.quarantined());
    } else if (!answered || error.status() >= 500) {
      made.outcome = Attempt::Outcome::unknown;
    }
  }
  count(status, BootClock::now() - begun);
  co_return made;
}

ToolOutput McpTool::outcome_unknown(std::string_view why) const {
  return ToolOutput::failed(fmt::format(
      "It is not known whether this call of {} took effect ({}). It is not made again by "
      "itself: look whether it did before you go on.",
      spec_.name, why));
}

Task<ToolOutput> McpTool::call_once_more_if_gone(json::object arguments, Deadline deadline) {
  auto made = co_await attempt(arguments, deadline);
  const bool gone = made.outcome == Attempt::Outcome::unknown && !deadline.passed();
  if (gone) made = co_await attempt(std::move(arguments), deadline);
  co_return std::move(made.output);
}

int& McpTool::made_so_far(const json::object& arguments) {
  const auto first = slot_of(server_.entry().name, definition_.name, arguments, 0);
  return calls_.made[calls_.scope() + ' ' + first];
}

// Only what was written down was made: a call that was refused, say, took no slot.
void McpTool::made_before(const json::value& arguments, std::string_view) {
  if (idempotent_) return;
  const auto given = arguments_of(arguments);
  auto& made = made_so_far(given);
  const auto slot = slot_of(server_.entry().name, definition_.name, given, made);
  bool found = false;
  while (calls_.journal.take_past(calls_.scope(), slot))
    found = true;
  if (found) ++made;
}

Task<ToolOutput> McpTool::call_written_down(json::object arguments, Deadline deadline) {
  const auto scope = calls_.scope();
  const auto& server = server_.entry().name;
  const auto slot = slot_of(server, definition_.name, arguments, made_so_far(arguments)++);
  for (auto past = calls_.journal.take_past(scope, slot); past;
       past = calls_.journal.take_past(scope, slot)) {
    if (!past->outcome)
      co_return outcome_unknown("an earlier run of this work made it and was cut off");
    if (past->outcome->not_sent) continue;
    co_return past->outcome->output_is_error ? ToolOutput::failed(past->outcome->output)
                                             : ToolOutput::ok(past->outcome->output);
  }
  if (!calls_.may_write()) {
    throw Error(errc::stale_fence,
                "the lease of this activation is no longer trusted; nothing more is called");
  }
  co_await calls_.journal.intend({.scope = scope,
                                  .slot = slot,
                                  .path = fmt::format("mcp:{}/{}", server, definition_.name),
                                  .body = {{"arguments", arguments}}});
  auto made = co_await attempt(std::move(arguments), deadline);
  if (made.outcome == Attempt::Outcome::not_sent) {
    calls_.journal.record(scope, slot, {.not_sent = true});
    co_return std::move(made.output);
  }
  auto output = made.outcome == Attempt::Outcome::unknown ? outcome_unknown(made.output.error)
                                                          : std::move(made.output);
  const bool failed = !output.error.empty();
  const auto& words = failed ? output.error : output.output;
  calls_.journal.record(
      scope, slot,
      {.done = true,
       .output = std::string(utf8_prefix(words.empty() ? "(nothing)" : words, kRecordedBytesMax)),
       .output_is_error = failed});
  co_return output;
}

Task<ToolOutput> McpTool::call(json::value arguments, Deadline deadline) {
  if (!server_.quarantined().empty()) co_return ToolOutput::refused(server_.quarantined());
  auto given = arguments_of(arguments);
  if (idempotent_) co_return co_await call_once_more_if_gone(std::move(given), deadline);
  co_return co_await call_written_down(std::move(given), deadline);
}

}  // namespace botburrow::tools
