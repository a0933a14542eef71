// Keywords that lead from a value to its parts, and from a schema to others.
#include "mcp/schema_validator.hpp"
#include "mcp/schema_values.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {

Fault SchemaValidator::lists(const json::object& schema, const json::value& value,
                             const std::string& place, Seen& seen, int depth) {
  const auto* list = value.if_array();
  if (!list) return std::nullopt;
  if (auto f = sized(schema, list->size(), "minItems", "maxItems", "items", place)) return f;
  std::size_t begun = 0;
  const auto* items = schema.if_contains("items");
  const auto* prefix = schema.if_contains("prefixItems");
  // Before 2020-12 a list of schemas stood in `items`, and what follows in `additionalItems`.
  if (items && items->is_array()) {
    prefix = items;
    items = schema.if_contains("additionalItems");
  }
  if (prefix && prefix->is_array()) {
    for (; begun < std::min(prefix->get_array().size(), list->size()); ++begun) {
      if (auto f = check_item(prefix->get_array()[begun], *list, begun, place, depth)) return f;
      seen.items.insert(begun);
    }
  }
  if (items) {
    for (std::size_t i = begun; i < list->size(); ++i) {
      if (auto f = check_item(*items, *list, i, place, depth)) return f;
    }
    seen.all_items = true;
  }
  if (auto f = contained(schema, *list, place, seen, depth)) return f;
  const auto* unique = schema.if_contains("uniqueItems");
  if (!unique || !unique->is_bool() || !unique->get_bool()) return std::nullopt;
  for (std::size_t i = 0; i < list->size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (!give_up_.empty()) return give_up_;
      if (same((*list)[i], (*list)[k]))
        return at(place, fmt::format("items {} and {} are the same", k, i));
    }
  }
  return std::nullopt;
}

Fault SchemaValidator::check_item(const json::value& schema, const json::array& list, std::size_t i,
                                  const std::string& place, int depth) {
  Seen inside;
  return check(schema, list[i], fmt::format("{}/{}", place, i), inside, depth + 1);
}

Fault SchemaValidator::contained(const json::object& schema, const json::array& list,
                                 const std::string& place, Seen& seen, int depth) {
  const auto* wanted = schema.if_contains("contains");
  if (!wanted) return std::nullopt;
  std::size_t found = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (check_item(*wanted, list, i, place, depth)) continue;
    ++found;
    seen.items.insert(i);
  }
  if (!give_up_.empty()) return give_up_;
  const auto least = count_of(schema, "minContains").value_or(1);
  const auto most = count_of(schema, "maxContains");
  if (found >= least && (!most || found <= *most)) return std::nullopt;
  return at(place, fmt::format("has {} items of the kind that it must contain", found));
}

Fault SchemaValidator::objects(const json::object& schema, const json::value& value,
                               const std::string& place, Seen& seen, int depth) {
  const auto* object = value.if_object();
  if (!object) return std::nullopt;
  if (auto f = sized(schema, object->size(), "minProperties", "maxProperties", "fields", place))
    return f;
  const auto* required = schema.if_contains("required");
  if (required && required->is_array()) {
    if (!charge(required->get_array().size())) return give_up_;
    for (const auto& name : required->get_array()) {
      if (name.is_string() && !object->contains(view(name.get_string())))
        return at(place, fmt::format("the field {} is missing", shown(name)));
    }
  }
  if (auto f = fields(schema, *object, place, seen, depth)) return f;
  return dependents(schema, value, place, seen, depth);
}

Fault SchemaValidator::fields(const json::object& schema, const json::object& object,
                              const std::string& place, Seen& seen, int depth) {
  const auto* properties = schema.if_contains("properties");
  const auto* patterns = schema.if_contains("patternProperties");
  const auto* others = schema.if_contains("additionalProperties");
  const auto* names = schema.if_contains("propertyNames");
  for (const auto& [key, field] : object) {
    const std::string_view name(key.data(), key.size());
    const auto inner = fmt::format("{}/{}", place, valid_utf8(utf8_prefix(name, kShownBytes)));
    Seen inside;
    bool known = false;
    if (names) {
      if (auto f = check(*names, json::value(json::string(name)), inner, inside, depth + 1))
        return f;
    }
    if (properties && properties->is_object()) {
      if (const auto* own = properties->get_object().if_contains(name)) {
        known = true;
        if (auto f = check(*own, field, inner, inside, depth + 1)) return f;
      }
    }
    if (patterns && patterns->is_object()) {
      for (const auto& [pattern, own] : patterns->get_object()) {
        if (!charge(1)) return give_up_;
        if (matches({pattern.data(), pattern.size()}, name) != true) continue;
        known = true;
        if (auto f = check(own, field, inner, inside, depth + 1)) return f;
      }
    }
    if (!known && others) {
      if (auto f = check(*others, field, inner, inside, depth + 1)) return f;
      known = true;
    }
    if (known) seen.names.insert(std::string(name));
  }
  return std::nullopt;
}

