#include "mcp/schema_values.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>

namespace botburrow::mcp {
namespace {

/// The front of the value's JSON. Costs what is shown, whatever the value's size.
void append_front(const json::value& value, std::string& out) {
  if (const auto* text = value.if_string()) {
    append_json_string(out, valid_utf8(utf8_prefix(view(*text), kShownBytes)));
  } else if (const auto* list = value.if_array()) {
    out += '[';
    for (std::size_t i = 0; i < list->size() && out.size() < kShownBytes; ++i) {
      if (i > 0) out += ',';
      append_front((*list)[i], out);
    }
    out += ']';
  } else if (const auto* object = value.if_object()) {
    out += '{';
    for (auto field = object->begin(); field != object->end() && out.size() < kShownBytes;
         ++field) {
      if (field != object->begin()) out += ',';
      append_json_string(
          out, valid_utf8(utf8_prefix({field->key().data(), field->key().size()}, kShownBytes)));
      out += ':';
      append_front(field->value(), out);
    }
    out += '}';
  } else {
    out += to_json(value);
  }
}

bool is_whole(const json::value& value) {
  if (value.is_int64() || value.is_uint64()) return true;
  return value.is_double() && std::nearbyint(value.get_double()) == value.get_double();
}

}  // namespace

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

std::string shown(const json::value& value) {
  std::string out;
  append_front(value, out);
  return valid_utf8(utf8_prefix(out, kShownBytes));
}

double as_double(const json::value& value) {
  return value.is_number() ? value.to_number<double>() : 0;
}

bool has_type(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return is_whole(value);
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_bool();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "null") return value.is_null();
  return false;
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace botburrow::mcp
