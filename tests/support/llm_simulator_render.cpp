// Answers in the vendors' forms.
#include "tests/support/llm_simulator_wire.hpp"

#include <fmt/format.h>

namespace botburrow::test {
namespace {

using Request = LlmSimulator::Request;
using Answer = LlmSimulator::Answer;
using Protocol = LlmSimulator::Protocol;

constexpr std::size_t kPieceBytes = 12;

// Text in whole UTF-8 characters, as vendors send it.
std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    auto piece = utf8_prefix(text, kPieceBytes);
    if (piece.empty()) piece = text;
    pieces.emplace_back(piece);
    text.remove_prefix(piece.size());
  }
  return pieces;
}

std::string arguments_of(const LlmSimulator::Call& call) {
  return call.raw_arguments ? *call.raw_arguments : to_json(call.arguments);
}

std::string sse(std::string_view event, const json::value& data) {
  if (event.empty()) return fmt::format("data: {}\n\n", to_json(data));
  return fmt::format("event: {}\ndata: {}\n\n", event, to_json(data));
}

std::string model_of(const Request& request) {
  return string_field(request.body, "model").value_or("");
}

json::object anthropic_usage(const Answer& answer, std::int64_t output) {
  return {{"input_tokens", answer.input_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", answer.cache_read_tokens},
          {"output_tokens", output}};
}

std::string anthropic_stop(const Answer& answer) {
  if (!answer.stop.empty()) return answer.stop;
  return answer.calls.empty() ? "end_turn" : "tool_use";
}

class AnthropicStream {
 public:
  AnthropicStream(const Request& request, const Answer& answer, std::size_t number)
      : request_(request), answer_(answer), number_(number) {}

  std::vector<std::string> events() {
    json::object message{{"id", fmt::format("msg_{}", number_)},
                         {"type", "message"},
                         {"role", "assistant"},
                         {"model", model_of(request_)},
                         {"content", json::array{}},
                         {"stop_reason", nullptr},
                         {"stop_sequence", nullptr}};
    if (answer_.send_usage) message["usage"] = anthropic_usage(answer_, 1);
    add({{"type", "message_start"}, {"message", message}});
    add({{"type", "ping"}});
    for (const auto& given : answer_.blocks_before)
      block(given, {});
    if (!answer_.text.empty()) {
      json::array deltas;
      for (const auto& piece : pieces_of(answer_.text))
        deltas.push_back({{"type", "text_delta"}, {"text", piece}});
      block({{"type", "text"}, {"text", ""}}, deltas);
    }
    std::size_t i = 0;
    for (const auto& call : answer_.calls) {
      json::array deltas{{{"type", "input_json_delta"}, {"partial_json", ""}}};
      for (const auto& piece : pieces_of(arguments_of(call))) {
        deltas.push_back({{"type", "input_json_delta"}, {"partial_json", piece}});
      }
      block({{"type", "tool_use"},
             {"id", fmt::format("toolu_{}_{}", number_, i++)},
             {"name", call.name},
             {"input", json::object{}}},
            deltas);
    }
    json::object last{
        {"type", "message_delta"},
        {"delta", {{"stop_reason", anthropic_stop(answer_)}, {"stop_sequence", nullptr}}}};
    if (answer_.send_usage) last["usage"] = json::object{{"output_tokens", answer_.output_tokens}};
    add(last);
    add({{"type", "message_stop"}});
    return std::move(events_);
  }

 private:
  void add(json::object data) { events_.push_back(sse(data.at("type").as_string().c_str(), data)); }

  void block(json::value start, const json::array& deltas) {
    add({{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(start)}});
    for (const auto& delta : deltas) {
      add({{"type", "content_block_delta"}, {"index", index_}, {"delta", delta}});
    }
    add({{"type", "content_block_stop"}, {"index", index_}});
    ++index_;
  }

  const Request& request_;
  const Answer& answer_;
  std::size_t number_;
  std::int64_t index_ = 0;
  std::vector<std::string> events_;
};

std::string anthropic_whole(const Request& request, const Answer& answer, std::size_t number) {
  json::array content = answer.blocks_before;
  if (!answer.text.empty()) content.push_back({{"type", "text"}, {"text", answer.text}});
  std::size_t i = 0;
  for (const auto& call : answer.calls) {
    content.push_back({{"type", "tool_use"},
                       {"id", fmt::format("toolu_{}_{}", number, i++)},
                       {"name", call.name},
                       {"input", call.arguments}});
  }
  json::object message{{"id", fmt::format("msg_{}", number)},
                       {"type", "message"},
                       {"role", "assistant"},
                       {"model", model_of(request)},
                       {"content", std::move(content)},
                       {"stop_reason", anthropic_stop(answer)},
                       {"stop_sequence", nullptr},
                       {"usage", anthropic_usage(answer, answer.output_tokens)}};
  return to_json(message);
}

json::object openai_usage(const Answer& answer) {
  return {{"prompt_tokens", answer.input_tokens},
          {"completion_tokens", answer.output_tokens},
          {"total_tokens", answer.input_tokens + answer.output_tokens},
          {"prompt_tokens_details", json::object{{"cached_tokens", answer.cache_read_tokens}}}};
}

std::string openai_stop(const Answer& answer) {
  if (!answer.stop.empty()) return answer.stop;
  return answer.calls.empty() ? "stop" : "tool_calls";
}

json::object openai_call(const LlmSimulator::Call& call, std::size_t number, std::size_t i,
                         const std::string& arguments) {
  return {{"index", i},
          {"id", fmt::format("call_{}_{}", number, i)},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", arguments}}}};
}

std::vector<std::string> openai_stream(const Request& request, const Answer& answer,
                                       std::size_t number) {
  std::vector<std::string> events;
  const auto chunk = [&](json::array choices) {
    return json::object{{"id", fmt::format("chatcmpl-{}", number)},
                        {"object", "chat.completion.chunk"},
                        {"created", 1'770'000'000},
                        {"model", model_of(request)},
                        {"choices", std::move(choices)}};
  };
  const auto delta = [&](json::object value, json::value reason = nullptr) {
    events.push_back(sse("", chunk({json::object{{"index", 0},
                                                 {"delta", std::move(value)},
                                                 {"finish_reason", std::move(reason)}}})));
  };
  delta(
      {{"role", "assistant"}, {"content", answer.calls.empty() ? json::value("") : json::value()}});
  for (const auto& piece : pieces_of(answer.text))
    delta(json::object{{"content", piece}});
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    const auto& call = answer.calls[i];
    delta(json::object{{"tool_calls", json::array{openai_call(call, number, i, "")}}});
    for (const auto& piece : pieces_of(arguments_of(call))) {
      json::object part{{"index", i}, {"function", json::object{{"arguments", piece}}}};
      delta(json::object{{"tool_calls", json::array{std::move(part)}}});
    }
  }
  delta({}, openai_stop(answer).c_str());
  const auto* options = find_field(request.body, "stream_options");
  if (answer.send_usage && options != nullptr &&
      bool_field(*options, "include_usage").value_or(false)) {
    auto last = chunk({});
    last["usage"] = openai_usage(answer);
    events.push_back(sse("", last));
  }
  events.emplace_back("data: [DONE]\n\n");
  return events;
}

std::string openai_whole(const Request& request, const Answer& answer, std::size_t number) {
  json::object message{{"role", "assistant"},
                       {"content", answer.text.empty() ? json::value() : json::value(answer.text)}};
  json::array calls;
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    calls.push_back(openai_call(answer.calls[i], number, i, arguments_of(answer.calls[i])));
  }
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  json::object choice{
      {"index", 0}, {"message", std::move(message)}, {"finish_reason", openai_stop(answer)}};
  return to_json(json::object{{"id", fmt::format("chatcmpl-{}", number)},
                              {"object", "chat.completion"},
                              {"created", 1'770'000'000},
                              {"model", model_of(request)},
                              {"choices", json::array{std::move(choice)}},
                              {"usage", openai_usage(answer)}});
}

json::object ollama_message(const Answer& answer, const std::string& text, bool with_calls) {
  json::object message{{"role", "assistant"}, {"content", text}};
  json::array calls;
  for (const auto& call : answer.calls) {
    json::object function{{"name", call.name}};
    if (call.raw_arguments)
      function["arguments"] = *call.raw_arguments;
    else
      function["arguments"] = call.arguments;
    calls.push_back(json::object{{"function", std::move(function)}});
  }
  if (with_calls && !calls.empty()) message["tool_calls"] = std::move(calls);
  return message;
}

std::vector<std::string> ollama_lines(const Request& request, const Answer& answer, bool stream) {
  std::vector<std::string> lines;
  const auto line = [&](json::object message, bool done) {
    return json::object{{"model", model_of(request)},
                        {"created_at", "2026-02-07T10:00:00.123Z"},
                        {"message", std::move(message)},
                        {"done", done}};
  };
  if (stream) {
    for (const auto& piece : pieces_of(answer.text)) {
      lines.push_back(to_json(line(ollama_message(answer, piece, false), false)) + "\n");
    }
    if (!answer.calls.empty())
      lines.push_back(to_json(line(ollama_message(answer, "", true), false)) + "\n");
  }
  auto last = line(ollama_message(answer, stream ? "" : answer.text, !stream), true);
  last["done_reason"] = answer.stop.empty() ? "stop" : answer.stop;
  if (answer.send_usage) {
    last["prompt_eval_count"] = answer.input_tokens;
    last["eval_count"] = answer.output_tokens;
  }
  lines.push_back(to_json(last) + "\n");
  return lines;
}

std::string_view anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 529:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string_view openai_type(int status) {
  switch (status) {
    case 401:
      return "invalid_api_key";
    case 402:
      return "insufficient_quota";
    case 404:
      return "model_not_found";
    case 429:
      return "rate_limit_exceeded";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

}  // namespace

bool streams(const Request& request) {
  return bool_field(request.body, "stream").value_or(request.protocol == Protocol::ollama);
}

std::vector<std::string> render(const Request& request, const Answer& answer, std::size_t number) {
  const bool stream = streams(request);
  switch (request.protocol) {
    case Protocol::anthropic:
      if (stream) return AnthropicStream(request, answer, number).events();
      return {anthropic_whole(request, answer, number)};
    case Protocol::openai:
      if (stream) return openai_stream(request, answer, number);
      return {openai_whole(request, answer, number)};
    case Protocol::ollama:
      return ollama_lines(request, answer, stream);
  }
  return {};
}

std::string error_event(Protocol protocol, const std::string& message) {
  switch (protocol) {
    case Protocol::anthropic:
      return "event: error\ndata: " + error_body(protocol, 529, "", message) + "\n\n";
    case Protocol::openai:
      return "data: " + error_body(protocol, 500, "", message) + "\n\n";
    case Protocol::ollama:
      return error_body(protocol, 500, "", message) + "\n";
  }
  return {};
}

std::string error_body(Protocol protocol, int status, std::string type,
                       const std::string& message) {
  switch (protocol) {
    case Protocol::anthropic: {
      if (type.empty()) type = anthropic_type(status);
      json::object error{{"type", type}, {"message", message}};
      return to_json(json::object{
          {"type", "error"}, {"error", std::move(error)}, {"request_id", "req_simulated"}});
    }
    case Protocol::openai: {
      if (type.empty()) type = openai_type(status);
      const char* kind = status >= 500 ? "server_error" : "invalid_request_error";
      json::object error{{"message", message}, {"type", kind}, {"param", nullptr}, {"code", type}};
      return to_json(json::object{{"error", std::move(error)}});
    }
    case Protocol::ollama:
      return to_json(json::object{{"error", message}});
  }
  return {};
}

}  // namespace botburrow::test
