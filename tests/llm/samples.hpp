#pragma once

#include "base/json.hpp"
#include "llm/wire.hpp"

#include <boost/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::llm {

inline json::value parsed(std::string_view text) {
  return parse_json(text, "test");
}

inline ToolSpec tool(std::string name) {
  return {std::move(name), "does things",
          parsed(R"({"type":"object","properties":{"q":{"type":"string"}}})")};
}

/// System, user, a call and its result: the shape every vendor has its own rules for.
inline ModelRequest after_one_call() {
  ModelRequest request;
  request.model = "m-1";
  request.max_tokens = 100;
  request.temperature = 0.5;
  request.tools = {tool("hub_search"), tool("mcp_git.hub/list issues")};
  request.messages = {Message::system("Be kind."), Message::system("Be brief."),
                      Message::user("Find it.")};
  Message asking;
  asking.role = Role::assistant;
  asking.text = "Looking.";
  asking.tool_calls = {{"call-a", "hub_search", parsed(R"({"q":"x"})"), {}},
                       {"call-b", "mcp_git.hub/list issues", json::object{}, {}}};
  request.messages.push_back(asking);
  request.messages.push_back(Message::tool({{"call-a", "hub_search", "found", false},
                                            {"call-b", "mcp_git.hub/list issues", "no", true}}));
  return request;
}

inline ProviderConfig config_for(Api api, std::string provider, std::string base) {
  ProviderConfig config;
  config.api = api;
  config.provider = std::move(provider);
  config.model = "m-1";
  config.api_base = std::move(base);
  config.key = Secret("simulated-key");
  config.key_name = "TEST_KEY";
  config.max_retries = 2;
  config.timeout = std::chrono::seconds(10);
  config.first_retry_wait = std::chrono::milliseconds(5);
  return config;
}

/// Reads `stream` cut in two at `cut`, then ends it.
inline ModelAnswer read_cut(const Protocol& protocol, const ModelRequest& request,
                            std::string_view stream, std::size_t cut) {
  auto reader = protocol.reader(request);
  reader->feed(stream.substr(0, cut));
  reader->feed(stream.substr(cut));
  reader->finish();
  if (!reader->complete()) throw Error(errc::internal, "the answer is not whole");
  return reader->take();
}

inline ModelAnswer read_whole(const Protocol& protocol, const ModelRequest& request,
                              std::string_view stream) {
  return read_cut(protocol, request, stream, stream.size());
}

/// The answer as text, so that two can be compared.
inline std::string shown(const ModelAnswer& answer) {
  return to_json(to_json_value(answer));
}

}  // namespace botburrow::llm
