#include "base/json.hpp"

#include "base/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cmath>

namespace botburrow {
namespace {

// Length of the valid UTF-8 sequence at the front, 0 if there is none (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return tail(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    if (!tail(1) || !tail(2)) return 0;
    if (c == 0xe0 && byte(1) < 0xa0) return 0;
    if (c == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (c == 0xf0 && byte(1) < 0x90) return 0;
    if (c == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

json::parse_options options() {
  json::parse_options options;
  options.max_depth = 64;
  return options;
}

void pretty(const json::value& value, int indent, int depth, std::string& out) {
  const std::string inner(static_cast<std::size_t>(indent * (depth + 1)), ' ');
  const std::string outer(static_cast<std::size_t>(indent * depth), ' ');
  if (const auto* object = value.if_object(); object && !object->empty()) {
    out += "{\n";
    bool first = true;
    for (const auto& [key, member] : *object) {
      if (!first) out += ",\n";
      first = false;
      out += inner;
      append_json_string(out, {key.data(), key.size()});
      out += ": ";
      pretty(member, indent, depth + 1, out);
    }
    out += "\n" + outer + "}";
  } else if (const auto* array = value.if_array(); array && !array->empty()) {
    out += "[\n";
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ",\n";
      out += inner;
      pretty((*array)[i], indent, depth + 1, out);
    }
    out += "\n" + outer + "]";
  } else {
    out += to_json(value);
  }
}

// 3.0 stays 3.0 and 0.1 stays 0.1: the shortest form that reads back as the same number and kind.
void append_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  const auto digits = fmt::format("{}", number);
  out += digits;
  if (digits.find_first_of(".e") == std::string::npos) out += ".0";
}

void compact(const json::value& value, std::string& out) {
  switch (value.kind()) {
    case json::kind::object: {
      out.push_back('{');
      bool first = true;
      for (const auto& [key, member] : value.get_object()) {
        if (!first) out.push_back(',');
        first = false;
        append_json_string(out, {key.data(), key.size()});
        out.push_back(':');
        compact(member, out);
      }
      out.push_back('}');
      break;
    }
    case json::kind::array: {
      out.push_back('[');
      bool first = true;
      for (const auto& member : value.get_array()) {
        if (!first) out.push_back(',');
        first = false;
        compact(member, out);
      }
      out.push_back(']');
      break;
    }
    case json::kind::string: {
      const auto& text = value.get_string();
      append_json_string(out, {text.data(), text.size()});
      break;
    }
    case json::kind::double_: {
      append_double(out, value.get_double());
      break;
    }
    case json::kind::int64:
      out += fmt::format("{}", value.get_int64());
      break;
    case json::kind::uint64:
      out += fmt::format("{}", value.get_uint64());
      break;
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      break;
    case json::kind::null:
      out += "null";
      break;
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const char c = text.front();
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') {
      switch (c) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        default:
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      }
      text.remove_prefix(1);
      continue;
    }
    const auto length = sequence_length(text);
    if (length == 0) {
      out += kReplacement;
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  out.push_back('"');
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto length = sequence_length(text);
    out += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  // A sequence has at most three bytes after its first; more of them are no sequence.
  auto at = bytes;
  while (at > 0 && bytes - at < 3 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return text.substr(0, (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80 ? bytes : at);
}

json::value parse_json(std::string_view text, std::string_view what) {
  boost::system::error_code error;
  auto value = json::parse(json::string_view(text.data(), text.size()), error, {}, options());
  if (error) {
    throw Error(errc::bad_input, fmt::format("{}: not valid JSON ({}): {}", what, error.message(),
                                             valid_utf8(utf8_prefix(text, 200))));
  }
  return value;
}

std::optional<json::value> try_parse_json(std::string_view text) {
  boost::system::error_code error;
  auto value = json::parse(json::string_view(text.data(), text.size()), error, {}, options());
  if (error) return std::nullopt;
  return value;
}

std::string to_json(const json::value& value) {
  std::string out;
  compact(value, out);
  return out;
}

std::string to_pretty_json(const json::value& value, int indent) {
  std::string out;
  pretty(value, indent, 0, out);
  return out;
}

const json::value* find_field(const json::value& object, std::string_view key) {
  const auto* fields = object.if_object();
  if (!fields) return nullptr;
  const auto* found = fields->if_contains(json::string_view(key.data(), key.size()));
  return found && !found->is_null() ? found : nullptr;
}

std::optional<std::string> string_field(const json::value& object, std::string_view key) {
  const auto* found = find_field(object, key);
  if (!found || !found->is_string()) return std::nullopt;
  const auto& text = found->get_string();
  return std::string(text.data(), text.size());
}

std::optional<std::int64_t> int_field(const json::value& object, std::string_view key) {
  const auto* found = find_field(object, key);
  if (!found) return std::nullopt;
  if (found->is_int64()) return found->get_int64();
  if (found->is_double()) {
    const double number = found->get_double();
    if (std::nearbyint(number) == number && std::abs(number) < 9e15) {
      return static_cast<std::int64_t>(number);
    }
  }
  return std::nullopt;
}

std::optional<double> number_field(const json::value& object, std::string_view key) {
  const auto* found = find_field(object, key);
  if (!found) return std::nullopt;
  if (found->is_double()) return found->get_double();
  if (found->is_int64()) return static_cast<double>(found->get_int64());
  if (found->is_uint64()) return static_cast<double>(found->get_uint64());
  return std::nullopt;
}

std::optional<bool> bool_field(const json::value& object, std::string_view key) {
  const auto* found = find_field(object, key);
  if (!found || !found->is_bool()) return std::nullopt;
  return found->get_bool();
}

const json::array& array_field(const json::value& object, std::string_view key) {
  static const json::array empty;
  const auto* found = find_field(object, key);
  return found && found->is_array() ? found->get_array() : empty;
}

}  // namespace botburrow
