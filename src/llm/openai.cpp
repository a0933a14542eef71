// Chat completions as OpenAI speaks them, and the many servers that speak like it: Google,
// DeepSeek, vLLM, llama.cpp, proxies.
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
// Longer descriptions are refused by OpenAI itself.
constexpr std::size_t kDescriptionBytesMax = 1'024;
constexpr std::size_t kRawMax = 4u << 20;

// Text as a string, or as the list of parts that some servers send.
std::string content_text(const json::value* content) {
  if (content == nullptr) return {};
  if (const auto* text = content->if_string()) return {text->data(), text->size()};
  std::string out;
  if (const auto* parts = content->if_array()) {
    for (const auto& part : *parts)
      out += string_field(part, "text").value_or("");
  }
  return out;
}

json::object call_to_wire(const ToolCall& call, const Turn& turn, const ToolNames& names) {
  json::object out{
      {"id", call.id},
      {"type", "function"},
      {"function", {{"name", names.to_wire(call.name)}, {"arguments", to_json(call.arguments)}}}};
  // Google wants its thought signatures back with the call they came with.
  for (const auto& block : turn.provider_blocks) {
    const auto* extra = find_field(block, "extra_content");
    if (extra != nullptr && string_field(block, "id") == call.id) out["extra_content"] = *extra;
  }
  return out;
}

void append_turn(json::array& messages, const Turn& turn, const ToolNames& names) {
  if (turn.assistant) {
    json::object message{{"role", "assistant"}};
    message["content"] = turn.text.empty() ? json::value() : json::value(turn.text);
    if (!turn.calls.empty()) {
      json::array calls;
      for (const auto& call : turn.calls)
        calls.push_back(call_to_wire(call, turn, names));
      message["tool_calls"] = std::move(calls);
    } else if (turn.text.empty()) {
      return;
    }
    messages.push_back(std::move(message));
    return;
  }
  for (const auto& result : turn.results) {
    const std::string prefix =
        result.is_error && !result.content.starts_with("Error") ? "Error: " : "";
    messages.push_back(
        {{"role", "tool"},
         {"tool_call_id", result.call_id},
         {"content", is_blank(result.content) ? "(no output)" : prefix + result.content}});
  }
  if (!turn.text.empty()) messages.push_back({{"role", "user"}, {"content", turn.text}});
}

