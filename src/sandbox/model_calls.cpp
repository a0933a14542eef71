#include "sandbox/model_calls.hpp"

#include <algorithm>
#include <array>

namespace botburrow::sandbox {
namespace {

struct ModelCall {
  ModelApi api;
  std::string_view method;
  std::string_view path;
};

// Addresses for the OpenAI API have their version in them, the others do not; Ollama speaks both.
constexpr std::array kCalls{
    ModelCall{ModelApi::anthropic, "POST", "/v1/messages"},
    ModelCall{ModelApi::anthropic, "POST", "/v1/messages/count_tokens"},
    ModelCall{ModelApi::anthropic, "GET", "/v1/models"},
    ModelCall{ModelApi::openai, "POST", "/chat/completions"},
    ModelCall{ModelApi::openai, "POST", "/responses"},
    ModelCall{ModelApi::openai, "GET", "/models"},
    ModelCall{ModelApi::ollama, "POST", "/api/chat"},
    ModelCall{ModelApi::ollama, "POST", "/api/show"},
    ModelCall{ModelApi::ollama, "GET", "/api/tags"},
    ModelCall{ModelApi::ollama, "POST", "/v1/chat/completions"},
    ModelCall{ModelApi::ollama, "GET", "/v1/models"},
};

}  // namespace

bool is_model_call(ModelApi api, std::string_view method, std::string_view path) {
  path = path.substr(0, path.find('?'));
  return std::ranges::any_of(kCalls, [&](const ModelCall& call) {
    return call.api == api && call.method == method && call.path == path;
  });
}

}  // namespace botburrow::sandbox
