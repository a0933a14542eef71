#include "mcp/json_schema.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using testing::HasSubstr;

std::optional<std::string> fault(const char* schema, const char* value) {
  return schema_fault(parse_json(schema, "schema"), parse_json(value, "value"));
}

void expect_good(const char* schema, const char* value) {
  const auto found = fault(schema, value);
  EXPECT_FALSE(found) << schema << " with " << value << ": " << *found;
}

void expect_bad(const char* schema, const char* value) {
  EXPECT_TRUE(fault(schema, value)) << schema << " with " << value;
}

TEST(JsonSchema, Types) {
  expect_good(R"({"type":"integer"})", "3");
  expect_good(R"({"type":"integer"})", "3.0");
  expect_bad(R"({"type":"integer"})", "3.5");
  expect_good(R"({"type":["string","null"]})", "null");
  expect_bad(R"({"type":["string","null"]})", "7");
  expect_bad(R"({"type":"object"})", "[]");
  expect_good("true", "7");
  expect_bad("false", "7");
  expect_good("{}", "7");
}

TEST(JsonSchema, ValuesAndBounds) {
  expect_good(R"({"const":{"a":1,"b":2}})", R"({"b":2,"a":1.0})");
  expect_bad(R"({"const":1})", "true");
  expect_good(R"({"enum":["a",1]})", "1");
  expect_bad(R"({"enum":["a",1]})", "\"b\"");
  expect_good(R"({"minimum":3,"maximum":3})", "3");
  expect_bad(R"({"minimum":3})", "2.9");
  expect_bad(R"({"exclusiveMinimum":3})", "3");
  expect_bad(R"({"exclusiveMaximum":3})", "3");
  expect_good(R"({"multipleOf":0.1})", "0.3");
  expect_bad(R"({"multipleOf":2})", "3");
  expect_good(R"({"minLength":2,"maxLength":2})", "\"é😀\"");
  expect_bad(R"({"minLength":3})", "\"é😀\"");
  expect_good(R"({"pattern":"^a+$"})", "\"aaa\"");
  expect_bad(R"({"pattern":"^a+$"})", "\"aab\"");
  expect_good(R"({"minLength":3})", "7");  // speaks of texts only
}

TEST(JsonSchema, Objects) {
  const auto* person = R"({"properties":{"name":{"type":"string"}},"required":["name"],
                           "additionalProperties":false})";
  expect_good(person, R"({"name":"Ada"})");
  expect_bad(person, R"({"name":7})");
  expect_bad(person, "{}");
  expect_bad(person, R"({"name":"Ada","age":3})");
  expect_good(R"({"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false})",
              R"({"x-a":1})");
  expect_bad(R"({"patternProperties":{"^x-":{"type":"integer"}}})", R"({"x-a":"1"})");
  expect_bad(R"({"propertyNames":{"maxLength":2}})", R"({"abc":1})");
  expect_bad(R"({"minProperties":1})", "{}");
  expect_bad(R"({"maxProperties":0})", R"({"a":1})");
  expect_bad(R"({"dependentRequired":{"a":["b"]}})", R"({"a":1})");
  expect_good(R"({"dependentRequired":{"a":["b"]}})", R"({"b":1})");
  expect_bad(R"({"dependentSchemas":{"a":{"required":["b"]}}})", R"({"a":1})");
}

TEST(JsonSchema, Lists) {
  const auto* pair = R"({"prefixItems":[{"type":"string"},{"type":"integer"}],"items":false})";
  expect_good(pair, R"(["a",1])");
  expect_good(pair, R"(["a"])");
  expect_bad(pair, R"(["a","b"])");
  expect_bad(pair, R"(["a",1,2])");
  expect_good(R"({"items":{"type":"integer"}})", "[1,2]");
  expect_bad(R"({"items":{"type":"integer"}})", "[1,\"2\"]");
  expect_bad(R"({"items":[{"type":"string"}],"additionalItems":false})", R"(["a",1])");  // draft-07
  expect_bad(R"({"contains":{"type":"string"}})", "[1,2]");
  expect_good(R"({"contains":{"type":"string"},"minContains":0})", "[1,2]");
  expect_bad(R"({"contains":{"type":"integer"},"maxContains":1})", "[1,2]");
  expect_bad(R"({"uniqueItems":true})", R"([{"a":1},{"a":1.0}])");
  expect_good(R"({"uniqueItems":true})", "[1,true,\"1\"]");
  expect_bad(R"({"minItems":1})", "[]");
  expect_bad(R"({"maxItems":1})", "[1,2]");
}

