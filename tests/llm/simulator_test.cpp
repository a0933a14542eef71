// The simulator is only worth something if it refuses what vendors refuse.
#include "base/json.hpp"
#include "net/http_client.hpp"
#include "tests/llm/samples.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/run_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::test {
namespace {

using testing::HasSubstr;

class Simulator : public testing::Test {
 protected:
  Simulator() : simulator_(io_.get_executor(), {}), http_(io_.get_executor(), {}) {
    simulator_.start();
  }
  ~Simulator() override { run_task(io_, simulator_.stop()); }

  net::HttpResponse post(std::string path, std::string body, net::HttpHeaders headers) {
    headers.emplace_back("content-type", "application/json");
    net::HttpRequest request{
        .method = "POST", .url = simulator_.url() + path, .headers = std::move(headers)};
    request.body = std::move(body);
    return run_task(io_, http_.send(std::move(request)));
  }
  net::HttpResponse anthropic(std::string_view rest) {
    return post("/v1/messages", R"({"model":"m","max_tokens":9,)" + std::string(rest) + "}",
                {{"x-api-key", "simulated-key"}, {"anthropic-version", "2023-06-01"}});
  }
  net::HttpResponse openai(std::string_view rest) {
    return post("/v1/chat/completions", R"({"model":"m",)" + std::string(rest) + "}",
                {{"authorization", "Bearer simulated-key"}});
  }
  net::HttpResponse ollama(std::string_view rest) {
    return post("/api/chat",
                R"({"model":"llama3.2:3b","options":{"num_ctx":4096},)" + std::string(rest) + "}",
                {});
  }

  boost::asio::io_context io_;
  LlmSimulator simulator_;
  net::HttpClient http_;
};

TEST_F(Simulator, RefusesWhatAnthropicRefuses) {
  EXPECT_EQ(anthropic(R"("messages":[{"role":"user","content":"hi"}])").status, 200);
  const std::string use =
      R"({"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"x","input":{}}]})";
  const std::string tools = R"("tools":[{"name":"x","input_schema":{"type":"object"}}],)";
  for (
      const auto& [rest, words] : std::vector<std::pair<std::string, std::string>>{
          {R"("messages":[])", "at least one message"},
          {R"("messages":[{"role":"assistant","content":"hi"}])", "first message must use"},
          {R"("messages":[{"role":"system","content":"hi"}])", "messages.0.role"},
          {R"("messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}])",
           "alternate"},
          {R"("messages":[{"role":"user","content":""}])", "non-empty content"},
          {R"("messages":[{"role":"user","content":[{"type":"text","text":" "}]}])",
           "non-whitespace"},
          {R"("messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b "}]}])",
           "trailing whitespace"},
          {tools + R"("messages":[{"role":"user","content":"a"},)" + use +
               R"(,{"role":"user","content":"b"}])",
           "without `tool_result` blocks"},
          {tools + R"("messages":[{"role":"user","content":"a"},)" + use + "]",
           "without `tool_result` blocks"},
          {tools +
               R"("messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t9","content":"b"}]}])",
           "unexpected `tool_use_id`"},
          {tools + R"("messages":[{"role":"user","content":"a"},)" + use +
               R"(,{"role":"user","content":[{"type":"text","text":"b"},{"type":"tool_result","tool_use_id":"t1","content":"b"}]}])",
           "must come before text"},
          {R"("messages":[{"role":"user","content":"a"},)" + use +
               R"(,{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"b"}]}])",
           "must define tools"},
          {R"("tools":null,"messages":[{"role":"user","content":"a"}])", "valid list"},
          {R"("tools":[{"name":"a.b","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"a"}])",
           "tools.0.custom.name"},
          {R"("tools":[{"name":"a"}],"messages":[{"role":"user","content":"a"}])", "input_schema"},
          {R"("temperature":1.5,"messages":[{"role":"user","content":"a"}])", "temperature: range"},
          {R"("surprise":1,"messages":[{"role":"user","content":"a"}])", "surprise: Extra inputs"},
          {R"("messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"x"}]}])",
           "signature"},
      }) {
    const auto response = anthropic(rest);
    EXPECT_EQ(response.status, 400) << rest;
    EXPECT_THAT(response.body, HasSubstr(words)) << rest;
    EXPECT_THAT(response.body, HasSubstr("invalid_request_error"));
  }
  EXPECT_THAT(post("/v1/messages", R"({"model":"m","messages":[{"role":"user","content":"hi"}]})",
                   {{"x-api-key", "simulated-key"}, {"anthropic-version", "1"}})
                  .body,
              HasSubstr("max_tokens: Field required"));
  EXPECT_EQ(post("/v1/messages", "{}", {{"x-api-key", "other"}}).status, 401);
}