Fault SchemaValidator::dependents(const json::object& schema, const json::value& value,
                                  const std::string& place, Seen& seen, int depth) {
  const auto& object = value.get_object();
  for (const auto* keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
    const auto* rules = schema.if_contains(keyword);
    if (!rules || !rules->is_object()) continue;
    for (const auto& [name, rule] : rules->get_object()) {
      if (!charge(1)) return give_up_;
      if (!object.contains(name)) continue;
      if (const auto* list = rule.if_array()) {
        if (!charge(list->size())) return give_up_;
        for (const auto& needed : *list) {
          if (needed.is_string() && !object.contains(view(needed.get_string())))
            return at(place, fmt::format("the field {} is missing", shown(needed)));
        }
      } else if (auto f = check(rule, value, place, seen, depth + 1)) {
        return f;
      }
    }
  }
  return std::nullopt;
}

bool SchemaValidator::holds(const json::value& schema, const json::value& value,
                            const std::string& place, Seen& seen, int depth) {
  Seen inside;
  if (check(schema, value, place, inside, depth + 1)) return false;
  seen.add(inside);
  return true;
}

Fault SchemaValidator::combined(const json::object& schema, const json::value& value,
                                const std::string& place, Seen& seen, int depth) {
  if (const auto* all = schema.if_contains("allOf"); all && all->is_array()) {
    for (const auto& one : all->get_array()) {
      if (auto f = check(one, value, place, seen, depth + 1)) return f;
    }
  }
  const auto count = [&](const char* keyword) -> std::optional<std::size_t> {
    const auto* list = schema.if_contains(keyword);
    if (!list || !list->is_array()) return std::nullopt;
    std::size_t fitting = 0;
    for (const auto& one : list->get_array())
      fitting += holds(one, value, place, seen, depth) ? 1 : 0;
    return fitting;
  };
  const auto any = count("anyOf");
  const auto one_of = count("oneOf");
  if (!give_up_.empty()) return give_up_;
  if (any && *any == 0) return at(place, fmt::format("{} fits none of anyOf", shown(value)));
  if (one_of && *one_of != 1)
    return at(place, fmt::format("{} fits {} of oneOf, not one", shown(value), *one_of));
  Seen unused;
  const auto* excluded = schema.if_contains("not");
  if (excluded && holds(*excluded, value, place, unused, depth))
    return at(place, fmt::format("{} is what it must not be", shown(value)));
  if (const auto* condition = schema.if_contains("if")) {
    const bool met = holds(*condition, value, place, seen, depth);
    const auto* then = schema.if_contains(met ? "then" : "else");
    if (then) {
      if (auto f = check(*then, value, place, seen, depth + 1)) return f;
    }
  }
  return give_up_.empty() ? std::nullopt : Fault(give_up_);
}

Fault SchemaValidator::rest(const json::object& schema, const json::value& value,
                            const std::string& place, Seen& seen, int depth) {
  const auto* names = schema.if_contains("unevaluatedProperties");
  if (const auto* object = value.if_object(); object && names) {
    for (const auto& [key, field] : *object) {
      const std::string_view name(key.data(), key.size());
      if (seen.names.contains(name)) continue;
      Seen inside;
      const auto inner = fmt::format("{}/{}", place, valid_utf8(utf8_prefix(name, kShownBytes)));
      if (auto f = check(*names, field, inner, inside, depth + 1)) return f;
      seen.names.insert(std::string(name));
    }
  }
  const auto* items = schema.if_contains("unevaluatedItems");
  const auto* list = value.if_array();
  if (!list || !items || seen.all_items) return std::nullopt;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (seen.items.contains(i)) continue;
    if (auto f = check_item(*items, *list, i, place, depth)) return f;
  }
  seen.all_items = true;
  return std::nullopt;
}

}  // namespace botburrow::mcp
