#include "mcp/json_schema.hpp"

#include "mcp/schema_pattern.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace botburrow::mcp {
namespace {

constexpr int kDepthMax = 64;
/// In units of some tens of nanoseconds, for what a schema makes us do; a subschema costs more than
/// a comparison.
constexpr std::size_t kWorkMax = 3'200'000;
constexpr std::size_t kSubschemaWork = 16;
constexpr std::size_t kBytesPerWork = 64;  // of texts that are compared or counted
constexpr std::size_t kShownBytes = 80;

using Fault = std::optional<std::string>;

/// Which parts of an object or list the keywords so far have looked at.
struct Seen {
  std::set<std::string, std::less<>> names;
  std::set<std::size_t> items;
  bool all_items = false;

  void add(const Seen& other) {
    names.insert(other.names.begin(), other.names.end());
    items.insert(other.items.begin(), other.items.end());
    all_items = all_items || other.all_items;
  }
};

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

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

std::string shown(const json::value& value) {
  std::string out;
  append_front(value, out);
  return valid_utf8(utf8_prefix(out, kShownBytes));
}

bool is_whole(const json::value& value) {
  if (value.is_int64() || value.is_uint64()) return true;
  return value.is_double() && std::nearbyint(value.get_double()) == value.get_double();
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

std::string unescaped(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size()) {
      out += token[i + 1] == '1' ? '/' : '~';
      ++i;
    } else {
      out += token[i];
    }
  }
  return out;
}

bool known_dialect(std::string_view uri) {
  if (uri.ends_with('#')) uri.remove_suffix(1);
  return uri == "https://json-schema.org/draft/2020-12/schema" ||
         uri == "https://json-schema.org/draft/2019-09/schema" ||
         uri == "http://json-schema.org/draft-07/schema" ||
         uri == "https://json-schema.org/draft-07/schema" ||
         uri == "http://json-schema.org/draft-06/schema";
}

using Anchors = std::map<std::string, const json::value*, std::less<>>;

/// The subschemas with `$anchor` or `$dynamicAnchor` by its name; of two the one that stands first.
void collect_anchors(const json::value& schema, int depth, Anchors& anchors) {
  if (depth > kDepthMax) return;
  if (const auto* list = schema.if_array()) {
    for (const auto& one : *list)
      collect_anchors(one, depth + 1, anchors);
  }
  const auto* object = schema.if_object();
  if (!object) return;
  for (const auto* keyword : {"$anchor", "$dynamicAnchor"}) {
    if (auto name = string_field(schema, keyword)) anchors.try_emplace(*std::move(name), &schema);
  }
  for (const auto& [key, field] : *object)
    collect_anchors(field, depth + 1, anchors);
}

class Validator {
 public:
  explicit Validator(const json::value& root) : root_(root) {}

  Fault check_all(const json::value& value) {
    Seen seen;
    auto fault = check(root_, value, "", seen, 0);
    return give_up_.empty() ? fault : Fault(give_up_);
  }

 private:
  using Part = Fault (Validator::*)(const json::object&, const json::value&, const std::string&,
                                    Seen&, int);

  // Work that a schema can make us do has an end, and reaching it is no yes.
  bool may_go_on(int depth) {
    if (depth <= kDepthMax) return charge(kSubschemaWork);
    if (give_up_.empty()) give_up_ = kTooMuch;
    return false;
  }

  bool charge(std::size_t work) {
    work_ += std::min(work, kWorkMax);
    if (work_ > kWorkMax && give_up_.empty()) give_up_ = kTooMuch;
    return give_up_.empty();
  }

  bool charge_bytes(std::size_t bytes) { return charge(1 + bytes / kBytesPerWork); }

