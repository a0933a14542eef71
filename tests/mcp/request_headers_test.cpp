#include "mcp/request_headers.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(HeaderValue, PlainTextStaysAndAnythingElseIsEncoded) {
  EXPECT_EQ(header_value("us-west1"), "us-west1");
  EXPECT_EQ(header_value("two words"), "two words");
  EXPECT_EQ(header_value(""), "");
  EXPECT_EQ(header_value("Hello, 世界"), "=?base64?SGVsbG8sIOS4lueVjA==?=");
  EXPECT_EQ(header_value(" padded "), "=?base64?IHBhZGRlZCA=?=");
  EXPECT_EQ(header_value("line1\nline2"), "=?base64?bGluZTEKbGluZTI=?=");
  EXPECT_EQ(header_value("=?base64?literal?="), "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
}

TEST(HeaderValue, WhatIsEncodedIsDecoded) {
  for (const auto* text : {"us-west1", "", "Hello, 世界", " padded ", "a\r\nEvil: yes",
                           "=?base64?literal?=", "=?base64?", "?="}) {
    EXPECT_EQ(decoded_header_value(header_value(text)), text);
  }
  EXPECT_EQ(decoded_header_value("=?base64?***?="), std::nullopt);
  EXPECT_EQ(decoded_header_value("caf\xc3\xa9"), std::nullopt);
}

json::value schema(const char* properties) {
  return parse_json(std::string(R"({"type":"object","properties":)") + properties + "}", "schema");
}

TEST(ParamHeaders, MirrorAnnotatedParametersAtTheirPath) {
  const auto input = schema(R"({
      "region":{"type":"string","x-mcp-header":"Region"},
      "count":{"type":"integer","x-mcp-header":"Count"},
      "dry":{"type":"boolean","x-mcp-header":"Dry"},
      "deep":{"type":"object","properties":{"key":{"type":"string","x-mcp-header":"Key"}}},
      "query":{"type":"string"}})");

  EXPECT_THAT(
      param_headers(input, {{"region", "eu"},
                            {"count", 42},
                            {"dry", false},
                            {"deep", {{"key", "k ö"}}},
                            {"query", "x"}}),
      ElementsAre(Pair("Mcp-Param-Region", "eu"), Pair("Mcp-Param-Count", "42"),
                  Pair("Mcp-Param-Dry", "false"), Pair("Mcp-Param-Key", "=?base64?ayDDtg==?=")));
  EXPECT_THAT(param_headers(input, {{"region", nullptr}, {"deep", 7}}), IsEmpty());
  EXPECT_THAT(param_headers(input, {{"count", 42.0}}), ElementsAre(Pair("Mcp-Param-Count", "42")));
}

TEST(ParamHeaders, AnnotationsThatMustNotBeAreFaults) {
  const auto fault = [](const char* properties) {
    return mirrored_params(schema(properties)).fault;
  };

  EXPECT_EQ(fault(R"({"a":{"type":"string","x-mcp-header":"A"}})"), "");
  EXPECT_NE(fault(R"({"a":{"type":"string","x-mcp-header":""}})"), "");
  EXPECT_NE(fault(R"({"a":{"type":"string","x-mcp-header":"A B"}})"), "");
  EXPECT_NE(fault(R"({"a":{"type":"string","x-mcp-header":"A\r\nB"}})"), "");
  EXPECT_NE(fault(R"({"a":{"type":"string","x-mcp-header":7}})"), "");
  EXPECT_NE(fault(R"({"a":{"type":"number","x-mcp-header":"A"}})"), "");
  EXPECT_NE(fault(R"({"a":{"type":"object","x-mcp-header":"A"}})"), "");
  EXPECT_NE(fault(R"({"a":{"x-mcp-header":"A"}})"), "");
  EXPECT_THAT(fault(R"({"a":{"type":"string","x-mcp-header":"A"},
                        "b":{"type":"string","x-mcp-header":"a"}})"),
              HasSubstr("twice"));
  EXPECT_NE(fault(R"({"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}})"), "");
  EXPECT_NE(fault(R"({"a":{"anyOf":[{"type":"string","x-mcp-header":"A"}]}})"), "");
  EXPECT_NE(mirrored_params(parse_json(R"({"type":"string","x-mcp-header":"A"})", "s")).fault, "");
}

TEST(StandardHeaders, NameMethodAndTarget) {
  EXPECT_THAT(standard_headers("tools/list", {}), ElementsAre(Pair("Mcp-Method", "tools/list")));
  EXPECT_THAT(
      standard_headers("tools/call", {{"name", "grüßen"}}),
      ElementsAre(Pair("Mcp-Method", "tools/call"), Pair("Mcp-Name", "=?base64?Z3LDvMOfZW4=?=")));
}

}  // namespace
}  // namespace botburrow::mcp