json::array tools_of(const ModelRequest& request, const ToolNames& names) {
  json::array tools;
  for (const auto& tool : request.tools) {
    json::object function{{"name", names.to_wire(tool.name)}};
    if (!tool.description.empty())
      function["description"] = utf8_prefix(tool.description, kDescriptionBytesMax);
    function["parameters"] = object_schema(tool.input_schema);
    tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return tools;
}

StopReason stop_of(std::string_view reason) {
  if (reason == "stop" || reason == "eos") return StopReason::end;
  if (reason == "tool_calls" || reason == "function_call") return StopReason::tool_use;
  if (reason == "length") return StopReason::max_tokens;
  if (reason == "content_filter") return StopReason::content_filter;
  return StopReason::other;
}

class OpenAiReader final : public AnswerReader {
 public:
  OpenAiReader(std::string provider, const ModelRequest& request)
      : provider_(std::move(provider)),
        names_(request.tools, request.messages),
        first_call_(calls_in(request.messages) + 1),
        estimated_input_(estimated_tokens(request.messages, request.tools)) {}

  void feed(std::string_view bytes) override {
    if (events_ == 0 && raw_.size() < kRawMax) raw_ += bytes.substr(0, kRawMax - raw_.size());
    sse_.feed(bytes, [this](const net::SseEvent& event) { take_event(event); });
  }

  void finish() override {
    sse_.finish([this](const net::SseEvent& event) { take_event(event); });
    if (events_ == 0) take_whole();
  }

  // Some servers leave out `[DONE]`, some the reason; one of the two says that the answer is whole.
  bool complete() const override { return done_ || !finish_reason_.empty(); }

  bool began() const override { return done_ || events_ > 0; }

  ModelAnswer take() override {
    ModelAnswer answer;
    answer.text = is_blank(text_) ? "" : std::move(text_);
    answer.stop = finish_reason_.empty() ? StopReason::end : stop_of(finish_reason_);
    if (!refusal_.empty()) {
      if (answer.text.empty()) answer.text = refusal_;
      answer.stop = StopReason::refusal;
    }
    for (auto& call : calls_) {
      ToolCall out{.id = call.id.empty()
                             ? fmt::format("call_{}", first_call_ + answer.tool_calls.size())
                             : call.id,
                   .name = names_.from_wire(call.name)};
      set_arguments_text(out, call.arguments);
      if (!call.extra.is_null()) {
        answer.provider_blocks.push_back({{"id", out.id}, {"extra_content", call.extra}});
      }
      answer.tool_calls.push_back(std::move(out));
    }
    answer.usage = usage_;
    settle(answer, estimated_input_);
    answer.text = without_thinking(std::move(answer.text), answer.stop == StopReason::max_tokens);
    return answer;
  }

 private:
  struct Call {
    std::int64_t index = 0;
    std::string id, name, arguments;
    json::value extra;
  };

  void take_event(const net::SseEvent& event) {
    ++events_;
    if (event.data == "[DONE]") {
      done_ = true;
      return;
    }
    const auto data = try_parse_json(event.data);
    if (!data || !data->is_object()) {
      throw Error(errc::protocol, provider_ + ": an event of the stream is no JSON object",
                  Retry::after_backoff);
    }
    if (find_field(*data, "error") != nullptr)
      throw error_in_stream(provider_, vendor_error_in(*data));
    take_usage(*data);
    for (const auto& choice : array_field(*data, "choices")) {
      if (int_field(choice, "index").value_or(0) != 0) continue;
      if (const auto* delta = find_field(choice, "delta")) take_message(*delta);
      take_reason(choice);
    }
  }

  void take_reason(const json::value& choice) {
    if (auto reason = string_field(choice, "finish_reason"); reason && !reason->empty()) {
      finish_reason_ = *std::move(reason);
    }
  }

  void take_message(const json::value& message) {
    text_ += content_text(find_field(message, "content"));
    refusal_ += string_field(message, "refusal").value_or("");
    for (const auto& call : array_field(message, "tool_calls"))
      take_call(call);
  }

  void take_call(const json::value& delta) {
    Call& call = call_for(delta);
    if (auto id = string_field(delta, "id"); id && !id->empty()) call.id = *std::move(id);
    if (const auto* extra = find_field(delta, "extra_content")) call.extra = *extra;
    const auto* function = find_field(delta, "function");
    if (function == nullptr) return;
    if (call.name.empty()) call.name = string_field(*function, "name").value_or("");
    if (const auto* arguments = find_field(*function, "arguments")) {
      if (const auto* piece = arguments->if_string())
        call.arguments.append(piece->data(), piece->size());
      else if (!arguments->is_null())
        call.arguments = to_json(*arguments);
    }
  }

  // Pieces of one call share an index. Some servers give every call index 0, or none at all, and
  // begin a new call with a new id and name.
  Call& call_for(const json::value& delta) {
    const auto index = int_field(delta, "index");
    const auto id = string_field(delta, "id").value_or("");
    const auto* function = find_field(delta, "function");
    const bool named = function != nullptr && !string_field(*function, "name").value_or("").empty();
    for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
      if (index ? call->index != *index : call != calls_.rbegin()) continue;
      const bool another = named && !call->name.empty() && (id.empty() ? !index : id != call->id);
      if (another) break;
      return *call;
    }
    if (calls_.size() >= kCallsMax) {
      throw Error(errc::protocol,
                  fmt::format("{}: over {} tool calls in one answer", provider_, kCallsMax));
    }
    calls_.push_back({.index = index.value_or(static_cast<std::int64_t>(calls_.size()))});
    return calls_.back();
  }

  void take_usage(const json::value& holder) {
    const auto* usage = find_field(holder, "usage");
    if (usage == nullptr || !usage->is_object()) return;
    usage_.input =
        std::max<std::int64_t>(0, int_field(*usage, "prompt_tokens").value_or(usage_.input));
    usage_.output =
        std::max<std::int64_t>(0, int_field(*usage, "completion_tokens").value_or(usage_.output));
    if (const auto* details = find_field(*usage, "prompt_tokens_details")) {
      usage_.cache_read =
          std::max<std::int64_t>(0, int_field(*details, "cached_tokens").value_or(0));
    }
  }

  // A server that ignores `stream` answers one JSON object.
  void take_whole() {
    const auto whole = try_parse_json(raw_);
    if (!whole) return;
    if (find_field(*whole, "error") != nullptr)
      throw error_in_stream(provider_, vendor_error_in(*whole));
    const auto& choices = array_field(*whole, "choices");
    if (choices.empty()) return;
    if (const auto* message = find_field(choices.front(), "message")) take_message(*message);
    take_reason(choices.front());
    take_usage(*whole);
    done_ = true;
  }

  std::string provider_;
  ToolNames names_;
  std::size_t first_call_;
  std::int64_t estimated_input_;
  net::SseParser sse_;
  std::string raw_;
  std::size_t events_ = 0;
  std::string text_, refusal_, finish_reason_;
  std::vector<Call> calls_;
  Usage usage_;
  bool done_ = false;
};

