#include "sandbox/model_calls.hpp"

#include <gtest/gtest.h>

namespace botburrow::sandbox {
namespace {

TEST(ModelCalls, ModelsAreAskedAsTheirProgramsAskThem) {
  EXPECT_TRUE(is_model_call(ModelApi::anthropic, "POST", "/v1/messages"));
  EXPECT_TRUE(is_model_call(ModelApi::anthropic, "POST", "/v1/messages?beta=true"));
  EXPECT_TRUE(is_model_call(ModelApi::anthropic, "POST", "/v1/messages/count_tokens?beta=true"));
  EXPECT_TRUE(is_model_call(ModelApi::openai, "POST", "/chat/completions"));
  EXPECT_TRUE(is_model_call(ModelApi::openai, "POST", "/responses"));
  EXPECT_TRUE(is_model_call(ModelApi::openai, "GET", "/models"));
  EXPECT_TRUE(is_model_call(ModelApi::ollama, "POST", "/api/chat"));
  EXPECT_TRUE(is_model_call(ModelApi::ollama, "POST", "/api/show"));
  EXPECT_TRUE(is_model_call(ModelApi::ollama, "GET", "/api/tags"));
  EXPECT_TRUE(is_model_call(ModelApi::ollama, "POST", "/v1/chat/completions"));
}

TEST(ModelCalls, NothingElseIsPassedOn) {
  for (const auto api : {ModelApi::anthropic, ModelApi::openai, ModelApi::ollama}) {
    for (const auto* path : {"",
                             "/",
                             "?",
                             "/v1/files",
                             "/v1/messages/",
                             "/v1/messages/batches",
                             "//v1/messages",
                             "/v1/./messages",
                             "/v1/messages/../files",
                             "/v1/%6dessages",
                             "/%2e%2e/v1/messages",
                             "/v1/messages#x",
                             "/V1/messages",
                             "/files",
                             "/fine_tuning/jobs",
                             "/responses/x",
                             "/chat/completions/x",
                             "/api/delete",
                             "/api/pull",
                             "/api/create"}) {
      for (const auto* method : {"GET", "POST", "DELETE", "PUT"})
        EXPECT_FALSE(is_model_call(api, method, path)) << method << " " << path;
    }
  }
  EXPECT_FALSE(is_model_call(ModelApi::anthropic, "post", "/v1/messages"));
  EXPECT_FALSE(is_model_call(ModelApi::anthropic, "GET", "/v1/messages"));
  EXPECT_FALSE(is_model_call(ModelApi::anthropic, "POST", "/chat/completions"));
  EXPECT_FALSE(is_model_call(ModelApi::openai, "DELETE", "/models"));
}

}  // namespace
}  // namespace botburrow::sandbox
