#include "mcp/schema_validator.hpp"

#include "mcp/schema_values.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {
namespace {

/// In units of some tens of nanoseconds, for what a schema makes us do; a subschema costs more than
/// a comparison.
constexpr std::size_t kWorkMax = 3'200'000;
constexpr std::size_t kSubschemaWork = 16;
constexpr std::size_t kBytesPerWork = 64;  // of texts that are compared or counted

constexpr const char* kTooMuch = "the schema is too deep or too large to be checked";

}  // namespace

Fault SchemaValidator::check_all(const json::value& value) {
  Seen seen;
  auto fault = check(root_, value, "", seen, 0);
  return give_up_.empty() ? fault : Fault(give_up_);
}

bool SchemaValidator::may_go_on(int depth) {
  if (depth <= kSchemaDepthMax) return charge(kSubschemaWork);
  if (give_up_.empty()) give_up_ = kTooMuch;
  return false;
}

bool SchemaValidator::charge(std::size_t work) {
  work_ += std::min(work, kWorkMax);
  if (work_ > kWorkMax && give_up_.empty()) give_up_ = kTooMuch;
  return give_up_.empty();
}

bool SchemaValidator::charge_bytes(std::size_t bytes) {
  return charge(1 + bytes / kBytesPerWork);
}

bool SchemaValidator::same(const json::value& a, const json::value& b) {
  if (!charge(1)) return false;
  if (a.is_number() && b.is_number()) return as_double(a) == as_double(b);
  if (a.kind() != b.kind()) return false;
  if (const auto* list = a.if_array()) {
    return std::ranges::equal(*list, b.get_array(),
                              [this](const auto& x, const auto& y) { return same(x, y); });
  }
  if (const auto* text = a.if_string()) {
    if (text->size() != b.get_string().size() || !charge_bytes(text->size())) return false;
  }
  if (!a.is_object()) return a == b;
  const auto& left = a.get_object();
  const auto& right = b.get_object();
  if (left.size() != right.size()) return false;
  return std::ranges::all_of(left, [&](const auto& field) {
    const auto* other = right.if_contains(field.key());
    return other && same(field.value(), *other);
  });
}

std::optional<bool> SchemaValidator::matches(std::string_view pattern, std::string_view text) {
  auto known = patterns_.find(pattern);
  if (known == patterns_.end()) {
    known = patterns_.emplace(pattern, SchemaPattern(pattern)).first;
    charge(known->second.work_to_read());
  }
  if (!known->second.can_judge(text) || !charge(known->second.work_to_match(text)))
    return std::nullopt;
  return known->second.found_in(text);
}

Fault SchemaValidator::at(const std::string& place, std::string what) const {
  return fmt::format("{}: {}", place.empty() ? "the value" : place, what);
}

const json::value* SchemaValidator::resolve(std::string_view ref) {
  if (!charge_bytes(ref.size())) return nullptr;
  if (ref == "#" || ref.empty()) return &root_;
  if (!ref.starts_with('#')) {
    give_up_ = fmt::format("the schema refers to \"{}\", and nothing outside it is read",
                           valid_utf8(utf8_prefix(ref, kShownBytes)));
    return nullptr;
  }
  ref.remove_prefix(1);
  const json::value* at = nullptr;
  if (ref.starts_with('/')) {
    at = find_part(root_, ref);
  } else {
    if (!anchors_) anchors_ = find_anchors(root_);
    const auto found = anchors_->find(ref);
    if (found != anchors_->end()) at = found->second;
  }
  if (!at) give_up_ = "the schema refers to a part that it does not have";
  return at;
}

Fault SchemaValidator::check(const json::value& schema, const json::value& value,
                             const std::string& place, Seen& seen, int depth) {
  if (!may_go_on(depth)) return give_up_;
  if (schema.is_bool())
    return schema.get_bool() ? std::nullopt : at(place, "nothing is allowed here");
  const auto* object = schema.if_object();
  if (!object) {
    give_up_ = "a part of the schema is neither an object nor true or false";
    return give_up_;
  }
  if (const auto dialect = string_field(schema, "$schema"); dialect && !known_dialect(*dialect)) {
    give_up_ = fmt::format("the schema's dialect \"{}\" is not supported",
                           valid_utf8(utf8_prefix(*dialect, kShownBytes)));
    return give_up_;
  }
  Seen here;
  for (const Part part :
       {&SchemaValidator::references, &SchemaValidator::kind, &SchemaValidator::numbers,
        &SchemaValidator::texts, &SchemaValidator::lists, &SchemaValidator::objects,
        &SchemaValidator::combined, &SchemaValidator::rest}) {
    if (auto fault = (this->*part)(*object, value, place, here, depth)) return fault;
  }
  // Each level above takes it over once more.
  if (!charge(here.names.size() + here.items.size())) return give_up_;
  seen.add(here);
  return std::nullopt;
}

Fault SchemaValidator::references(const json::object& schema, const json::value& value,
                                  const std::string& place, Seen& seen, int depth) {
  for (const auto* keyword : {"$ref", "$dynamicRef"}) {
    const auto* ref = schema.if_contains(keyword);
    if (!ref || !ref->is_string()) continue;
    const auto* target = resolve(view(ref->get_string()));
    if (!target) return give_up_;
    if (auto fault = check(*target, value, place, seen, depth + 1)) return fault;
  }
  return std::nullopt;
}

Fault SchemaValidator::kind(const json::object& schema, const json::value& value,
                            const std::string& place, Seen&, int) {
  if (const auto* type = schema.if_contains("type")) {
    bool fits = type->is_string() && has_type(value, view(type->get_string()));
    if (const auto* list = type->if_array()) {
      if (!charge(list->size())) return give_up_;
      fits = std::ranges::any_of(*list, [&](const json::value& one) {
        return one.is_string() && has_type(value, view(one.get_string()));
      });
    }
    if (!fits) return at(place, fmt::format("{} is not of type {}", shown(value), shown(*type)));
  }
  if (const auto* wanted = schema.if_contains("const"); wanted && !same(*wanted, value))
    return at(place, fmt::format("{} is not {}", shown(value), shown(*wanted)));
  const auto* choices = schema.if_contains("enum");
  if (choices && choices->is_array() &&
      std::ranges::none_of(choices->get_array(),
                           [&](const json::value& one) { return same(one, value); })) {
    return at(place, fmt::format("{} is none of {}", shown(value), shown(*choices)));
  }
  if (!give_up_.empty()) return give_up_;
  return std::nullopt;
}

}  // namespace botburrow::mcp
