#include "mcp/call_result.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using testing::HasSubstr;

json::object object(const char* text) {
  return parse_json(text, "test").get_object();
}

CallResult read(const char* text, json::value schema = nullptr) {
  return read_call_result(object(text), schema);
}

TEST(CallResult, TextIsJoinedAndTheRestDescribed) {
  const auto result = read(R"({"content":[
      {"type":"text","text":"one"},
      {"type":"image","mimeType":"image/png","data":"QUJD"},
      {"type":"audio","mimeType":"audio/wav","data":"QUJDRA=="},
      {"type":"resource","resource":{"uri":"file:///a","text":"inside"}},
      {"type":"resource","resource":{"uri":"file:///b","mimeType":"x/y","blob":"QUJD"}},
      {"type":"resource_link","name":"c","uri":"file:///c"},
      {"type":"hologram"},
      {"type":"text","text":"two"}]})");

  EXPECT_EQ(result.text,
            "one\n"
            "[image image/png, 4 bytes of base64]\n"
            "[audio audio/wav, 8 bytes of base64]\n"
            "[resource file:///a]\ninside\n"
            "[resource file:///b x/y, 4 bytes of base64]\n"
            "[resource link c file:///c]\n"
            "[content of type \"hologram\"]\n"
            "two");
  EXPECT_FALSE(result.is_error);
}

TEST(CallResult, AnErrorOfTheToolIsOne) {
  EXPECT_TRUE(read(R"({"content":[{"type":"text","text":"no"}],"isError":true})").is_error);
  EXPECT_FALSE(read(R"({"content":[],"isError":false})").is_error);
}

TEST(CallResult, StructuredContentStandsInForMissingText) {
  EXPECT_THAT(read(R"({"structuredContent":{"n":1}})").text, HasSubstr("\"n\": 1"));
  EXPECT_EQ(read(R"({"content":[{"type":"text","text":"t"}],"structuredContent":{"n":1}})").text,
            "t");
}

TEST(CallResult, WhoBreaksTheOwnSchemaIsNotBelieved) {
  const auto schema = parse_json(R"({"type":"object","required":["n"]})", "schema");

  EXPECT_FALSE(read(R"({"content":[],"structuredContent":{"n":1}})", schema).is_error);
  const auto lie =
      read(R"({"content":[{"type":"text","text":"fine"}],"structuredContent":{}})", schema);
  EXPECT_TRUE(lie.is_error);
  EXPECT_THAT(lie.text, HasSubstr("\"n\" is missing"));
  EXPECT_THAT(read(R"({"content":[{"type":"text","text":"fine"}]})", schema).text,
              HasSubstr("it has none"));
  // What failed need not have the form of what went well.
  EXPECT_EQ(read(R"({"content":[{"type":"text","text":"no"}],"isError":true})", schema).text, "no");
}

TEST(CallResult, TextIsCleaned) {
  EXPECT_EQ(read(R"({"content":[{"type":"text","text":"a\u001b[2J\u202eb"}]})").text, "a[2Jb");
}

TEST(UnfinishedResult, OnlyCompleteIsComplete) {
  EXPECT_FALSE(unfinished_result(object(R"({"content":[]})")));
  EXPECT_FALSE(unfinished_result(object(R"({"resultType":"complete"})")));
  EXPECT_THAT(unfinished_result(object(R"({"resultType":"task"})"))->fault, HasSubstr("task"));
  EXPECT_FALSE(unfinished_result(object(R"({"resultType":"input_required"})"))->fault.empty());
}

TEST(UnfinishedResult, AStateIsHandedBackAndAQuestionIsNotAnswered) {
  const auto later = unfinished_result(
      object(R"({"resultType":"input_required","requestState":"s","inputRequests":{}})"));
  EXPECT_EQ(later->fault, "");
  EXPECT_EQ(later->request_state, "s");

  const auto question = unfinished_result(object(
      R"({"resultType":"input_required","requestState":"s",
          "inputRequests":{"a":{"method":"elicitation/create"}}})"));
  EXPECT_THAT(question->fault, HasSubstr("elicitation/create"));
}

}  // namespace
}  // namespace botburrow::mcp
