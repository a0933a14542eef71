// Ollama's own API: its OpenAI-style path cannot set the context window and cuts prompts silently.
#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/thinking.hpp"
#include "llm/transcript.hpp"
#include "llm/wire.hpp"
#include "net/sse.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::size_t kCallsMax = 128;
constexpr std::int64_t kContextMin = 4'096;
constexpr std::int64_t kContextMax = 131'072;

void append_turn(json::array& messages, const Turn& turn, const ToolNames& names) {
  if (turn.assistant) {
    json::object message{{"role", "assistant"}, {"content", turn.text}};
    json::array calls;
    for (const auto& call : turn.calls) {
      json::object function{{"name", names.to_wire(call.name)}, {"arguments", call.arguments}};
      calls.push_back(json::object{{"function", std::move(function)}});
    }
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
    messages.push_back(std::move(message));
    return;
  }
  for (const auto& result : turn.results) {
    const std::string prefix =
        result.is_error && !result.content.starts_with("Error") ? "Error: " : "";
    messages.push_back(
        {{"role", "tool"},
         {"tool_name", names.to_wire(result.tool_name)},
         {"content", is_blank(result.content) ? "(no output)" : prefix + result.content}});
  }
  if (!turn.text.empty()) messages.push_back({{"role", "user"}, {"content", turn.text}});
}

json::array tools_of(const ModelRequest& request, const ToolNames& names) {
  json::array tools;
  for (const auto& tool : request.tools) {
    tools.push_back({{"type", "function"},
                     {"function",
                      {{"name", names.to_wire(tool.name)},
                       {"description", tool.description},
                       {"parameters", object_schema(tool.input_schema)}}}});
  }
  return tools;
}

// Powers of two: each other size makes Ollama load the model anew.
std::int64_t context_window(const ModelRequest& request) {
  const auto prompt = request.context_tokens_hint > 0
                          ? request.context_tokens_hint
                          : estimated_tokens(request.messages, request.tools);
  const auto needed = prompt + prompt / 8 + request.max_tokens;
  std::int64_t window = kContextMin;
  while (window < needed && window < kContextMax)
    window *= 2;
  return window;
}

StopReason stop_of(std::string_view reason) {
  if (reason.empty() || reason == "stop") return StopReason::end;
  if (reason == "length") return StopReason::max_tokens;
  return StopReason::other;
}

class OllamaReader final : public AnswerReader {
 public:
  OllamaReader(std::string provider, const ModelRequest& request)
      : provider_(std::move(provider)),
        names_(request.tools, request.messages),
        first_call_(calls_in(request.messages) + 1),
        estimated_input_(estimated_tokens(request.messages, request.tools)) {}

  void feed(std::string_view bytes) override {
    lines_.feed(bytes, [this](std::string_view line) { take_line(line); });
  }
  void finish() override {
    lines_.finish([this](std::string_view line) { take_line(line); });
  }
  bool complete() const override { return done_; }
  bool began() const override { return began_; }

  ModelAnswer take() override {
    if (is_blank(answer_.text)) answer_.text.clear();
    answer_.stop = stop_of(done_reason_);
    settle(answer_, estimated_input_);
    answer_.text =
        without_thinking(std::move(answer_.text), answer_.stop == StopReason::max_tokens);
    return std::move(answer_);
  }

 private:
  void take_line(std::string_view line) {
    if (is_blank(line)) return;
    const auto data = try_parse_json(line);
    if (!data || !data->is_object()) {
      throw Error(errc::protocol, provider_ + ": a line of the stream is no JSON object",
                  Retry::after_backoff);
    }
    if (find_field(*data, "error") != nullptr)
      throw error_in_stream(provider_, vendor_error_in(*data));
    began_ =
        began_ || find_field(*data, "message") != nullptr || find_field(*data, "done") != nullptr;
    if (const auto* message = find_field(*data, "message")) take_message(*message);
    if (!bool_field(*data, "done").value_or(false)) return;
    done_ = true;
    done_reason_ = string_field(*data, "done_reason").value_or("");
    answer_.usage.input =
        std::max<std::int64_t>(0, int_field(*data, "prompt_eval_count").value_or(0));
    answer_.usage.output = std::max<std::int64_t>(0, int_field(*data, "eval_count").value_or(0));
  }

