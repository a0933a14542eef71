#include "tools/arguments.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>

namespace botburrow::tools {

json::value text_property(std::string_view description) {
  return {{"type", "string"}, {"description", description}};
}

json::value number_property(std::string_view description) {
  return {{"type", "integer"}, {"description", description}};
}

json::value flag_property(std::string_view description) {
  return {{"type", "boolean"}, {"description", description}};
}

json::value object_schema(json::object properties, json::array required) {
  return {
      {"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

std::string text_argument(const json::value& arguments, std::string_view name) {
  return string_field(arguments, name).value_or("");
}

}  // namespace botburrow::tools
