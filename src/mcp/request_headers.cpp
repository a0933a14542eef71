#include "mcp/request_headers.hpp"

#include "base/hash.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace botburrow::mcp {
namespace {

constexpr std::string_view kBegin = "=?base64?";
constexpr std::string_view kEnd = "?=";
constexpr std::string_view kAnnotation = "x-mcp-header";
constexpr int kDepthMax = 32;
constexpr double kSafeInteger = 9007199254740991.0;

bool is_sentinel(std::string_view text) {
  return text.size() >= kBegin.size() + kEnd.size() && text.starts_with(kBegin) &&
         text.ends_with(kEnd);
}

bool is_plain(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (blank(text.front()) || blank(text.back()))) return false;
  return std::ranges::all_of(text, [](char c) { return (c >= 0x20 && c <= 0x7e) || c == '\t'; });
}

bool is_token(std::string_view text) {
  constexpr std::string_view kOther = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || kOther.find(c) != std::string_view::npos;
  });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

/// Walks a schema: what stands under `properties` may be mirrored, anything else must not be.
class Walk {
 public:
  MirroredParams result;

  void schema(const json::value& schema, const std::vector<std::string>& path, bool reachable,
              int depth) {
    if (!result.fault.empty()) return;
    if (depth > kDepthMax) return fail("the schema is too deep");
    if (const auto* list = schema.if_array()) {
      for (const auto& one : *list)
        this->schema(one, path, false, depth + 1);
    }
    const auto* object = schema.if_object();
    if (!object) return;
    if (const auto* name = object->if_contains(kAnnotation))
      annotation(*object, *name, path, reachable);
    for (const auto& [key, inner] : *object) {
      if (key == kAnnotation || key == "enum" || key == "const" || key == "default" ||
          key == "examples")
        continue;
      if (key == "properties" && inner.is_object()) {
        properties(inner.get_object(), path, reachable, depth);
      } else {
        this->schema(inner, path, false, depth + 1);
      }
    }
  }

 private:
  void fail(std::string why) {
    if (result.fault.empty()) result.fault = std::move(why);
  }

  void properties(const json::object& fields, const std::vector<std::string>& path, bool reachable,
                  int depth) {
    for (const auto& [key, inner] : fields) {
      auto longer = path;
      longer.emplace_back(key.data(), key.size());
      schema(inner, longer, reachable, depth + 1);
    }
  }

  void annotation(const json::object& object, const json::value& name,
                  const std::vector<std::string>& path, bool reachable) {
    const std::string text = name.is_string() ? std::string(name.get_string()) : "";
    if (!is_token(text)) return fail("x-mcp-header is no header name");
    if (!reachable || path.empty())
      return fail(fmt::format("x-mcp-header \"{}\" stands where no argument can be read", text));
    if (!names_.insert(lower_case(text)).second)
      return fail(fmt::format("x-mcp-header \"{}\" is there twice", text));
    const auto type = string_field(json::value(object), "type").value_or("");
    if (type != "string" && type != "integer" && type != "boolean")
      return fail(fmt::format("x-mcp-header \"{}\" is on no string, integer or boolean", text));
    result.params.push_back({.header = "Mcp-Param-" + text, .path = path, .type = type});
  }

  std::set<std::string> names_;
};

}  // namespace

std::string header_value(std::string_view text) {
  if (is_plain(text) && !is_sentinel(text)) return std::string(text);
  return fmt::format("{}{}{}", kBegin, base64_encode(valid_utf8(text)), kEnd);
}

std::optional<std::string> decoded_header_value(std::string_view value) {
  if (!is_plain(value)) return std::nullopt;
  if (!is_sentinel(value)) return std::string(value);
  value.remove_prefix(kBegin.size());
  value.remove_suffix(kEnd.size());
  return base64_decode(value);
}

MirroredParams mirrored_params(const json::value& input_schema) {
  Walk walk;
  walk.schema(input_schema, {}, true, 0);
  if (!walk.result.fault.empty()) walk.result.params.clear();
  return std::move(walk.result);
}

std::optional<std::string> mirrored_value(const MirroredParam& param,
                                          const json::object& arguments) {
  const json::value* at = nullptr;
  const json::object* inside = &arguments;
  for (const auto& key : param.path) {
    at = inside ? inside->if_contains(key) : nullptr;
    if (!at) return std::nullopt;
    inside = at->if_object();
  }
  if (!at || at->is_null()) return std::nullopt;
  if (at->is_string()) return std::string(at->get_string());
  if (at->is_bool()) return at->get_bool() ? "true" : "false";
  if (at->is_double()) {
    const double number = at->get_double();
    if (std::nearbyint(number) != number || std::abs(number) > kSafeInteger) return std::nullopt;
    return fmt::format("{}", static_cast<std::int64_t>(number));
  }
  if (at->is_number()) return to_json(*at);
  return std::nullopt;
}

net::HttpHeaders param_headers(const json::value& input_schema, const json::object& arguments) {
  net::HttpHeaders headers;
  for (const auto& param : mirrored_params(input_schema).params) {
    if (const auto value = mirrored_value(param, arguments))
      headers.emplace_back(param.header, header_value(*value));
  }
  return headers;
}

net::HttpHeaders standard_headers(std::string_view method, const json::object& params) {
  net::HttpHeaders headers;
  if (!method.empty()) headers.emplace_back("Mcp-Method", header_value(method));
  const json::value value(params);
  const auto name = method == "resources/read" ? string_field(value, "uri")
                    : method == "tools/call" || method == "prompts/get"
                        ? string_field(value, "name")
                        : std::nullopt;
  if (name) headers.emplace_back("Mcp-Name", header_value(*name));
  return headers;
}

}  // namespace botburrow::mcp
