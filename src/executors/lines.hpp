#pragma once

#include <boost/json/value.hpp>

#include <functional>
#include <string_view>

namespace botburrow::executors {

/// Shows the JSON objects of a text that has one a line; other lines are left out. Output that was
/// cut in its middle has one broken line, which is left out as well.
void each_json_line(std::string_view text,
                    const std::function<void(const boost::json::value&)>& visit);

/// Shows every line without its end.
void each_line(std::string_view text, const std::function<void(std::string_view)>& visit);

/// A number as tools write it for people: `1,234`, `4.2k`, `1.1M`. 0 for anything else.
std::int64_t human_number(std::string_view text);

}  // namespace botburrow::executors
