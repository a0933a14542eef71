#include "tests/llm/samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

std::unique_ptr<Protocol> protocol(std::string base = "https://api.example/v1") {
  return openai_protocol(config_for(Api::openai, "openai", std::move(base)));
}

std::string events(std::initializer_list<std::string_view> data) {
  std::string out;
  for (const auto one : data)
    out += "data: " + std::string(one) + "\n\n";
  return out;
}

const std::string kStream = events(
    {R"({"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]})",
     "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"na\xc3\xafve \xe2\x9c\x93\"}}]}",
     R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"hub_search","arguments":""}}]}}]})",
     R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"q\":"}}]}}]})",
     R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"mcp_git_hub_list_issues","arguments":"{}"}}]}}]})",
     R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"x\"}"}}]}}]})",
     R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})",
     R"({"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}})",
     "[DONE]"});

TEST(OpenAiRequest, HasTheVendorsShape) {
  const auto wire = protocol()->build(after_one_call(), {});
  EXPECT_EQ(wire.url, "https://api.example/v1/chat/completions");
  EXPECT_THAT(wire.headers, testing::Contains(std::pair<std::string, std::string>{
                                "authorization", "Bearer simulated-key"}));
  const auto body = parsed(wire.body);
  EXPECT_EQ(body.at("stream_options"), parsed(R"({"include_usage":true})"));
  EXPECT_EQ(body.at("max_tokens"), 100);
  EXPECT_EQ(body.at("tools").at(0).at("type"), "function");
  EXPECT_EQ(body.at("tools").at(1).at("function").at("name"), "mcp_git_hub_list_issues");
  EXPECT_EQ(body.at("messages"), parsed(R"([
    {"role":"system","content":"Be kind.\n\nBe brief."},
    {"role":"user","content":"Find it."},
    {"role":"assistant","content":"Looking.","tool_calls":[
      {"id":"call-a","type":"function","function":{"name":"hub_search","arguments":"{\"q\":\"x\"}"}},
      {"id":"call-b","type":"function","function":{"name":"mcp_git_hub_list_issues","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"call-a","content":"found"},
    {"role":"tool","tool_call_id":"call-b","content":"Error: no"}])"));
}

TEST(OpenAiRequest, KeepsTheBaseAsGivenAndObeysQuirks) {
  auto request = after_one_call();
  EXPECT_EQ(protocol("http://h:1")->build(request, {}).url, "http://h:1/chat/completions");
  EXPECT_EQ(protocol("http://h/chat/completions")->build(request, {}).url,
            "http://h/chat/completions");
  const Quirks all{.max_completion_tokens = true,
                   .no_temperature = true,
                   .no_stream_options = true,
                   .no_tools = true};
  const auto body = parsed(protocol()->build(request, all).body).as_object();
  EXPECT_EQ(body.at("max_completion_tokens"), 100);
  for (const auto* absent : {"max_tokens", "temperature", "stream_options", "tools"}) {
    EXPECT_FALSE(body.contains(absent)) << absent;
  }
  request.tools.clear();
  EXPECT_FALSE(parsed(protocol()->build(request, {}).body).as_object().contains("tools"));
  auto config = config_for(Api::openai, "local", "http://h");
  config.key = Secret();
  for (const auto& [name, value] : openai_protocol(config)->build(request, {}).headers)
    EXPECT_NE(name, "authorization");
}

TEST(OpenAiRequest, LearnsEachQuirkOnce) {
  const VendorError max{
      .message =
          "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'"};
  const auto learnt = protocol()->learn({}, max, {});
  ASSERT_TRUE(learnt);
  EXPECT_TRUE(learnt->max_completion_tokens);
  EXPECT_FALSE(protocol()->learn({}, max, *learnt));
  EXPECT_TRUE(
      protocol()->learn({}, {.message = "stream_options: extra fields"}, {})->no_stream_options);
  EXPECT_TRUE(
      protocol()->learn({}, {.message = "'temperature' does not support 0.7"}, {})->no_temperature);
  EXPECT_FALSE(protocol()->learn({}, {.message = "no such model"}, {}));
}

TEST(OpenAiStream, IsReadWhereverItIsCut) {
  const auto vendor = protocol();
  const auto request = after_one_call();
  const auto whole = read_whole(*vendor, request, kStream);
  EXPECT_EQ(whole.text, "na\xc3\xafve \xe2\x9c\x93");
  ASSERT_EQ(whole.tool_calls.size(), 2u);
  EXPECT_EQ(whole.tool_calls[0].arguments, parsed(R"({"q":"x"})"));
  EXPECT_EQ(whole.tool_calls[1].name, "mcp_git.hub/list issues");
  EXPECT_EQ(whole.stop, StopReason::tool_use);
  EXPECT_EQ(whole.usage, (Usage{.input = 20, .output = 9, .cache_read = 4}));
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    ASSERT_EQ(shown(read_cut(*vendor, request, kStream, cut)), shown(whole)) << "cut at " << cut;
  }
}

TEST(OpenAiStream, UnderstandsServersWithHabitsOfTheirOwn) {
  const auto request = after_one_call();
  // Every call with index 0, whole, without usage, `stop` as the reason, no [DONE].
  const auto one = read_whole(
      *protocol(), request,
      events(
          {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"hub_search","arguments":"{\"q\":\"1\"}"}}]}}]})",
           R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"hub_search","arguments":"{\"q\":\"2\"}"},"extra_content":{"s":1}}]}}]})",
           R"({"choices":[{"delta":{},"finish_reason":"stop"}]})"}));
  ASSERT_EQ(one.tool_calls.size(), 2u);
  EXPECT_EQ(one.tool_calls[1].arguments, parsed(R"({"q":"2"})"));
  EXPECT_EQ(one.stop, StopReason::tool_use);
  EXPECT_TRUE(one.usage.estimated);
  EXPECT_EQ(one.provider_blocks, parsed(R"([{"id":"b","extra_content":{"s":1}}])").as_array());
  // No index and no id at all; arguments as an object.
  const auto two = read_whole(
      *protocol(), request,
      events(
          {R"({"choices":[{"delta":{"tool_calls":[{"function":{"name":"x","arguments":{"q":1}}},{"function":{"name":"y","arguments":"{}"}}]},"finish_reason":"stop"}]})"}));
  ASSERT_EQ(two.tool_calls.size(), 2u);
  EXPECT_EQ(two.tool_calls[0].id, "call_3");
  EXPECT_EQ(two.tool_calls[1].id, "call_4");
  EXPECT_EQ(two.tool_calls[0].arguments, parsed(R"({"q":1})"));
  // Content as parts; not streamed.
  const auto three = read_whole(
      *protocol(), request,
      R"({"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})");
  EXPECT_EQ(three.text, "ab");
  EXPECT_EQ(three.stop, StopReason::max_tokens);
  const auto refused =
      read_whole(*protocol(), request,
                 events({R"({"choices":[{"delta":{"refusal":"No."},"finish_reason":"stop"}]})"}));
  EXPECT_EQ(refused.stop, StopReason::refusal);
  EXPECT_EQ(refused.text, "No.");
}

TEST(OpenAiStream, WhatCameWithACallGoesBackWithIt) {
  auto request = after_one_call();
  request.messages[3].provider_blocks =
      parsed(R"([{"id":"call-a","extra_content":{"s":1}}])").as_array();
  request.messages[3].provider_blocks_of = "openai";
  const auto messages = parsed(protocol()->build(request, {}).body).at("messages");
  EXPECT_EQ(messages.at(2).at("tool_calls").at(0).at("extra_content"), parsed(R"({"s":1})"));
  EXPECT_FALSE(messages.at(2).at("tool_calls").at(1).as_object().contains("extra_content"));
}

TEST(OpenAiStream, ErrorsAndNonsenseAreThrown) {
  for (const auto& text :
       {events({"{broken"}), events({R"({"error":{"message":"overloaded"}})"})}) {
    auto reader = protocol()->reader(after_one_call());
    EXPECT_THROW(reader->feed(text), Error) << text;
  }
  auto reader = protocol()->reader(after_one_call());
  reader->feed(events({R"({"choices":[{"delta":{"content":"half"}}]})"}));
  reader->finish();
  EXPECT_FALSE(reader->complete());
}

}  // namespace
}  // namespace botburrow::llm
