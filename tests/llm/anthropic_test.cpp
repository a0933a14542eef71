#include "tests/llm/samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

std::unique_ptr<Protocol> protocol(std::string base = "https://api.example") {
  return anthropic_protocol(config_for(Api::anthropic, "anthropic", std::move(base)));
}

constexpr std::string_view kStream =
    "event: message_start\n"
    R"(data: {"type":"message_start","message":{"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}})"
    "\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
    R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}})"
    "\n\n"
    R"(data: {"type":"content_block_stop","index":0})"
    "\n\n"
    R"(data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})"
    "\n\n"
    "data: "
    "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":"
    "\"caf\xc3\xa9 \xf0\x9f\x90\xa6 \"}}\n\n"
    R"(data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"now"}})"
    "\n\n"
    R"(data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"mcp_git_hub_list_issues","input":{}}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\": "}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"x\"}"}})"
    "\n\n"
    R"(data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":33}})"
    "\n\n"
    R"(data: {"type":"message_stop"})"
    "\n\n";

TEST(AnthropicRequest, HasTheVendorsShape) {
  const auto wire = protocol()->build(after_one_call(), {});
  EXPECT_EQ(wire.url, "https://api.example/v1/messages");
  EXPECT_THAT(wire.headers, testing::IsSupersetOf(
                                {std::pair<std::string, std::string>{"x-api-key", "simulated-key"},
                                 {"anthropic-version", "2023-06-01"}}));
  EXPECT_EQ(parsed(wire.body), parsed(R"({
    "model":"m-1","max_tokens":100,"stream":true,"temperature":0.5,"system":"Be kind.\n\nBe brief.",
    "tools":[{"name":"hub_search","description":"does things","input_schema":{"type":"object","properties":{"q":{"type":"string"}}}},
             {"name":"mcp_git_hub_list_issues","description":"does things","input_schema":{"type":"object","properties":{"q":{"type":"string"}}}}],
    "messages":[
      {"role":"user","content":[{"type":"text","text":"Find it."}]},
      {"role":"assistant","content":[{"type":"text","text":"Looking."},
        {"type":"tool_use","id":"call-a","name":"hub_search","input":{"q":"x"}},
        {"type":"tool_use","id":"call-b","name":"mcp_git_hub_list_issues","input":{}}]},
      {"role":"user","content":[
        {"type":"tool_result","tool_use_id":"call-a","content":"found"},
        {"type":"tool_result","tool_use_id":"call-b","content":"no","is_error":true}]}]})"));
}

TEST(AnthropicRequest, ClampsTemperatureAndOmitsWhatIsEmpty) {
  ModelRequest request;
  request.temperature = 1.7;
  request.messages = {Message::user("hi")};
  const auto body = parsed(protocol("https://x/v1")->build(request, {}).body);
  EXPECT_EQ(body.at("temperature").to_number<double>(), 1.0);
  EXPECT_FALSE(body.as_object().contains("tools"));
  EXPECT_FALSE(body.as_object().contains("system"));
  EXPECT_EQ(body.at("model"), "m-1");
  EXPECT_EQ(protocol("https://x/v1")->build(request, {}).url, "https://x/v1/messages");
}

TEST(AnthropicRequest, DescribesUsedToolsAlsoWhereNoneAreOffered) {
  auto request = after_one_call();
  request.may_call_tools = false;
  EXPECT_EQ(parsed(protocol()->build(request, {}).body).at("tool_choice"),
            parsed(R"({"type":"none"})"));
  request.may_call_tools = true;
  request.tools.clear();
  const auto body = parsed(protocol()->build(request, {}).body);
  EXPECT_EQ(body.at("tools").as_array().size(), 2u);
  EXPECT_EQ(body.at("tool_choice"), parsed(R"({"type":"none"})"));
}

TEST(AnthropicStream, IsReadWhereverItIsCut) {
  const auto vendor = protocol();
  const auto request = after_one_call();
  const auto whole = read_whole(*vendor, request, kStream);
  EXPECT_EQ(whole.text, "caf\xc3\xa9 \xf0\x9f\x90\xa6 now");
  ASSERT_EQ(whole.tool_calls.size(), 1u);
  EXPECT_EQ(whole.tool_calls[0].name, "mcp_git.hub/list issues");
  EXPECT_EQ(whole.tool_calls[0].arguments, parsed(R"({"q":"x"})"));
  EXPECT_EQ(whole.stop, StopReason::tool_use);
  EXPECT_EQ(whole.usage, (Usage{.input = 15, .output = 33, .cache_read = 5}));
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    ASSERT_EQ(shown(read_cut(*vendor, request, kStream, cut)), shown(whole)) << "cut at " << cut;
  }
}