  void take_message(const json::value& message) {
    answer_.text += string_field(message, "content").value_or("");
    for (const auto& entry : array_field(message, "tool_calls")) {
      const auto* function = find_field(entry, "function");
      if (function == nullptr) continue;
      if (answer_.tool_calls.size() >= kCallsMax) {
        throw Error(errc::protocol,
                    fmt::format("{}: over {} tool calls in one answer", provider_, kCallsMax));
      }
      ToolCall call{.id = fmt::format("call_{}", first_call_ + answer_.tool_calls.size()),
                    .name = names_.from_wire(string_field(*function, "name").value_or(""))};
      const auto* arguments = find_field(*function, "arguments");
      set_arguments(call, arguments != nullptr ? *arguments : json::value());
      answer_.tool_calls.push_back(std::move(call));
    }
  }

  std::string provider_;
  ToolNames names_;
  std::size_t first_call_;
  std::int64_t estimated_input_;
  net::LineSplitter lines_;
  ModelAnswer answer_;
  std::string done_reason_;
  bool began_ = false;
  bool done_ = false;
};

class OllamaProtocol final : public Protocol {
 public:
  explicit OllamaProtocol(const ProviderConfig& config)
      : provider_(config.provider),
        url_(config.api_base + "/api/chat"),
        key_(config.key),
        model_(config.model) {}

  WireRequest build(const ModelRequest& request, const Quirks& quirks) const override {
    const ToolNames names(request.tools, request.messages);
    const auto transcript = arranged(request.messages, provider_);
    json::array messages;
    if (!transcript.system.empty()) {
      messages.push_back({{"role", "system"}, {"content", transcript.system}});
    }
    for (const auto& turn : transcript.turns)
      append_turn(messages, turn, names);
    json::object body{{"model", request.model.empty() ? model_ : request.model},
                      {"messages", std::move(messages)},
                      {"stream", true},
                      {"options",
                       {{"num_ctx", context_window(request)},
                        {"num_predict", std::max(1, request.max_tokens)},
                        {"temperature", std::clamp(request.temperature, 0.0, 2.0)}}}};
    // It has no way to describe tools that may not be called.
    if (!request.tools.empty() && request.may_call_tools && !quirks.no_tools) {
      body["tools"] = tools_of(request, names);
    }
    WireRequest out{.url = url_, .body = to_json(body)};
    out.headers = {{"content-type", "application/json"}, {"accept", "application/x-ndjson"}};
    if (!key_.empty()) out.headers.emplace_back("authorization", "Bearer " + key_.reveal());
    return out;
  }

  std::unique_ptr<AnswerReader> reader(const ModelRequest& request) const override {
    return std::make_unique<OllamaReader>(provider_, request);
  }

  std::optional<Quirks> learn(const ModelRequest& request, const VendorError& error,
                              Quirks quirks) const override {
    if (!refuses_tools(error) || quirks.no_tools || request.tools.empty()) return {};
    quirks.no_tools = true;
    return quirks;
  }

  // Loading a model and reading a long prompt are silent, and take minutes on small machines.
  std::chrono::milliseconds idle_timeout(std::chrono::milliseconds total) const override {
    return total;
  }

 private:
  std::string provider_;
  std::string url_;
  Secret key_;
  std::string model_;
};

}  // namespace

std::unique_ptr<Protocol> ollama_protocol(const ProviderConfig& config) {
  return std::make_unique<OllamaProtocol>(config);
}

}  // namespace botburrow::llm
