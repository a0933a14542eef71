#pragma once

#include "base/task.hpp"
#include "mcp/call_clock.hpp"
#include "mcp/json_rpc.hpp"
#include "net/http_client.hpp"

#include <functional>
#include <string>

namespace botburrow::mcp {

/// Hears what a server says on its own. Called on the io thread; must not throw.
class ChannelListener {
 public:
  virtual ~ChannelListener() = default;
  virtual void heard(const Message& notification) = 0;
  /// A request of the server: the message to send back.
  virtual std::string answer(const Message& request) = 0;
};

/// One request of ours.
struct Exchange {
  std::int64_t id = 0;
  std::string method;
  json::object params;
  net::HttpHeaders headers;  ///< over HTTP, besides those of the transport
  CallTimes times;
  std::function<void(const Message& progress)> on_progress;  ///< may be empty
  bool cancellable = true;  ///< false for `initialize`: the protocol forbids it
};

/// The way to one server. Requests may overlap.
class Channel {
 public:
  virtual ~Channel() = default;

  /// Before anything else; the listener outlives the channel.
  virtual void attach(ChannelListener& listener) = 0;

  /// Sends the request and waits for its answer, a result or an error. Throws
  ///   Error{timeout}: by the request's times; the server has been told to stop;
  ///   Error{mcp_unavailable, after_backoff}: the server is gone or cannot be reached; detail
  ///     `not_sent` where the request has certainly not reached it;
  ///   Error{limit}: the answer is too large; Error{protocol}: it is none.
  /// Cancelling tells the server as well.
  virtual Task<Message> exchange(Exchange request) = 0;
  virtual Task<> notify(std::string method, json::object params, Deadline deadline) = 0;

  /// The revision that was agreed on.
  virtual void speaks(std::string_view revision) = 0;
  /// Asks to hear of changes of the list of tools: with the request `subscriptions/listen` of these
  /// parameters, or, id 0, in the way of the older era.
  virtual void listen_for_changes(std::int64_t id, json::object params) = 0;

  /// Whether requests carry headers: the transport is HTTP.
  virtual bool uses_headers() const = 0;
  virtual bool alive() const = 0;
  /// What the server complained of, for people: the end of its stderr; empty where there is none.
  virtual std::string complaints() const = 0;
  /// Ends it: nothing is left of it afterwards. Safe to repeat; has to be awaited before the
  /// channel is destroyed. Not cancelled itself.
  virtual Task<> close() = 0;
};

}  // namespace botburrow::mcp
