#pragma once

#include "base/task.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::test {

/// A vendor of language models for tests and load runs. One address speaks all protocols:
///   POST …/v1/messages           Anthropic, streamed and whole
///   POST …/chat/completions      OpenAI style, streamed and whole
///   POST …/api/chat              Ollama, NDJSON and whole;  GET …/api/tags
///
/// It refuses what vendors refuse, in their words: wrong keys, missing fields, bad tool names,
/// results without calls, calls without results, empty texts, wrong order. It listens on a socket
/// of its own rather than through our HTTP server, so that it can also fail below HTTP.
class LlmSimulator {
 public:
  enum class Protocol { anthropic, openai, ollama };

  /// A request that passed or failed validation.
  struct Request {
    Protocol protocol = Protocol::anthropic;
    std::string path;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    boost::json::value body;
    std::string raw_body;
    int answered_status = 0;  ///< 0 while none was sent

    std::string header(std::string_view lower_case_name) const;
    /// The text of the last user message, in any protocol.
    std::string last_user_text() const;
    /// The system prompt's text.
    std::string system_text() const;
    /// Names of the tools offered.
    std::vector<std::string> tool_names() const;
    /// True where the last entry of the transcript holds tool results.
    bool ends_with_tool_results() const;
  };

  struct Call {
    std::string name;
    boost::json::value arguments = boost::json::object{};
    /// Sent instead of the arguments' JSON text, e.g. something broken.
    std::optional<std::string> raw_arguments;
  };

  /// What goes wrong with one answer.
  enum class Fault {
    none,
    reset_before_answer,  ///< the connection is reset after the request was read
    close_before_answer,  ///< closed without a byte
    cut,                  ///< the stream ends after half its bytes
    stall,                ///< half the stream, then silence until the peer leaves
    silence,              ///< no byte at all until the peer leaves
    garbage,              ///< events that are no JSON
    error_event,          ///< the vendor's overload error inside the stream
    no_end,               ///< the stream ends properly, but its last events are missing
  };

  struct Answer {
    std::string text;
    std::vector<Call> calls;
    std::string stop;  ///< the vendor's word; empty = what fits text and calls
    std::int64_t input_tokens = 11;
    std::int64_t output_tokens = 7;
    std::int64_t cache_read_tokens = 0;
    bool send_usage = true;
    /// Anthropic: content blocks that come before text and calls, e.g. thinking.
    boost::json::array blocks_before;
    std::chrono::milliseconds delay{0};  ///< before the head is sent
    std::size_t chunk_bytes = 0;         ///< pieces the body is written in; 0 = one event a piece
    std::chrono::milliseconds chunk_delay{0};
    Fault fault = Fault::none;
    int status = 200;  ///< others answer an error body in the vendor's form
    std::string error_message = "simulated error";
    std::string error_type;  ///< the vendor's code; empty = what fits the status
    std::vector<std::pair<std::string, std::string>> headers;  ///< e.g. retry-after
    /// Sent as the whole body instead of what the vendor would say, with any status.
    std::optional<std::string> body;
    std::string content_type = "application/json";  ///< of `body`

    static Answer say(std::string text);
    static Answer call(std::string tool, boost::json::value arguments = boost::json::object{});
    static Answer whole(int status, std::string body,
                        std::string content_type = "application/json");
    static Answer error(int status, std::string message = "simulated error");
    static Answer broken(Fault fault);
  };

  using Script = std::function<Answer(const Request&)>;

  struct Options {
    std::string host = "127.0.0.1";
    int port = 0;                       ///< 0 = any
    std::string key = "simulated-key";  ///< asked for as the vendors do; empty = any or none
    bool validate = true;
    std::vector<std::string> ollama_models{"llama3.2:3b"};
    /// Models (OpenAI style) that refuse `max_tokens`, or any temperature but 1.
    std::vector<std::string> reasoning_models{"o3-mini", "gpt-5"};
    std::size_t ledger_max = 100'000;  ///< requests kept; bodies of older ones are dropped
    bool keep_bodies = true;
  };

  LlmSimulator(boost::asio::any_io_executor executor, Options options);
  /// stop() must have been awaited if start() was called.
  ~LlmSimulator();
  LlmSimulator(const LlmSimulator&) = delete;

  /// Binds and listens; throws on failure.
  void start();
  Task<> stop();
  std::string url() const;
  int port() const;

  /// Answers given in turn before the script is asked.
  void queue(Answer answer);
  /// What to answer when the queue is empty; by default a text that names the last user message.
  void script(Script script);

  // The ledger.
  std::size_t requests() const;     ///< all that arrived whole, valid or not
  std::size_t rejected() const;     ///< answered 4xx by validation
  std::size_t connections() const;  ///< open now
  std::size_t waiting_max() const;  ///< most requests that were being answered at one time
  const std::vector<Request>& ledger() const;
  const Request& last() const;
  /// Waits until `count` requests have arrived; throws Error{timeout} after `within`.
  Task<> wait_for_requests(std::size_t count,
                           std::chrono::milliseconds within = std::chrono::seconds(5));
  void forget();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace botburrow::test
