#include "base/json.hpp"

#include "base/error.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace botburrow {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

const std::string kBad = "\xef\xbf\xbd";

TEST(JsonString, EscapesWhatMustBeEscaped) {
  EXPECT_EQ(json_string("a\"b\\c\n\r\t"), R"("a\"b\\c\n\r\t")");
  EXPECT_EQ(json_string(std::string_view("\0\x1f", 2)), R"("\u0000\u001f")");
  EXPECT_EQ(json_string("/ä€😀"), "\"/ä€😀\"");
}

TEST(JsonString, ReplacesBytesThatAreNoUtf8) {
  EXPECT_EQ(valid_utf8("a\xff"
                       "b"),
            "a" + kBad + "b");
  EXPECT_EQ(valid_utf8("\xc0\xaf"), kBad + kBad) << "overlong";
  EXPECT_EQ(valid_utf8("\xe0\x80\x80"), kBad + kBad + kBad) << "overlong";
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), kBad + kBad + kBad) << "a surrogate";
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), kBad + kBad + kBad + kBad) << "above U+10FFFF";
  EXPECT_EQ(valid_utf8("\xe2\x82"), kBad + kBad) << "cut off";
  EXPECT_EQ(valid_utf8("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf"),
            "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf");
}

TEST(JsonString, AnyBytesMakeAValidDocument) {
  std::string all;
  for (int i = 0; i < 256; ++i)
    all.push_back(static_cast<char>(i));
  for (int i = 255; i >= 0; --i)
    all.push_back(static_cast<char>(i));

  const auto read = parse_json(json_string(all), "test");

  EXPECT_EQ(std::string(read.get_string()), valid_utf8(all));
}

TEST(Utf8Prefix, NeverCutsASequence) {
  EXPECT_EQ(utf8_prefix("aä", 3), "aä");
  EXPECT_EQ(utf8_prefix("aä", 2), "a");
  EXPECT_EQ(utf8_prefix("ä", 1), "");
  EXPECT_EQ(utf8_prefix("😀😀", 7), "😀");
  EXPECT_EQ(utf8_prefix("😀😀", 8), "😀😀");
  EXPECT_EQ(utf8_prefix("abc", 0), "");
}

TEST(Utf8Prefix, OfBytesThatAreNoTextIsStillThatLong) {
  EXPECT_EQ(utf8_prefix(std::string(100, '\x80'), 50).size(), 50U);
}

TEST(ParseJson, SaysWhatWasWrongWithWhat) {
  try {
    parse_json("{\"a\": tru}", "the answer");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::bad_input);
    EXPECT_THAT(error.what(), StartsWith("the answer: not valid JSON ("));
    EXPECT_THAT(error.what(), HasSubstr("{\"a\": tru}"));
  }
}

