#include "cli/reference/events.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli {
namespace {

constexpr std::string_view kIntroduction = R"(# Events of the log

<!-- Written by `botburrow reference events --markdown`. A test compares this file with the program. -->

A log line is an event: one JSON object with `timestamp` (UTC), `level`, `event`, `service`, `instance_id` or
`runner_id`, then the fields below; inside an activation also `activation_id`, `agent_id`, `agent_name` and
`task_type`. Services log to standard output, all other commands to standard error; on a terminal lines are readable
text (`LOG_FORMAT`). `LOG_LEVEL` (INFO) is the least level that is written. `botburrow reference events NAME` prints a
row of this page.

`error`: somebody must act. `warning`: it healed or will; act if it goes on. `info`: a state changed. `debug`: for us.
What goes wrong the same way again and again is logged at first and then at intervals. Secrets, prompts and messages
are not logged. `error` holds the words of an error, `error_type` and `code` its code: [errors.md](../errors.md).
)";

std::string fields_cell(std::string_view fields) {
  std::string out;
  for (const char c : fields) {
    if (c == ',')
      out += "`,";
    else if (c == ' ')
      out += " `";
    else
      out += c;
  }
  return out.empty() ? "" : "`" + out + "`";
}

}  // namespace

const EventSpec* find_event(std::string_view name) {
  for (const auto& section : event_sections()) {
    const auto found = std::ranges::find(section.events, name, &EventSpec::name);
    if (found != section.events.end()) return &*found;
  }
  return nullptr;
}

std::string events_markdown() {
  std::string out(kIntroduction);
  for (const auto& section : event_sections()) {
    out += fmt::format("\n## {}\n\n| Event | Level | Fields | Meaning |\n|---|---|---|---|\n",
                       section.title);
    for (const auto& event : section.events)
      out += fmt::format("| `{}` | {} | {} | {} |\n", event.name, event.levels,
                         fields_cell(event.fields), event.meaning);
  }
  return out;
}

}  // namespace botburrow::cli
