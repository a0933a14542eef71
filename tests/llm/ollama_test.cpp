#include "tests/llm/samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

std::unique_ptr<Protocol> protocol() {
  auto config = config_for(Api::ollama, "ollama", "http://127.0.0.1:11434");
  config.key = Secret();
  return ollama_protocol(config);
}

constexpr std::string_view kStream =
    "{\"message\":{\"role\":\"assistant\",\"content\":\"gr\xc3\xbc\xc3\x9f\"},\"done\":false}\n"
    "\n{\"message\":{\"content\":\"e\"},\"done\":false}\r\n"
    R"({"message":{"content":"","tool_calls":[{"function":{"name":"hub_search","arguments":{"q":"x"}}}]},"done":false})"
    "\n"
    R"({"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":31,"eval_count":5})";

TEST(OllamaRequest, HasTheServersShape) {
  const auto wire = protocol()->build(after_one_call(), {});
  EXPECT_EQ(wire.url, "http://127.0.0.1:11434/api/chat");
  const auto body = parsed(wire.body);
  EXPECT_EQ(body.at("options"), parsed(R"({"num_ctx":4096,"num_predict":100,"temperature":0.5})"));
  EXPECT_EQ(body.at("messages"), parsed(R"([
    {"role":"system","content":"Be kind.\n\nBe brief."},
    {"role":"user","content":"Find it."},
    {"role":"assistant","content":"Looking.","tool_calls":[
      {"function":{"name":"hub_search","arguments":{"q":"x"}}},
      {"function":{"name":"mcp_git_hub_list_issues","arguments":{}}}]},
    {"role":"tool","tool_name":"hub_search","content":"found"},
    {"role":"tool","tool_name":"mcp_git_hub_list_issues","content":"Error: no"}])"));
  EXPECT_EQ(body.at("tools").at(0).at("function").at("name"), "hub_search");
}

TEST(OllamaRequest, TheWindowHoldsPromptAndAnswerInPowersOfTwo) {
  ModelRequest request;
  request.messages = {Message::user("hi")};
  const auto window = [&](std::int64_t hint, int answer) {
    request.context_tokens_hint = hint;
    request.max_tokens = answer;
    return parsed(protocol()->build(request, {}).body)
        .at("options")
        .at("num_ctx")
        .to_number<std::int64_t>();
  };
  EXPECT_EQ(window(0, 100), 4096);
  EXPECT_EQ(window(3000, 721), 4096);
  EXPECT_EQ(window(3000, 722), 8192);
  EXPECT_EQ(window(10'000'000, 100), 131072);
  request.messages = {Message::user(std::string(40'000, 'x'))};
  EXPECT_EQ(window(0, 1000), 16384);
}

TEST(OllamaRequest, LeavesToolsOutWhereTheModelHasNone) {
  const auto request = after_one_call();
  const auto learnt =
      protocol()->learn(request, {.message = "registry/x does not support tools"}, {});
  ASSERT_TRUE(learnt);
  EXPECT_FALSE(parsed(protocol()->build(request, *learnt).body).as_object().contains("tools"));
  EXPECT_FALSE(protocol()->learn(request, {.message = "other"}, {}));
}

TEST(OllamaStream, IsReadWhereverItIsCut) {
  const auto vendor = protocol();
  const auto request = after_one_call();
  const auto whole = read_whole(*vendor, request, kStream);
  EXPECT_EQ(whole.text,
            "gr\xc3\xbc\xc3\x9f"
            "e");
  ASSERT_EQ(whole.tool_calls.size(), 1u);
  EXPECT_EQ(whole.tool_calls[0].id, "call_3");
  EXPECT_EQ(whole.stop, StopReason::tool_use);
  EXPECT_EQ(whole.usage, (Usage{.input = 31, .output = 5}));
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    ASSERT_EQ(shown(read_cut(*vendor, request, kStream, cut)), shown(whole)) << "cut at " << cut;
  }
}

TEST(OllamaStream, ErrorsAndNonsenseAreThrown) {
  for (const std::string_view text : {"{\"error\":\"out of memory\"}\n", "nonsense\n", "[]\n"}) {
    auto reader = protocol()->reader(after_one_call());
    EXPECT_THROW(reader->feed(text), Error) << text;
  }
  auto reader = protocol()->reader(after_one_call());
  reader->feed("{\"message\":{\"content\":\"half\"},\"done\":false}\n");
  reader->finish();
  EXPECT_FALSE(reader->complete());
}

}  // namespace
}  // namespace botburrow::llm
