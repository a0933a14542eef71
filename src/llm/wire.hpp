#pragma once

#include "base/error.hpp"
#include "llm/model.hpp"
#include "llm/providers.hpp"
#include "llm/tool_names.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::llm {

/// What a server turned out not to understand; learnt from its 400 answers and kept for a model.
struct Quirks {
  bool max_completion_tokens = false;  ///< instead of max_tokens
  bool no_temperature = false;
  bool no_stream_options = false;
  bool no_tools = false;
  friend bool operator==(const Quirks&, const Quirks&) = default;
};

/// One HTTP request of a protocol.
struct WireRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// Reads one streamed answer, in whatever pieces it comes. Throws Error for what the stream says
/// went wrong; never waits.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  virtual void feed(std::string_view bytes) = 0;
  /// The stream ended properly.
  virtual void finish() = 0;
  /// True once nothing is missing from the answer.
  virtual bool complete() const = 0;
  /// True once anything in the protocol's own form was read. False behind a whole body: whoever
  /// answered speaks something else.
  virtual bool began() const = 0;
  /// Only when complete, and once.
  virtual ModelAnswer take() = 0;
};

/// A vendor's words on a failed request.
struct VendorError {
  std::string message;  ///< may be empty
  std::string type;     ///< its own code, such as `overloaded_error` or `insufficient_quota`
};

/// How a vendor wants to be spoken to. Pure: no clock, no socket.
class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual WireRequest build(const ModelRequest& request, const Quirks& quirks) const = 0;
  /// The reader keeps nothing of `request` but names and sizes.
  virtual std::unique_ptr<AnswerReader> reader(const ModelRequest& request) const = 0;
  /// What to do otherwise after this refusal; nothing where no other way is known.
  virtual std::optional<Quirks> learn(const ModelRequest& request, const VendorError& error,
                                      Quirks quirks) const = 0;
  /// Silence that ends a stream.
  virtual std::chrono::milliseconds idle_timeout(std::chrono::milliseconds total) const = 0;
};

std::unique_ptr<Protocol> anthropic_protocol(const ProviderConfig& config);
std::unique_ptr<Protocol> openai_protocol(const ProviderConfig& config);
std::unique_ptr<Protocol> ollama_protocol(const ProviderConfig& config);

/// Understands `{"error":{"message","type"|"code"}}`, `{"error":"…"}`, `{"message":"…"}`,
/// `{"detail":"…"|[{"loc","msg"}]|{…}}`, `[{"error":…}]` and plain text; of other JSON, the
/// beginning as it is. HTML says nothing to an operator, and gives nothing.
VendorError parse_vendor_error(std::string_view body);
VendorError vendor_error_in(const json::value& body);

/// Text for a message: one line without controls, of at most `bytes_max` bytes.
std::string one_line(std::string_view text, std::size_t bytes_max);

/// True where a server says that the model, or the server as it was started, takes no tools.
bool refuses_tools(const VendorError& error);

/// The error that a vendor reports inside a stream that began with 200.
Error error_in_stream(std::string_view provider, const VendorError& error);

/// A model's tool arguments: an object, or malformed. Blank text and `null` are no arguments.
void set_arguments_text(ToolCall& call, std::string_view json_text);
void set_arguments(ToolCall& call, const json::value& value);

/// Settles what all protocols share: a cut last call is malformed, calls decide the stop reason
/// where the vendor says `end`, usage is estimated where none came.
void settle(ModelAnswer& answer, std::int64_t estimated_input);

/// An object's schema as vendors insist on: `type` object, `properties` present.
json::object object_schema(const json::value& input_schema);

}  // namespace botburrow::llm
