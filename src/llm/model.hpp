#pragma once

#include "base/json.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::llm {

/// JSON that many hold and nobody changes: copies share it.
class SharedJson {
 public:
  SharedJson() : SharedJson(json::value()) {}
  SharedJson(json::value value) : value_(std::make_shared<const json::value>(std::move(value))) {}
  SharedJson(std::initializer_list<boost::json::value_ref> fields)
      : SharedJson(json::value(fields)) {}
  operator const json::value&() const { return *value_; }

 private:
  std::shared_ptr<const json::value> value_;
};

/// A tool as it is offered to a model. `name` is ours and may hold anything; what a vendor gets is
/// a sanitised form, and answers come back under our name.
struct ToolSpec {
  std::string name;
  std::string description;
  SharedJson input_schema;  ///< JSON Schema of an object
};

/// A model's wish to call a tool.
struct ToolCall {
  std::string id;         ///< the vendor's; made up (`call_7`) where the vendor gives none
  std::string name;       ///< ours where the tool is known, else as the model wrote it
  json::value arguments;  ///< always an object; empty where malformed
  /// The raw text where the arguments are no JSON object, or were cut by max_tokens: such a call
  /// must not be run; answer it with an error result.
  std::optional<std::string> malformed;
};

/// What a tool call came to.
struct ToolResult {
  std::string call_id;
  std::string tool_name;
  std::string content;
  bool is_error = false;
};

enum class Role { system, user, assistant, tool };

struct ModelAnswer;

/// One entry of a transcript. Order rules of vendors (alternation, results directly after their
/// calls, no empty texts) are kept when a request is built, so a transcript may simply be appended
/// to: assistant message, one tool message with the results of all its calls, and so on.
struct Message {
  Role role = Role::user;
  std::string text;
  std::vector<ToolCall> tool_calls;      ///< assistant only
  std::vector<ToolResult> tool_results;  ///< tool only
  /// Content a vendor wants back verbatim (thinking blocks and the like), and whose it is.
  json::array provider_blocks;
  std::string provider_blocks_of;

  static Message system(std::string text);
  static Message user(std::string text);
  /// The answer as the next entry of the transcript.
  static Message assistant(const ModelAnswer& answer);
  static Message tool(std::vector<ToolResult> results);
};

struct ModelRequest {
  std::string model;  ///< empty = the model the provider was configured with
  std::vector<Message> messages;
  std::vector<ToolSpec> tools;
  /// False: the tools are described (the transcript refers to them) but must not be called now.
  bool may_call_tools = true;
  int max_tokens = 4096;
  double temperature = 0.7;
  /// Size of the prompt in tokens as far as the caller knows; 0 = estimated from its length. Sets
  /// the context window of local models.
  std::int64_t context_tokens_hint = 0;
};

/// Tokens as the vendor counted them. `input` is all input; the cache counts are parts of it.
struct Usage {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write = 0;
  bool estimated = false;  ///< the vendor gave none: length / 4

  Usage& operator+=(const Usage& other);
  friend bool operator==(const Usage&, const Usage&) = default;
};

enum class StopReason {
  end,
  tool_use,
  max_tokens,      ///< cut: the last tool call, if any, is marked malformed
  refusal,         ///< the model declines
  pause,           ///< send the transcript with this answer again to let it go on
  content_filter,  ///< the vendor withheld the answer
  other,
};

struct ModelAnswer {
  std::string text;
  std::vector<ToolCall> tool_calls;
  StopReason stop = StopReason::end;
  Usage usage;
  std::string model;     ///< the one that was asked for, whatever alias the vendor answers with
  std::string provider;  ///< `anthropic`, `openai`, `ollama`, `offline`, …
  bool offline = false;  ///< the offline model wrote this; costs nothing
  /// What it cost in USD, where whoever answered says so; else the price table does.
  std::optional<double> cost_usd;
  /// Why there is no answer although it was paid for: a command-line agent ended badly. Empty for
  /// every other answer.
  std::string failure;
  json::array provider_blocks;
};

/// A language model. Holds no conversation: calls are independent and may overlap.
class Model {
 public:
  virtual ~Model() = default;

  /// One answer to the whole transcript, retried as configured but never past `deadline`. `request`
  /// stays the caller's, who awaits in the same statement.
  /// Cancelling ends the exchange at once. Throws Error:
  ///   model_auth (never): 401, 403 or no key; the text names the variable that holds the key;
  ///   model_rate_limited (after_backoff, retry_after where the vendor said one);
  ///   model_unavailable: not reachable, 5xx, cut streams (after_backoff), or no credit left
  ///     (never, detail `insufficient_quota`);
  ///   model_refused_request (never): the vendor's words on what is wrong with the request;
  ///   timeout (after_backoff): `deadline` or the time of one request is over.
  virtual Task<ModelAnswer> complete(const ModelRequest& request, Deadline deadline) = 0;

  /// The provider's name for messages and metrics.
  virtual std::string_view provider() const = 0;
};

std::string_view name_of(Role role);
std::string_view name_of(StopReason stop);

/// For journals. Reading what these wrote gives an equal value; from_json throws Error{bad_input}
/// that names the field.
json::value to_json_value(const Message& message);
json::value to_json_value(const ModelAnswer& answer);
json::value to_json_value(const ToolCall& call);
json::value to_json_value(const ToolResult& result);
Message message_from_json(const json::value& value);
ModelAnswer answer_from_json(const json::value& value);
ToolCall tool_call_from_json(const json::value& value);
ToolResult tool_result_from_json(const json::value& value);

/// About four bytes a token: for prompts before they are sent and for models that do not count.
std::int64_t estimated_tokens(std::string_view text);
std::int64_t estimated_tokens(const std::vector<Message>& messages,
                              const std::vector<ToolSpec>& tools);

}  // namespace botburrow::llm