TEST(JsonSchema, Combinations) {
  expect_bad(R"({"allOf":[{"minimum":2},{"maximum":4}]})", "5");
  expect_good(R"({"anyOf":[{"type":"string"},{"minimum":5}]})", "6");
  expect_bad(R"({"anyOf":[{"type":"string"},{"minimum":5}]})", "4");
  expect_bad(R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "3");
  expect_good(R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "1");
  expect_bad(R"({"not":{"type":"null"}})", "null");
  const auto* conditional =
      R"({"if":{"properties":{"kind":{"const":"a"}}},"then":{"required":["x"]},"else":{"required":["y"]}})";
  expect_good(conditional, R"({"kind":"a","x":1})");
  expect_bad(conditional, R"({"kind":"a","y":1})");
  expect_bad(conditional, R"({"kind":"b","x":1})");
}

TEST(JsonSchema, WhatNoKeywordLookedAt) {
  const auto* closed = R"({"allOf":[{"properties":{"a":{}}}],"properties":{"b":{}},
                           "unevaluatedProperties":false})";
  expect_good(closed, R"({"a":1,"b":2})");
  expect_bad(closed, R"({"a":1,"c":2})");
  // A branch that did not fit has looked at nothing.
  const auto* branches =
      R"({"anyOf":[{"properties":{"a":{"const":1}},"required":["a"]},
                   {"properties":{"b":{"const":1}},"required":["b"]}],"unevaluatedProperties":false})";
  expect_good(branches, R"({"a":1})");
  expect_bad(branches, R"({"a":2,"b":1})");
  expect_bad(R"({"prefixItems":[{}],"unevaluatedItems":false})", "[1,2]");
  expect_good(R"({"prefixItems":[{}],"contains":{"type":"string"},"unevaluatedItems":false})",
              R"([1,"2"])");
}

