// Anthropic's Messages API, streamed.
#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/transcript.hpp"
#include "llm/wire.hpp"
#include "net/sse.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::string_view kVersion = "2023-06-01";
constexpr std::string_view kProvider = "anthropic";
// It sends pings while it thinks.
constexpr std::chrono::seconds kIdleTimeout{60};
constexpr std::size_t kBlocksMax = 1'000;

json::object text_block(std::string_view text) {
  return {{"type", "text"}, {"text", text}};
}

std::string without_trailing_space(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

json::array assistant_content(const Turn& turn, const ToolNames& names) {
  if (!turn.provider_blocks.empty()) return turn.provider_blocks;
  json::array content;
  if (!turn.text.empty()) content.push_back(text_block(without_trailing_space(turn.text)));
  for (const auto& call : turn.calls) {
    content.push_back({{"type", "tool_use"},
                       {"id", call.id},
                       {"name", names.to_wire(call.name)},
                       {"input", call.arguments.is_object() ? call.arguments : json::object{}}});
  }
  return content;
}

json::array user_content(const Turn& turn) {
  json::array content;
  for (const auto& result : turn.results) {
    json::object block{{"type", "tool_result"}, {"tool_use_id", result.call_id}};
    block["content"] = is_blank(result.content) ? "(no output)" : std::string_view(result.content);
    if (result.is_error) block["is_error"] = true;
    content.push_back(std::move(block));
  }
  if (!turn.text.empty()) content.push_back(text_block(turn.text));
  return content;
}

json::array messages_of(const Transcript& transcript, const ToolNames& names) {
  json::array messages;
  for (const auto& turn : transcript.turns) {
    auto content = turn.assistant ? assistant_content(turn, names) : user_content(turn);
    const std::string_view role = turn.assistant ? "assistant" : "user";
    // Two assistant turns in a row (a paused answer and its rest) are one message.
    if (!messages.empty() && messages.back().at("role") == json::value(role)) {
      auto& before = messages.back().at("content").as_array();
      before.insert(before.end(), content.begin(), content.end());
    } else {
      messages.push_back({{"role", role}, {"content", std::move(content)}});
    }
  }
  return messages;
}

json::array tools_of(const ModelRequest& request, const ToolNames& names) {
  json::array tools;
  for (const auto& tool : request.tools) {
    json::object one{{"name", names.to_wire(tool.name)}};
    if (!tool.description.empty()) one["description"] = tool.description;
    one["input_schema"] = object_schema(tool.input_schema);
    tools.push_back(std::move(one));
  }
  return tools;
}

// A transcript with calls needs the tools described, also where none may be called any more.
json::array tools_of_transcript(const ModelRequest& request, const ToolNames& names) {
  json::array tools;
  std::vector<std::string> seen;
  for (const auto& message : request.messages) {
    for (const auto& call : message.tool_calls) {
      const auto wire = names.to_wire(call.name);
      if (std::ranges::find(seen, wire) != seen.end()) continue;
      seen.push_back(wire);
      tools.push_back({{"name", wire}, {"input_schema", object_schema({})}});
    }
  }
  return tools;
}

StopReason stop_of(std::string_view reason) {
  if (reason == "end_turn" || reason == "stop_sequence") return StopReason::end;
  if (reason == "tool_use") return StopReason::tool_use;
  if (reason == "max_tokens" || reason == "model_context_window_exceeded")
    return StopReason::max_tokens;
  if (reason == "refusal") return StopReason::refusal;
  if (reason == "pause_turn") return StopReason::pause;
  return StopReason::other;
}

class AnthropicReader final : public AnswerReader {
 public:
  explicit AnthropicReader(const ModelRequest& request)
      : names_(request.tools, request.messages),
        estimated_input_(estimated_tokens(request.messages, request.tools)) {}

  void feed(std::string_view bytes) override {
    if (events_ == 0 && raw_.size() < kRawMax) raw_ += bytes.substr(0, kRawMax - raw_.size());
    sse_.feed(bytes, [this](const net::SseEvent& event) { take_event(event); });
  }

  void finish() override {
    sse_.finish([this](const net::SseEvent& event) { take_event(event); });
    if (events_ == 0) take_whole();
  }

  bool complete() const override { return stopped_; }

  bool began() const override { return stopped_ || events_ > 0; }

  ModelAnswer take() override {
    ModelAnswer answer;
    bool plain = true;  // text first, then calls: told completely by the answer's own fields
    bool calls_began = false;
    json::array blocks;
    for (auto& block : blocks_) {
      if (block.value.empty()) continue;
      const auto type = string_field(block.value, "type").value_or("");
      if (type == "text") {
        if (is_blank(block.text)) continue;
        answer.text += block.text;
        block.value["text"] = block.text;
        if (calls_began || block.value.size() > 2) plain = false;
      } else if (type == "tool_use") {
        calls_began = true;
        ToolCall call{.id = string_field(block.value, "id").value_or(""),
                      .name = names_.from_wire(string_field(block.value, "name").value_or(""))};
        // Of the object itself: a json::value made of it would be a copy, gone before it is read.
        const auto* given = block.value.if_contains("input");
        if (!block.text.empty())
          set_arguments_text(call, block.text);
        else
          set_arguments(call, given != nullptr ? *given : json::value());
        block.value["input"] = call.arguments;
        answer.tool_calls.push_back(std::move(call));
      } else {
        plain = false;
      }
      blocks.push_back(std::move(block.value));
    }
    if (!plain) answer.provider_blocks = std::move(blocks);
    answer.stop = stop_of(stop_reason_);
    answer.usage = usage_;
    settle(answer, estimated_input_);
    return answer;
  }

 private:
  static constexpr std::size_t kRawMax = 4u << 20;

  struct Block {
    json::object value;
    std::string text;  // of text, or the JSON of a call's input
  };

  void take_event(const net::SseEvent& event) {
    ++events_;
    const auto data = try_parse_json(event.data);
    if (!data || !data->is_object()) {
      throw Error(errc::protocol, "anthropic: an event of the stream is no JSON object",
                  Retry::after_backoff);
    }
    const auto type = string_field(*data, "type").value_or(event.event);
    if (type == "message_start") {
      if (const auto* message = find_field(*data, "message")) take_usage(*message);
    } else if (type == "content_block_start") {
      start_block(*data);
    } else if (type == "content_block_delta") {
      take_delta(*data);
    } else if (type == "message_delta") {
      if (const auto* delta = find_field(*data, "delta")) {
        if (auto reason = string_field(*delta, "stop_reason")) stop_reason_ = *std::move(reason);
      }
      take_usage(*data);
    } else if (type == "message_stop") {
      stopped_ = !stop_reason_.empty();
    } else if (type == "error") {
      throw error_in_stream(kProvider, vendor_error_in(*data));
    }  // ping and whatever comes later: nothing to do
  }

  Block& block_at(const json::value& data) {
    const auto index = int_field(data, "index").value_or(-1);
    if (index < 0 || index >= static_cast<std::int64_t>(kBlocksMax)) {
      throw Error(errc::protocol, fmt::format("anthropic: block index {} in the stream", index),
                  Retry::after_backoff);
    }
    if (blocks_.size() <= static_cast<std::size_t>(index)) {
      blocks_.resize(static_cast<std::size_t>(index) + 1);
    }
    return blocks_[static_cast<std::size_t>(index)];
  }

  void start_block(const json::value& data) {
    const auto* content = find_field(data, "content_block");
    if (content == nullptr || !content->is_object()) return;
    Block& block = block_at(data);
    block.value = content->get_object();
    block.text =
        string_field(*content, "type") == "text" ? string_field(*content, "text").value_or("") : "";
  }

  void take_delta(const json::value& data) {
    const auto* delta = find_field(data, "delta");
    if (delta == nullptr) return;
    Block& block = block_at(data);
    const auto type = string_field(*delta, "type").value_or("");
    if (type == "text_delta") {
      if (block.value.empty()) block.value = text_block("");
      block.text += string_field(*delta, "text").value_or("");
    } else if (type == "input_json_delta") {
      block.text += string_field(*delta, "partial_json").value_or("");
    } else if (type == "thinking_delta") {
      append(block, "thinking", string_field(*delta, "thinking").value_or(""));
    } else if (type == "signature_delta") {
      append(block, "signature", string_field(*delta, "signature").value_or(""));
    } else if (type == "citations_delta") {
      const auto* citation = find_field(*delta, "citation");
      auto& citations = block.value["citations"];
      if (!citations.is_array()) citations = json::array{};
      if (citation != nullptr) citations.get_array().push_back(*citation);
    }
  }

  static void append(Block& block, std::string_view field, std::string_view text) {
    auto& target = block.value[field];
    if (!target.is_string()) target = "";
    target.get_string().append(json::string_view(text.data(), text.size()));
  }

  // Counts in message_delta are totals, not additions.
  void take_usage(const json::value& holder) {
    const auto* usage = find_field(holder, "usage");
    if (usage == nullptr) return;
    const auto take = [&](std::string_view name, std::int64_t& target) {
      if (const auto count = int_field(*usage, name)) target = std::max<std::int64_t>(0, *count);
    };
    take("input_tokens", plain_input_);
    take("cache_read_input_tokens", usage_.cache_read);
    take("cache_creation_input_tokens", usage_.cache_write);
    take("output_tokens", usage_.output);
    usage_.input = plain_input_ + usage_.cache_read + usage_.cache_write;
  }

  // A server that ignores `stream` answers one JSON object.
  void take_whole() {
    const auto whole = try_parse_json(raw_);
    if (!whole || !whole->is_object()) return;
    if (find_field(*whole, "error") != nullptr)
      throw error_in_stream(kProvider, vendor_error_in(*whole));
    if (find_field(*whole, "content") == nullptr) return;
    for (const auto& content : array_field(*whole, "content")) {
      if (!content.is_object() || blocks_.size() >= kBlocksMax) continue;
      blocks_.push_back({content.get_object(), string_field(content, "text").value_or("")});
    }
    stop_reason_ = string_field(*whole, "stop_reason").value_or("end_turn");
    take_usage(*whole);
    stopped_ = true;
  }

  ToolNames names_;
  std::int64_t estimated_input_;
  net::SseParser sse_;
  std::string raw_;
  std::size_t events_ = 0;
  std::vector<Block> blocks_;
  std::string stop_reason_;
  std::int64_t plain_input_ = 0;
  Usage usage_;
  bool stopped_ = false;
};

class AnthropicProtocol final : public Protocol {
 public:
  explicit AnthropicProtocol(const ProviderConfig& config)
      : url_(config.api_base + (config.api_base.ends_with("/v1") ? "/messages" : "/v1/messages")),
        key_(config.key),
        model_(config.model) {}

  WireRequest build(const ModelRequest& request, const Quirks& quirks) const override {
    const ToolNames names(request.tools, request.messages);
    const auto transcript = arranged(request.messages, kProvider);
    json::object body{{"model", request.model.empty() ? model_ : request.model},
                      {"max_tokens", std::max(1, request.max_tokens)},
                      {"stream", true}};
    if (!quirks.no_temperature) body["temperature"] = std::clamp(request.temperature, 0.0, 1.0);
    if (!transcript.system.empty()) body["system"] = transcript.system;
    auto tools = tools_of(request, names);
    bool may_call = request.may_call_tools;
    if (tools.empty()) {
      tools = tools_of_transcript(request, names);
      may_call = false;
    }
    if (!tools.empty()) {
      body["tools"] = std::move(tools);
      if (!may_call) body["tool_choice"] = json::object{{"type", "none"}};
    }
    body["messages"] = messages_of(transcript, names);
    WireRequest out{.url = url_, .body = to_json(body)};
    out.headers = {{"content-type", "application/json"},
                   {"accept", "text/event-stream"},
                   {"anthropic-version", std::string(kVersion)}};
    if (!key_.empty()) out.headers.emplace_back("x-api-key", key_.reveal());
    return out;
  }

  std::unique_ptr<AnswerReader> reader(const ModelRequest& request) const override {
    return std::make_unique<AnthropicReader>(request);
  }

  std::optional<Quirks> learn(const ModelRequest&, const VendorError& error,
                              Quirks quirks) const override {
    if (quirks.no_temperature || error.message.find("temperature") == std::string::npos) return {};
    quirks.no_temperature = true;
    return quirks;
  }

  std::chrono::milliseconds idle_timeout(std::chrono::milliseconds total) const override {
    return std::min<std::chrono::milliseconds>(kIdleTimeout, total);
  }

 private:
  std::string url_;
  Secret key_;
  std::string model_;
};

}  // namespace

std::unique_ptr<Protocol> anthropic_protocol(const ProviderConfig& config) {
  return std::make_unique<AnthropicProtocol>(config);
}

}  // namespace botburrow::llm
