#pragma once

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "net/http_client.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::net {

/// A request as a handler sees it.
struct ServerRequest {
  std::string method;
  std::string path;  ///< decoded, without the query
  std::string raw_target;
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in order
  std::map<std::string, std::string> params;               ///< `:name` parts of the route, decoded
  HttpHeaders headers;                                     ///< names in lower case
  std::string body;
  std::string peer_address;
  bool peer_is_loopback = false;
  std::string route;  ///< the route's template, e.g. /posts/:id: for metrics

  std::optional<std::string> header(std::string_view lower_case_name) const;
  std::optional<std::string> query_value(std::string_view name) const;
};

/// A whole answer. Content-Length, Date and Connection are added by the server.
struct ServerResponse {
  int status = 200;
  HttpHeaders headers;
  std::string body;

  static ServerResponse text(int status, std::string body, std::string content_type);
  static ServerResponse json(int status, std::string body) {
    return text(status, std::move(body), "application/json");
  }
  /// `{"detail":text,"error":text,"code":code}`: the form of every refusal.
  static ServerResponse problem(int status, std::string_view code, std::string_view text);
};

/// Writes a streamed body (server-sent events).
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  /// Sends the head with the first call (an empty text sends only that), then `bytes`. Throws
  /// Error{http_unavailable} when the peer is gone or takes nothing for `write_timeout`.
  virtual Task<> write(std::string bytes) = 0;
  /// A whole answer takes the place of the stream, sent when the handler returns. Only before the
  /// first write, and nothing is written after it.
  virtual void answer(ServerResponse response) = 0;
};

/// Listens on one address and serves requests through a router.
///
/// Limits: request line 8 KiB, headers 32 KiB in all, body per route, 15 s for a request to arrive
/// once begun, 75 s idle between requests, `connections_max` at once. When that many are there, the
/// one that has waited longest, of the address that holds the most, gives way to a newcomer: idle,
/// in the middle of sending a request, or taking nothing of its answer for 2 s. None that is being
/// answered does; if all are, the newcomer gets 503. Streams (GET) have `streams_max` places among
/// these; beyond it the address with the most loses its oldest to one that has fewer, else 503.
/// Broken requests are answered 400, 413, 414 or 431 and closed. HEAD is answered by the GET
/// handler without its body. An unknown path is 404 and a known path with another method 405 with
/// Allow, as JSON `{"detail","error","code"}` bodies. A handler that throws Error is answered
/// through `on_error`, anything else is 500 without detail.
///
/// A peer that disconnects, or closes its sending side, cancels the handler of its request, also
/// while that waits; the observer then sees status 499.
class HttpServer {
 public:
  using Handler = std::function<Task<ServerResponse>(ServerRequest)>;
  /// Streams until it returns. An Error thrown before the first write is answered as for handlers.
  using StreamHandler = std::function<Task<>(ServerRequest, ResponseStream&)>;
  /// Sees each finished exchange: for metrics and access logs.
  using Observer = std::function<void(const ServerRequest&, int status, std::chrono::nanoseconds)>;

  struct Options {
    std::string host = "127.0.0.1";
    int port = 0;                            ///< 0 = any
    std::size_t connections_max = 1024;      ///< and no more than 3/4 of the descriptors allowed
    std::size_t streams_max = 0;             ///< of these; 0 = half of them
    std::size_t body_bytes_max = 64u << 10;  ///< for routes without one of their own
    std::chrono::milliseconds read_timeout{15'000};   ///< from a request's first byte to its last
    std::chrono::milliseconds idle_timeout{75'000};   ///< between requests
    std::chrono::milliseconds write_timeout{30'000};  ///< without a byte taken by the peer
    /// An answer in all: `write_timeout`, and a second for each of so many bytes.
    std::size_t write_bytes_per_second_min = 64u << 10;
    /// Of requests that are being received, and of answers that peers have not taken yet. Beyond,
    /// the next large one is answered 503.
    std::size_t receiving_bytes_max = 64u << 20;
    std::size_t unsent_bytes_max = 256u << 20;
    std::string server_name = "botburrow";
  };

  HttpServer(boost::asio::any_io_executor executor, Options options, Log log);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;

  /// `path` is a template with `:name` parts; literal parts win over names. A last part `*name`
  /// takes the whole rest of the path. Routes and filters are set before start().
  void route(std::string method, std::string path, Handler handler);
  void route(std::string method, std::string path, std::size_t body_bytes_max, Handler handler);
  /// Streams with `content_type` and status 200 until the handler returns. stop() cancels streams
  /// that have begun at once: they have no end of their own.
  void stream(std::string method, std::string path, std::string content_type,
              StreamHandler handler);
  void stream(std::string method, std::string path, std::string content_type,
              std::size_t body_bytes_max, StreamHandler handler);
  /// Runs before every matched handler; may answer instead (authorization, rate limits).
  void before(std::function<std::optional<ServerResponse>(ServerRequest&)> filter);
  /// Runs before a body of more than 16 KiB is read, and may answer instead: so that nobody unknown
  /// makes the process hold large ones.
  void before_large_body(
      std::function<Task<std::optional<ServerResponse>>(const ServerRequest&)> filter);
  /// Runs on every answer before it is sent (headers).
  void after(std::function<void(const ServerRequest&, ServerResponse&)> filter);
  /// Turns an Error of a handler into an answer; default: 500 with its code.
  void on_error(std::function<ServerResponse(const ServerRequest&, const Error&)> convert);
  void observe(Observer observer);

  /// Binds and listens now, so that the port is known: throws Error{port_in_use} naming host and
  /// port, or Error{io}. Then accepts in a task of its own.
  void start();
  int port() const;
  std::string url() const;
  /// Stops accepting, lets running requests finish until `grace` (cancelling them then, which their
  /// peers see as 503), closes idle connections at once, and awaits all of it. Safe to repeat; not
  /// cancelled itself. Has to be awaited before the server is destroyed.
  Task<> stop(std::chrono::nanoseconds grace = std::chrono::seconds(5));
  std::size_t connections() const;
  /// For gauges.
  struct Load {
    std::size_t connections = 0, connections_max = 0;
    std::uint64_t turned_away = 0;  ///< closed so far for want of places, or refused
  };
  Load load() const;
  /// The same as a function that may be called after the server's end: no connections then.
  std::function<Load()> watch_load() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace botburrow::net