  /// Equal as JSON Schema means it: numbers by value, objects whatever their order. False once
  /// nothing is checked any more.
  bool same(const json::value& a, const json::value& b) {
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

  /// Nothing where the question is not answered: too long, or no pattern that we can read.
  std::optional<bool> matches(std::string_view pattern, std::string_view text) {
    auto known = patterns_.find(pattern);
    if (known == patterns_.end()) {
      known = patterns_.emplace(pattern, SchemaPattern(pattern)).first;
      charge(known->second.work_to_read());
    }
    if (!known->second.can_judge(text) || !charge(known->second.work_to_match(text)))
      return std::nullopt;
    return known->second.found_in(text);
  }

  Fault at(const std::string& place, std::string what) const {
    return fmt::format("{}: {}", place.empty() ? "the value" : place, what);
  }

  const json::value* resolve(std::string_view ref) {
    if (!charge_bytes(ref.size())) return nullptr;
    if (ref == "#" || ref.empty()) return &root_;
    if (!ref.starts_with('#')) {
      give_up_ = fmt::format("the schema refers to \"{}\", and nothing outside it is read",
                             valid_utf8(utf8_prefix(ref, kShownBytes)));
      return nullptr;
    }
    ref.remove_prefix(1);
    const json::value* at = &root_;
    if (!ref.starts_with('/')) {
      if (!anchors_) collect_anchors(root_, 0, anchors_.emplace());
      const auto found = anchors_->find(ref);
      at = found == anchors_->end() ? nullptr : found->second;
    } else {
      while (at && !ref.empty()) {
        ref.remove_prefix(1);
        const auto slash = std::min(ref.find('/'), ref.size());
        const auto token = unescaped(ref.substr(0, slash));
        ref.remove_prefix(slash);
        at = step_into(*at, token);
      }
    }
    if (!at) give_up_ = "the schema refers to a part that it does not have";
    return at;
  }

  static const json::value* step_into(const json::value& from, const std::string& token) {
    if (const auto* object = from.if_object()) return object->if_contains(token);
    const auto* list = from.if_array();
    const bool number = !token.empty() && token.size() < 6 &&
                        std::ranges::all_of(token, [](char c) { return c >= '0' && c <= '9'; });
    if (!list || !number) return nullptr;
    const auto index = static_cast<std::size_t>(std::stoul(token));
    return index < list->size() ? &(*list)[index] : nullptr;
  }

  Fault check(const json::value& schema, const json::value& value, const std::string& place,
              Seen& seen, int depth) {
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
         {&Validator::references, &Validator::kind, &Validator::numbers, &Validator::texts,
          &Validator::lists, &Validator::objects, &Validator::combined, &Validator::rest}) {
      if (auto fault = (this->*part)(*object, value, place, here, depth)) return fault;
    }
    // Each level above takes it over once more.
    if (!charge(here.names.size() + here.items.size())) return give_up_;
    seen.add(here);
    return std::nullopt;
  }

  Fault references(const json::object& schema, const json::value& value, const std::string& place,
                   Seen& seen, int depth) {
    for (const auto* keyword : {"$ref", "$dynamicRef"}) {
      const auto* ref = schema.if_contains(keyword);
      if (!ref || !ref->is_string()) continue;
      const auto* target = resolve(view(ref->get_string()));
      if (!target) return give_up_;
      if (auto fault = check(*target, value, place, seen, depth + 1)) return fault;
    }
    return std::nullopt;
  }