TEST(AnthropicStream, ThinkingGoesBackVerbatim) {
  auto request = after_one_call();
  auto answer = read_whole(*protocol(), request, kStream);
  answer.provider = "anthropic";
  request.messages = {Message::user("go"), Message::assistant(answer),
                      Message::tool({{"t1", "x", "ok", false}})};
  const auto body = parsed(protocol()->build(request, {}).body);
  EXPECT_EQ(body.at("messages").at(1).at("content"), parsed(R"([
    {"type":"thinking","thinking":"hm","signature":"sig"},
    {"type":"text","text":"café 🐦 now"},
    {"type":"tool_use","id":"t1","name":"mcp_git_hub_list_issues","input":{"q":"x"}}])"));
}

TEST(AnthropicStream, APrefixIsNeverAWholeAnswer) {
  const auto last = kStream.rfind("data: {\"type\":\"message_stop\"");
  for (std::size_t length = 0; length < last; length += 7) {
    auto reader = protocol()->reader(after_one_call());
    reader->feed(kStream.substr(0, length));
    EXPECT_FALSE(reader->complete()) << length;
  }
}

std::string with_stop(std::string_view reason, std::string_view arguments) {
  return std::string(
             R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t1","name":"hub_search","input":{}}})") +
         "\n\ndata: " +
         to_json(
             json::object{{"type", "content_block_delta"},
                          {"index", 0},
                          {"delta", {{"type", "input_json_delta"}, {"partial_json", arguments}}}}) +
         "\n\ndata: " +
         to_json(json::object{{"type", "message_delta"},
                              {"delta", json::object{{"stop_reason", reason}}}}) +
         "\n\ndata: {\"type\":\"message_stop\"}\n\n";
}

TEST(AnthropicStream, BrokenOrCutArgumentsAreMalformed) {
  const auto request = after_one_call();
  const auto broken = read_whole(*protocol(), request, with_stop("tool_use", "{\"q\":"));
  EXPECT_EQ(broken.tool_calls[0].malformed, "{\"q\":");
  EXPECT_EQ(broken.tool_calls[0].arguments, json::object{});
  const auto cut = read_whole(*protocol(), request, with_stop("max_tokens", "{\"q\":1}"));
  EXPECT_EQ(cut.stop, StopReason::max_tokens);
  EXPECT_TRUE(cut.tool_calls[0].malformed.has_value());
  EXPECT_TRUE(cut.usage.estimated);
  EXPECT_GT(cut.usage.input, 0);
  EXPECT_FALSE(read_whole(*protocol(), request, with_stop("tool_use", "")).tool_calls[0].malformed);
  EXPECT_TRUE(
      read_whole(*protocol(), request, with_stop("tool_use", "[1]")).tool_calls[0].malformed);
}

TEST(AnthropicStream, ReadsAnAnswerThatWasNotStreamed) {
  const auto answer = read_whole(
      *protocol(), after_one_call(),
      R"({"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":2,"output_tokens":3}})");
  EXPECT_EQ(answer.text, "hi");
  EXPECT_EQ(answer.usage, (Usage{.input = 2, .output = 3}));
}

TEST(AnthropicStream, AnErrorEventSaysWhetherToRepeat) {
  const auto fail = [](std::string_view type) -> Error {
    try {
      read_whole(*protocol(), after_one_call(),
                 "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" +
                     std::string(type) + "\",\"message\":\"no\"}}\n\n");
    } catch (const Error& error) {
      return error;
    }
    return Error(errc::internal, "nothing was thrown");
  };
  EXPECT_EQ(fail("overloaded_error").code(), errc::model_unavailable);
  EXPECT_EQ(fail("overloaded_error").retry(), Retry::after_backoff);
  EXPECT_EQ(fail("invalid_request_error").code(), errc::model_refused_request);
  EXPECT_EQ(fail("rate_limit_error").code(), errc::model_rate_limited);
}

TEST(AnthropicStream, NonsenseIsAProtocolError) {
  for (const std::string_view text :
       {"data: {broken\n\n", "data: 7\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":-1,\"delta\":{}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":99999999,\"delta\":{}}\n\n"}) {
    auto reader = protocol()->reader(after_one_call());
    EXPECT_THROW(reader->feed(text), Error) << text;
  }
}

}  // namespace
}  // namespace botburrow::llm
