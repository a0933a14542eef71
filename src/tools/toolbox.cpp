#include "tools/toolbox.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metric_table.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::tools {
namespace {

constexpr std::size_t kShownNameBytes = 100;
constexpr std::size_t kShownArgumentsBytes = 200;
/// Room for the note between head and tail.
constexpr std::size_t kNoteBytes = 64;

bool is_whole(const json::value& value) {
  if (value.is_int64() || value.is_uint64()) return true;
  return value.is_double() && std::nearbyint(value.get_double()) == value.get_double();
}

bool has_type(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return is_whole(value);
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_bool();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  return true;
}

std::string kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::string:
      return "a string";
    case json::kind::object:
      return "an object";
    case json::kind::array:
      return "a list";
    default:
      return "a number";
  }
}

std::string shown(std::string_view text, std::size_t bytes) {
  return valid_utf8(utf8_prefix(text, bytes));
}

/// Cut from the front to at most `bytes`, never inside a UTF-8 sequence.
std::string_view utf8_suffix(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  auto at = text.size() - bytes;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    ++at;
  return text.substr(at);
}

}  // namespace

std::string ToolOutput::for_model() const {
  if (error.empty()) return output;
  return output.empty() ? "Error: " + error : output + "\nError: " + error;
}

std::optional<std::string> argument_fault(const json::value& schema, const json::value& arguments) {
  if (!arguments.is_object()) return "the arguments are not an object";
  for (const auto& required : array_field(schema, "required")) {
    if (!required.is_string()) continue;
    const std::string name(required.get_string());
    if (!find_field(arguments, name)) return fmt::format("'{}' is required", name);
  }
  const auto* properties = find_field(schema, "properties");
  if (!properties || !properties->is_object()) return std::nullopt;
  for (const auto& [key, property] : properties->get_object()) {
    const std::string_view name(key.data(), key.size());
    const auto* value = find_field(arguments, name);
    const auto type = string_field(property, "type");
    if (value && type && !has_type(*value, *type)) {
      return fmt::format("'{}' must be of type {}, not {}", name, *type, kind_of(*value));
    }
  }
  return std::nullopt;
}

std::string bounded_output(std::string text, std::size_t max) {
  // Cleaning may make it longer, so it comes first.
  text = valid_utf8(text);
  if (text.size() <= max) return text;
  if (max < 2 * kNoteBytes) return std::string(utf8_prefix(text, max));
  const auto half = (max - kNoteBytes) / 2;
  const auto head = utf8_prefix(text, half);
  const auto tail = utf8_suffix(text, half);
  return fmt::format("{}\n[… {} bytes left out …]\n{}", head,
                     text.size() - head.size() - tail.size(), tail);
}

Metrics::Values& tool_call_counter(Metrics& metrics) {
  auto& calls = series_of(metrics, "botburrow_tool_calls_total");
  for (const char* outcome : {"ok", "error", "blocked"})
    calls.with({"_other", outcome});
  return calls;
}

Toolbox::Toolbox(Log log, Metrics& metrics, GrantTable grants, std::size_t output_bytes_max)
    : log_(std::move(log)),
      metrics_(metrics),
      calls_(tool_call_counter(metrics)),
      grants_(std::move(grants)),
      output_bytes_max_(output_bytes_max) {
  denied_grants(metrics_);
}

void Toolbox::add(std::unique_ptr<Tool> tool) {
  BB_ASSERT(!find(tool->spec().name));
  specs_.push_back(tool->spec());
  tools_.push_back(std::move(tool));
}

void Toolbox::offer(std::vector<std::unique_ptr<Tool>> tools) {
  for (auto& tool : tools) {
    if (!grants_.missing(tool->spec().name)) add(std::move(tool));
  }
}

void Toolbox::offer(std::unique_ptr<Tool> tool, const std::string& grant) {
  const auto& name = tool->spec().name;
  grants_.add(name, grant);
  if (!grants_.missing(name)) add(std::move(tool));
}

void Toolbox::withhold_server(std::string prefix, std::string missing) {
  grants_.add_server(std::move(prefix), std::move(missing));
}

// Not in the box: for want of a grant, or because there is no such thing.
ToolOutput Toolbox::absent(const std::string& name) const {
  const auto missing = grants_.missing(name);
  if (!missing) return ToolOutput::failed("Unknown tool: " + shown(name, kShownNameBytes));
  const auto known = shown(name, kShownNameBytes);
  return ToolOutput::refused(refusal_text(known, *missing), *missing);
}

Tool* Toolbox::find(const std::string& name) const {
  const auto found =
      std::ranges::find_if(tools_, [&](const auto& tool) { return tool->spec().name == name; });
  return found == tools_.end() ? nullptr : found->get();
}

Task<ToolOutput> Toolbox::run(Tool* tool, const llm::ToolCall& call, Deadline deadline) {
  if (!tool) co_return absent(call.name);
  if (call.malformed) {
    co_return ToolOutput::failed(
        fmt::format("the arguments of {} are not a complete JSON object; send them again: {}",
                    call.name, shown(*call.malformed, kShownArgumentsBytes)));
  }
  if (const auto fault = argument_fault(tool->spec().input_schema, call.arguments)) {
    co_return ToolOutput::failed(fmt::format("{}: {}", call.name, *fault));
  }
  co_return co_await tool->call(call.arguments, deadline);
}

void Toolbox::made_before(const llm::ToolCall& call, std::string_view result) const {
  auto* const tool = find(call.name);
  if (tool && !call.malformed && !argument_fault(tool->spec().input_schema, call.arguments))
    tool->made_before(call.arguments, result);
}

// What a failure means for the model; those that end the run are thrown again.
ToolOutput Toolbox::output_of(const std::exception_ptr& failure, const Tool* tool) {
  if (is_cancellation(failure) || (tool && tool->has_effects())) std::rethrow_exception(failure);
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    if (error.code() == errc::stale_fence) throw;
  } catch (const std::exception&) {
    // Described below like any other.
  }
  const auto why = describe(failure);
  log_.error("tool_execution_error", {{"tool", tool ? tool->spec().name : ""}, {"error", why}});
  return ToolOutput::failed(why);
}

Task<llm::ToolResult> Toolbox::call(llm::ToolCall call, Deadline deadline, bool& fatal) {
  const auto begun = BootClock::now();
  Tool* const tool = find(call.name);
  ToolOutput output;
  std::exception_ptr failure;
  try {
    output = co_await run(tool, call, deadline);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) output = output_of(failure, tool);
  const auto* outcome = output.blocked ? "blocked" : output.error.empty() ? "ok" : "error";
  if (!output.missing.empty())
    note_denial(log_, metrics_, shown(call.name, kShownNameBytes), output.missing);
  const bool known = tool || grants_.knows(call.name);
  calls_.with({known ? call.name : "_other", outcome}).add();
  const std::chrono::duration<double, std::milli> took = BootClock::now() - begun;
  log_.info("tool_call", {{"tool", shown(call.name, kShownNameBytes)},
                          {"duration_ms", took.count()},
                          {"outcome", outcome}});
  fatal = fatal || output.fatal;
  auto text = output.for_model();
  // Before it is cut, or half of a secret would pass for something else.
  if (scrubber_) text = scrubber_->scrub(std::move(text));
  co_return llm::ToolResult{.call_id = call.id,
                            .tool_name = call.name,
                            .content = bounded_output(std::move(text), output_bytes_max_),
                            .is_error = !output.error.empty()};
}

}  // namespace botburrow::tools