  Fault kind(const json::object& schema, const json::value& value, const std::string& place, Seen&,
             int) {
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

  Fault numbers(const json::object& schema, const json::value& value, const std::string& place,
                Seen&, int) {
    if (!value.is_number()) return std::nullopt;
    const double number = as_double(value);
    const auto bound = [&](const char* keyword, auto holds, const char* words) -> Fault {
      const auto* limit = schema.if_contains(keyword);
      if (!limit || !limit->is_number() || holds(as_double(*limit))) return std::nullopt;
      return at(place, fmt::format("{} is {} {}", shown(value), words, shown(*limit)));
    };
    if (auto f = bound("minimum", [&](double b) { return number >= b; }, "below")) return f;
    if (auto f = bound("maximum", [&](double b) { return number <= b; }, "above")) return f;
    if (auto f = bound("exclusiveMinimum", [&](double b) { return number > b; }, "not above"))
      return f;
    if (auto f = bound("exclusiveMaximum", [&](double b) { return number < b; }, "not below"))
      return f;
    return bound(
        "multipleOf",
        [&](double b) {
          const double quotient = number / b;
          return b <= 0 || std::abs(quotient - std::nearbyint(quotient)) < 1e-9;
        },
        "no multiple of");
  }

  static std::optional<std::size_t> count_of(const json::object& schema, const char* keyword) {
    const auto* number = schema.if_contains(keyword);
    if (!number || !number->is_number() || as_double(*number) < 0) return std::nullopt;
    return static_cast<std::size_t>(std::min(as_double(*number), 1e15));
  }

  Fault sized(const json::object& schema, std::size_t size, const char* least, const char* most,
              const char* unit, const std::string& place) const {
    const auto min = count_of(schema, least);
    const auto max = count_of(schema, most);
    if (min && size < *min)
      return at(place, fmt::format("has {} {}, less than {}", size, unit, *min));
    if (max && size > *max)
      return at(place, fmt::format("has {} {}, more than {}", size, unit, *max));
    return std::nullopt;
  }

  Fault texts(const json::object& schema, const json::value& value, const std::string& place, Seen&,
              int) {
    if (!value.is_string()) return std::nullopt;
    const auto text = view(value.get_string());
    const bool counted = schema.contains("minLength") || schema.contains("maxLength");
    if (counted && !charge_bytes(text.size())) return give_up_;
    if (auto f = counted ? sized(schema, code_points(text), "minLength", "maxLength", "characters",
                                 place)
                         : std::nullopt)
      return f;
    const auto* pattern = schema.if_contains("pattern");
    if (pattern && pattern->is_string() && matches(view(pattern->get_string()), text) == false)
      return at(place, fmt::format("{} does not match {}", shown(value), shown(*pattern)));
    return std::nullopt;
  }

  Fault lists(const json::object& schema, const json::value& value, const std::string& place,
              Seen& seen, int depth) {
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

  Fault check_item(const json::value& schema, const json::array& list, std::size_t i,
                   const std::string& place, int depth) {
    Seen inside;
    return check(schema, list[i], fmt::format("{}/{}", place, i), inside, depth + 1);
  }

  Fault contained(const json::object& schema, const json::array& list, const std::string& place,
                  Seen& seen, int depth) {
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

  Fault objects(const json::object& schema, const json::value& value, const std::string& place,
                Seen& seen, int depth) {
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

  Fault fields(const json::object& schema, const json::object& object, const std::string& place,
               Seen& seen, int depth) {
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

  Fault dependents(const json::object& schema, const json::value& value, const std::string& place,
                   Seen& seen, int depth) {
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

  /// True, false, or an end of all checking.
  bool holds(const json::value& schema, const json::value& value, const std::string& place,
             Seen& seen, int depth) {
    Seen inside;
    if (check(schema, value, place, inside, depth + 1)) return false;
    seen.add(inside);
    return true;
  }

  Fault combined(const json::object& schema, const json::value& value, const std::string& place,
                 Seen& seen, int depth) {
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

  /// What no other keyword has looked at.
  Fault rest(const json::object& schema, const json::value& value, const std::string& place,
             Seen& seen, int depth) {
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

  static constexpr const char* kTooMuch = "the schema is too deep or too large to be checked";

  const json::value& root_;
  std::size_t work_ = 0;
  std::string give_up_;
  std::optional<Anchors> anchors_;
  std::map<std::string, SchemaPattern, std::less<>> patterns_;
};

}  // namespace

std::optional<std::string> schema_fault(const json::value& schema, const json::value& value) {
  return Validator(schema).check_all(value);
}

}  // namespace botburrow::mcp