TEST_F(Simulator, RefusesWhatOpenAiRefuses) {
  EXPECT_EQ(openai(R"("messages":[{"role":"user","content":"hi"}])").status, 200);
  const std::string call =
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"x","arguments":"{}"}}]})";
  for (
      const auto& [rest, words] : std::vector<std::pair<std::string, std::string>>{
          {R"("messages":[])", "empty array"},
          {R"("messages":[{"role":"king","content":"hi"}])", "Supported values"},
          {R"("messages":[{"role":"user","content":""}])", "'content'"},
          {R"("messages":[{"role":"assistant","content":null}])", "'content'"},
          {R"("messages":[{"role":"tool","tool_call_id":"c1","content":"x"}])",
           "must be a response"},
          {R"("messages":[)" + call + R"(,{"role":"user","content":"x"}])",
           "did not have response messages: c1"},
          {R"("messages":[)" + call + "]", "did not have response messages: c1"},
          {R"("tools":[],"messages":[{"role":"user","content":"a"}])", "empty array"},
          {R"("tool_choice":"none","messages":[{"role":"user","content":"a"}])", "tool_choice"},
          {R"("stream_options":{"include_usage":true},"messages":[{"role":"user","content":"a"}])",
           "stream_options"},
          {R"("temperature":2.5,"messages":[{"role":"user","content":"a"}])", "temperature"},
          {R"("tools":[{"type":"function","function":{"name":"a b","parameters":{"type":"object"}}}],"messages":[{"role":"user","content":"a"}])",
           "pattern"},
      }) {
    const auto response = openai(rest);
    EXPECT_EQ(response.status, 400) << rest;
    EXPECT_THAT(response.body, HasSubstr(words)) << rest;
  }
  EXPECT_EQ(post("/v1/chat/completions", R"({"model":"m"})", {}).status, 401);
}

TEST_F(Simulator, RefusesWhatOllamaRefuses) {
  EXPECT_EQ(ollama(R"("messages":[{"role":"user","content":"hi"}])").status, 200);
  EXPECT_EQ(post("/api/chat", R"({"model":"other","messages":[]})", {}).status, 404);
  for (
      const auto* rest :
      {R"("messages":[{"role":"tool","content":"x"}])",
       R"("messages":[{"role":"user","content":""}])",
       R"("messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"x","arguments":"{}"}}]}])"}) {
    EXPECT_EQ(ollama(rest).status, 400) << rest;
  }
  EXPECT_THAT(run_task(io_, http_.send({.url = simulator_.url() + "/api/tags"})).body,
              HasSubstr("llama3.2:3b"));
}

TEST_F(Simulator, KeepsALedgerAndFollowsItsScript) {
  simulator_.script([](const LlmSimulator::Request& request) {
    return LlmSimulator::Answer::say("heard " + request.last_user_text());
  });
  simulator_.queue(LlmSimulator::Answer::error(529, "later"));
  EXPECT_EQ(openai(R"("messages":[{"role":"user","content":"one"}])").status, 529);
  EXPECT_THAT(openai(R"("messages":[{"role":"user","content":"two"}])").body,
              HasSubstr("heard two"));
  EXPECT_EQ(openai("\"messages\":[").status, 400);
  EXPECT_EQ(simulator_.requests(), 3u);
  EXPECT_EQ(simulator_.rejected(), 1u);
  EXPECT_EQ(simulator_.ledger().at(1).last_user_text(), "two");
  EXPECT_EQ(simulator_.ledger().at(0).answered_status, 529);
}

TEST_F(Simulator, TakesLargeRequests) {
  const std::string text(3u << 20, 'x');
  EXPECT_EQ(openai(R"("messages":[{"role":"user","content":")" + text + R"("}])").status, 200);
  EXPECT_EQ(simulator_.last().last_user_text().size(), text.size());
}

}  // namespace
}  // namespace botburrow::test