TEST(JsonSchema, ReferencesStayInside) {
  const auto* tree = R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object",
                         "properties":{"child":{"$ref":"#/$defs/node"}},"required":["n"]}}})";
  expect_good(tree, R"({"n":1,"child":{"n":2}})");
  expect_bad(tree, R"({"n":1,"child":{}})");
  expect_bad(R"({"$ref":"#name","$defs":{"x":{"$anchor":"name","type":"string"}}})", "7");
  expect_good(R"({"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"integer"}}})", "7");

  EXPECT_THAT(*fault(R"({"$ref":"https://example.com/x.json"})", "7"), HasSubstr("refers to"));
  EXPECT_THAT(*fault(R"({"$ref":"#/nowhere"})", "7"), HasSubstr("does not have"));
  // Also where another branch would say yes.
  EXPECT_TRUE(fault(R"({"anyOf":[true,{"$ref":"https://example.com/x.json"}]})", "7"));
  EXPECT_TRUE(fault(R"({"not":{"$ref":"https://example.com/x.json"}})", "7"));
}

TEST(JsonSchema, KnownDialectsOnly) {
  expect_good(R"({"$schema":"https://json-schema.org/draft/2020-12/schema"})", "7");
  expect_good(R"({"$schema":"http://json-schema.org/draft-07/schema#"})", "7");
  EXPECT_THAT(*fault(R"({"$schema":"https://example.com/mine"})", "7"), HasSubstr("dialect"));
}

TEST(JsonSchema, WorkHasAnEnd) {
  // Refers to itself without end, and doubles at each step.
  EXPECT_THAT(*fault(R"({"$ref":"#"})", "7"), HasSubstr("too deep"));
  EXPECT_TRUE(fault(R"({"allOf":[{"$ref":"#"},{"$ref":"#"}]})", "7"));
  std::string many = "[0";
  for (int i = 1; i < 5000; ++i)
    many += "," + std::to_string(i);
  EXPECT_TRUE(fault(R"({"uniqueItems":true})", (many + "]").c_str()));
}

TEST(JsonSchema, APatternCannotKeepUsBusy) {
  const std::string evil = "\"" + std::string(2000, 'a') + "!\"";
  fault(R"({"pattern":"^(a+)+$"})", evil.c_str());
  fault(R"({"pattern":"((a{1,100}){1,100}){1,100}"})", evil.c_str());
  fault(R"({"pattern":"(a|a|aa)*b"})", evil.c_str());
  expect_good(R"({"pattern":"["})", "\"x\"");  // none that can be read says nothing
}

TEST(JsonSchema, APatternOverManyTextsCannotKeepUsBusy) {
  // Each of these takes minutes where every way through the pattern is kept.
  std::string ways;
  for (int i = 0; i < 60; ++i)
    ways += "(.*)";
  const auto text = "\"" + std::string(4000, 'x') + "\"";
  std::string list = "[" + text;
  for (int i = 0; i < 200; ++i)
    list += "," + text;
  expect_good((R"({"pattern":")" + ways + R"(x$"})").c_str(), text.c_str());
  expect_bad((R"({"pattern":")" + ways + R"(y"})").c_str(), text.c_str());
  EXPECT_THAT(
      *fault((R"({"contains":{"pattern":")" + ways + R"(y"}})").c_str(), (list + "]").c_str()),
      HasSubstr("too large"));
  // Many patterns over many names.
  std::string rules, names;
  for (int i = 0; i < 600; ++i) {
    rules += fmt::format("{}\"(x{{0,{}}}){{9}}y$\":{{}}", i > 0 ? "," : "", i % 90 + 1);
    names += fmt::format("{}\"{}{}\":1", i > 0 ? "," : "", std::string(1000, 'x'), i);
  }
  EXPECT_THAT(
      *fault(("{\"patternProperties\":{" + rules + "}}").c_str(), ("{" + names + "}").c_str()),
      HasSubstr("too large"));
}

TEST(JsonSchema, ComparingAndLookingUpAreWorkAsWell) {
  std::string choices = "\"v\"", items = "\"w\"", rules;
  for (int i = 0; i < 5000; ++i) {
    choices += ",\"v\"";
    items += ",\"w\"";
    rules += R"(,{"type":"integer"})";
  }
  const auto many = "[" + items + "]";
  EXPECT_THAT(
      *fault(("{\"items\":{\"anyOf\":[{\"enum\":[" + choices + "]},true]}}").c_str(), many.c_str()),
      HasSubstr("too large"));
  EXPECT_THAT(*fault(("{\"items\":{\"type\":[" + choices + ",\"string\"]}}").c_str(), many.c_str()),
              HasSubstr("too large"));
  // What is honest is checked to its end.
  std::string honest = "{\"items\":{\"enum\":[\"w\"";
  for (int i = 0; i < 50; ++i)
    honest += fmt::format(",\"choice {}\"", i);
  expect_good((honest + "]}}").c_str(), many.c_str());
  // Words of faults that nobody reads do not hold the whole value.
  const auto large = "\"" + std::string(1 << 20, 'x') + "\"";
  expect_good((R"({"anyOf":[{"type":"integer"})" + rules + ",true]}").c_str(), large.c_str());
}

TEST(JsonSchema, AnAnchorIsFoundWithoutAWalkThroughTheSchema) {
  std::string parts, items = "1";
  for (int i = 0; i < 20'000; ++i)
    parts += fmt::format("\"p{}\":{{}},", i);
  for (int i = 0; i < 4000; ++i)
    items += ",1";
  expect_good(("{\"items\":{\"$ref\":\"#last\"},\"$defs\":{" + parts +
               R"("z":{"$anchor":"last","type":"integer"}}})")
                  .c_str(),
              ("[" + items + "]").c_str());
}

TEST(JsonSchema, TheFaultShowsTheFrontOfAValue) {
  EXPECT_THAT(*fault(R"({"type":"integer"})", R"({"a":[1,"b",{"c":null}],"d":true})"),
              HasSubstr(R"({"a":[1,"b",{"c":null}],"d":true} is not)"));
  const auto words =
      *fault(R"({"type":"integer"})",
             ("[" + std::string(5000, ' ') + "\"" + std::string(5000, 'x') + "\"]").c_str());
  EXPECT_LT(words.size(), 200u);
}

TEST(JsonSchema, TheFaultNamesThePlace) {
  EXPECT_THAT(*fault(R"({"properties":{"a":{"items":{"type":"string"}}}})", R"({"a":["x",7]})"),
              HasSubstr("/a/1: 7 is not of type"));
}

}  // namespace
}  // namespace botburrow::mcp