class OpenAiProtocol final : public Protocol {
 public:
  explicit OpenAiProtocol(const ProviderConfig& config)
      : provider_(config.provider),
        url_(config.api_base.ends_with("/chat/completions")
                 ? config.api_base
                 : config.api_base + "/chat/completions"),
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
                      {"stream", true}};
    body[quirks.max_completion_tokens ? "max_completion_tokens" : "max_tokens"] =
        std::max(1, request.max_tokens);
    if (!quirks.no_temperature) body["temperature"] = std::clamp(request.temperature, 0.0, 2.0);
    if (!quirks.no_stream_options) body["stream_options"] = json::object{{"include_usage", true}};
    if (!request.tools.empty() && !quirks.no_tools) {
      body["tools"] = tools_of(request, names);
      if (!request.may_call_tools) body["tool_choice"] = "none";
    }
    WireRequest out{.url = url_, .body = to_json(body)};
    out.headers = {{"content-type", "application/json"}, {"accept", "text/event-stream"}};
    if (!key_.empty()) out.headers.emplace_back("authorization", "Bearer " + key_.reveal());
    return out;
  }

  std::unique_ptr<AnswerReader> reader(const ModelRequest& request) const override {
    return std::make_unique<OpenAiReader>(provider_, request);
  }

  std::optional<Quirks> learn(const ModelRequest& request, const VendorError& error,
                              Quirks quirks) const override {
    const auto names = [&](std::string_view word) {
      return error.message.find(word) != std::string::npos;
    };
    if (!quirks.max_completion_tokens && names("max_tokens")) {
      quirks.max_completion_tokens = true;
      return quirks;
    }
    if (!quirks.no_stream_options && (names("stream_options") || names("include_usage"))) {
      quirks.no_stream_options = true;
      return quirks;
    }
    if (!quirks.no_temperature && names("temperature")) {
      quirks.no_temperature = true;
      return quirks;
    }
    if (!quirks.no_tools && !request.tools.empty() && refuses_tools(error)) {
      quirks.no_tools = true;
      return quirks;
    }
    return {};
  }

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

std::unique_ptr<Protocol> openai_protocol(const ProviderConfig& config) {
  return std::make_unique<OpenAiProtocol>(config);
}

}  // namespace botburrow::llm
