#pragma once
// One run of a schema over a value. The keywords that look into one value stand in
// schema_values_keywords.cpp, those that lead to others in schema_parts_keywords.cpp.
#include "base/json.hpp"
#include "mcp/schema_parts.hpp"
#include "mcp/schema_pattern.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace botburrow::mcp {

/// What does not fit, with its place; nothing where all fits.
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

/// Checks one value. Its work is bounded, and whatever ends it early is a fault.
class SchemaValidator {
 public:
  /// `root` must outlive it.
  explicit SchemaValidator(const json::value& root) : root_(root) {}

  Fault check_all(const json::value& value);

 private:
  using Part = Fault (SchemaValidator::*)(const json::object&, const json::value&,
                                          const std::string&, Seen&, int);

  // Work that a schema can make us do has an end, and reaching it is no yes.
  bool may_go_on(int depth);
  bool charge(std::size_t work);
  bool charge_bytes(std::size_t bytes);
  /// Equal as JSON Schema means it: numbers by value, objects whatever their order. False once
  /// nothing is checked any more.
  bool same(const json::value& a, const json::value& b);
  /// Nothing where the question is not answered: too long, or no pattern that we can read.
  std::optional<bool> matches(std::string_view pattern, std::string_view text);
  Fault at(const std::string& place, std::string what) const;
  const json::value* resolve(std::string_view ref);
  Fault check(const json::value& schema, const json::value& value, const std::string& place,
              Seen& seen, int depth);
  Fault references(const json::object& schema, const json::value& value, const std::string& place,
                   Seen& seen, int depth);
  Fault kind(const json::object& schema, const json::value& value, const std::string& place, Seen&,
             int);

  Fault numbers(const json::object& schema, const json::value& value, const std::string& place,
                Seen&, int);
  static std::optional<std::size_t> count_of(const json::object& schema, const char* keyword);
  Fault sized(const json::object& schema, std::size_t size, const char* least, const char* most,
              const char* unit, const std::string& place) const;
  Fault texts(const json::object& schema, const json::value& value, const std::string& place, Seen&,
              int);

  Fault lists(const json::object& schema, const json::value& value, const std::string& place,
              Seen& seen, int depth);
  Fault check_item(const json::value& schema, const json::array& list, std::size_t i,
                   const std::string& place, int depth);
  Fault contained(const json::object& schema, const json::array& list, const std::string& place,
                  Seen& seen, int depth);
  Fault objects(const json::object& schema, const json::value& value, const std::string& place,
                Seen& seen, int depth);
  Fault fields(const json::object& schema, const json::object& object, const std::string& place,
               Seen& seen, int depth);
  Fault dependents(const json::object& schema, const json::value& value, const std::string& place,
                   Seen& seen, int depth);
  /// True, false, or an end of all checking.
  bool holds(const json::value& schema, const json::value& value, const std::string& place,
             Seen& seen, int depth);
  Fault combined(const json::object& schema, const json::value& value, const std::string& place,
                 Seen& seen, int depth);
  /// What no other keyword has looked at.
  Fault rest(const json::object& schema, const json::value& value, const std::string& place,
             Seen& seen, int depth);

  const json::value& root_;
  std::size_t work_ = 0;
  std::string give_up_;
  std::optional<Anchors> anchors_;
  std::map<std::string, SchemaPattern, std::less<>> patterns_;
};

}  // namespace botburrow::mcp