TEST(ParseJson, ShowsAtMost200BytesOfValidText) {
  try {
    parse_json(std::string(150, 'x') + std::string(100'000, '\xff'), "it");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), valid_utf8(error.message()));
    EXPECT_LT(error.message().size(), 500U);
  }
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']');
}

TEST(ParseJson, IsBoundedInDepth) {
  EXPECT_TRUE(try_parse_json(nested(64)));
  EXPECT_FALSE(try_parse_json(nested(65)));
  EXPECT_FALSE(try_parse_json(std::string(1'000'000, '[')));
}

TEST(ParseJson, RefusesWhatIsNoDocument) {
  for (const char* text : {"", " ", "{", "{}{}", "{\"a\":1,}", "nul", "'a'", "\"\xff\"", "01", "+1",
                           "NaN", "// x\n1"}) {
    EXPECT_FALSE(try_parse_json(text)) << text;
  }
}

TEST(ParseJson, OfDuplicateKeysTheLastWins) {
  EXPECT_EQ(int_field(parse_json(R"({"a": 1, "a": 2})", "it"), "a"), 2);
}

std::string written(double number) {
  return to_json(json::value(number));
}

TEST(ToJson, DoublesReadBackAsThemselves) {
  for (const double number :
       {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 3.0, -0.0, 1e21, 123456789.125, 1e15, 1e16}) {
    const auto read = parse_json(written(number), "it");
    ASSERT_TRUE(read.is_double()) << written(number) << " is read as an integer";
    EXPECT_EQ(read.get_double(), number) << written(number);
  }
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_EQ(written(3.0), "3.0");
}

TEST(ToJson, WhatIsNoNumberIsNull) {
  EXPECT_EQ(written(std::nan("")), "null");
  EXPECT_EQ(written(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(written(-std::numeric_limits<double>::infinity()), "null");
}

TEST(ToJson, WritesEveryKind) {
  const json::value value{{"n", nullptr},
                          {"b", true},
                          {"i", std::numeric_limits<std::int64_t>::min()},
                          {"u", std::numeric_limits<std::uint64_t>::max()},
                          {"s", "ü\n"},
                          {"a", json::array{1, json::array{}, json::object{}}}};

  EXPECT_EQ(
      to_json(value),
      R"({"n":null,"b":true,"i":-9223372036854775808,"u":18446744073709551615,"s":"ü\n","a":[1,[],{}]})");
}

TEST(ToJson, KeysAndStringsThatAreNoUtf8BecomeValid) {
  json::object object;
  object["k\xff"] = "v\xfe";

  EXPECT_EQ(to_json(object), "{\"k" + kBad + "\":\"v" + kBad + "\"}");
  EXPECT_TRUE(try_parse_json(to_pretty_json(object)));
}

TEST(PrettyJson, IsIndentedAndKeepsTheOrderOfKeys) {
  const json::value value{
      {"b", 1}, {"a", json::array{1, "x"}}, {"e", json::object{}}, {"f", json::array{}}};

  EXPECT_EQ(to_pretty_json(value), R"({
  "b": 1,
  "a": [
    1,
    "x"
  ],
  "e": {},
  "f": []
})");
  EXPECT_EQ(to_pretty_json(json::array{1}, 4), "[\n    1\n]");
}

TEST(Fields, OfAStrangerAreReadWithCare) {
  const auto value = parse_json(
      R"({"s": "x", "i": 3, "f": 3.0, "h": 3.5, "n": null, "t": true, "l": [1], "big": 18446744073709551615, "huge": 1e300})",
      "it");

  EXPECT_EQ(string_field(value, "s"), "x");
  EXPECT_FALSE(string_field(value, "i"));
  EXPECT_FALSE(string_field(value, "absent"));
  EXPECT_EQ(int_field(value, "i"), 3);
  EXPECT_EQ(int_field(value, "f"), 3);
  EXPECT_FALSE(int_field(value, "h"));
  EXPECT_FALSE(int_field(value, "big"));
  EXPECT_FALSE(int_field(value, "huge"));
  EXPECT_FALSE(int_field(value, "t"));
  EXPECT_EQ(number_field(value, "h"), 3.5);
  EXPECT_EQ(number_field(value, "i"), 3.0);
  EXPECT_EQ(number_field(value, "big"), 18446744073709551615.0);
  EXPECT_FALSE(number_field(value, "s"));
  EXPECT_EQ(bool_field(value, "t"), true);
  EXPECT_FALSE(bool_field(value, "i"));
  EXPECT_EQ(find_field(value, "n"), nullptr);
  EXPECT_EQ(array_field(value, "l").size(), 1U);
  EXPECT_TRUE(array_field(value, "s").empty());
}

TEST(Fields, OfSomethingElseThanAnObjectAreAbsent) {
  const json::value list = json::array{1, 2};

  EXPECT_EQ(find_field(list, "a"), nullptr);
  EXPECT_FALSE(string_field(list, "a"));
  EXPECT_TRUE(array_field(json::value(nullptr), "a").empty());
}

}  // namespace
}  // namespace botburrow
