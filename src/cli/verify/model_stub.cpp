#include "cli/verify/model_stub.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBodyMost = 4u << 20;

json::value whole(json::object message, std::string_view reason) {
  message["role"] = "assistant";
  json::object choice = {{"index", 0}, {"finish_reason", reason}};
  choice["message"] = std::move(message);
  const json::object usage = {{"prompt_tokens", ModelStub::kTokensIn},
                              {"completion_tokens", ModelStub::kTokensOut}};
  return json::object{{"choices", json::array{std::move(choice)}}, {"usage", usage}};
}

net::ServerResponse say(std::string_view text) {
  return net::ServerResponse::json(200, to_json(whole({{"content", text}}, "stop")));
}

net::ServerResponse call_tool(int number) {
  const json::object function = {
      {"name", "hub_search"},
      {"arguments", to_json(json::object{{"query", std::to_string(number)}})}};
  const json::object call = {{"index", 0},
                             {"id", "call_" + std::to_string(number)},
                             {"type", "function"},
                             {"function", function}};
  return net::ServerResponse::json(
      200, to_json(whole({{"content", nullptr}, {"tool_calls", json::array{call}}}, "tool_calls")));
}

}  // namespace

ModelStub::ModelStub(boost::asio::any_io_executor executor, std::string key)
    : key_(std::move(key)), server_(std::move(executor), {}, Log::none()) {
  server_.route("POST", "/v1/chat/completions", kBodyMost,
                [this](net::ServerRequest request) { return answer(std::move(request)); });
}

int ModelStub::calls(const std::string& model) const {
  const auto at = calls_.find(model);
  return at == calls_.end() ? 0 : at->second;
}

Task<net::ServerResponse> ModelStub::answer(net::ServerRequest request) {
  const auto body = try_parse_json(request.body);
  const auto model = body ? string_field(*body, "model").value_or("") : "";
  const int number = ++calls_[model];
  if (model == "verify-refused" || request.header("authorization") != "Bearer " + key_)
    co_return net::ServerResponse::json(
        401,
        R"({"error":{"message":"Incorrect API key provided","type":"invalid_request_error"}})");
  most_at_once_ = std::max(most_at_once_, ++at_once_);
  struct Leave {
    int& count;
    ~Leave() { --count; }
  } leave{at_once_};
  if (model == "verify-slow") co_await sleep_for(3s);
  if (model == "verify-stuck") co_await sleep_for(1h);
  if (model == "verify-skip") co_return say("SKIP");
  if (model == "verify-loop") co_return call_tool(number);
  co_return say("An answer of the verification's model.");
}

}  // namespace botburrow::cli::verify
