#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace botburrow::cli {

/// An event that a service logs. Operators grep for names, so they are contracts; a test holds this
/// table to every line of the sources that logs one, by name, level and fields.
struct EventSpec {
  std::string_view name;
  std::string_view levels;   ///< "info", or several with ", " between, the lowest first
  std::string_view fields;   ///< of the line itself, with ", " between
  std::string_view meaning;  ///< and what to do, where somebody must
};

struct EventSection {
  std::string_view title;
  std::vector<EventSpec> events;
};

const std::vector<EventSection>& event_sections();
/// nullptr: no event of that name.
const EventSpec* find_event(std::string_view name);

/// docs/operations/events.md.
std::string events_markdown();

}  // namespace botburrow::cli
