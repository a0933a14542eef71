#pragma once

#include "net/connection_places.hpp"
#include "net/http_message.hpp"
#include "net/http_server.hpp"
#include "net/router.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::net {

class HttpConnection;

/// What all connections of a server share. Outlives them.
struct ServerCore {
  struct Route {
    std::string path;  // the template
    std::optional<std::size_t> body_bytes_max;
    HttpServer::Handler handler;       // either this
    HttpServer::StreamHandler stream;  // or this
    std::string content_type;
  };

  ServerCore(HttpServer::Options what, Log where)
      : options(std::move(what)), log(std::move(where)) {}

  HttpServer::Options options;
  Log log;
  Router router;
  std::vector<Route> routes;
  std::vector<std::function<std::optional<ServerResponse>(ServerRequest&)>> before;
  std::vector<std::function<void(const ServerRequest&, ServerResponse&)>> after;
  std::function<Task<std::optional<ServerResponse>>(const ServerRequest&)> before_large_body;
  std::function<ServerResponse(const ServerRequest&, const Error&)> on_error;
  std::vector<HttpServer::Observer> observers;
  bool stopping = false;            // no further request is read
  bool hurry = false;               // and grace is over: last words are short
  std::size_t receiving_bytes = 0;  // of bodies, by all connections
  std::size_t unsent_bytes = 0;     // of answers, likewise
  /// Makes a place for one more stream of this connection, or says no. Set by the server.
  std::function<bool(const HttpConnection&)> place_for_stream;

  const std::string& date();

 private:
  std::time_t date_second_ = 0;
  std::string date_;
};

/// So many bytes of a sum, as long as it lives.
class HeldBytes {
 public:
  explicit HeldBytes(std::size_t& sum, std::size_t bytes = 0) : sum_(sum) { hold(bytes); }
  ~HeldBytes() { sum_ -= held_; }
  HeldBytes(const HeldBytes&) = delete;
  void hold(std::size_t bytes) {
    sum_ += bytes - held_;
    held_ = bytes;
  }

 private:
  std::size_t& sum_;
  std::size_t held_ = 0;
};

/// One accepted connection: reads requests one after the other, has them handled and answers.
///
/// While a handler runs, the socket is watched without taking bytes from it, so that a request sent
/// ahead stays where it is.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(ServerCore& core, boost::asio::ip::tcp::socket socket);

  /// Serves until either side ends the connection. Throws nothing.
  Task<> run();
  /// Says 503 and closes: for connections beyond the limit.
  Task<> refuse();
  /// Closes if it waits for a request, ends a stream; a running handler goes on.
  void stop_soon();
  /// Grace is over: whatever is being read or written now ends within a second.
  void hurry();
  /// Ends without a word, for another to have its place. Not while it is being answered.
  void give_way();
  Occupant occupant() const;
  /// A request has come that it has not looked at yet.
  bool has_unread();

 private:
  struct Fault {
    int status;
    std::string_view code;
    std::string text;
  };
  struct Incoming;  // a request being read
  class Stream;

  Task<bool> serve_one();
  Task<std::optional<Fault>> read_head(Incoming& incoming);
  std::optional<Fault> take_head(Incoming& incoming);
  std::optional<Fault> find_route(Incoming& incoming) const;
  Task<std::optional<Fault>> read_body(Incoming& incoming);
  Task<std::optional<Fault>> ask_for_large_body(Incoming& incoming);
  Task<bool> read_more(std::size_t bytes);
  std::optional<Fault> cut_short() const;

  Task<bool> serve_handler(Incoming& incoming, std::string body);
  Task<bool> serve_stream(Incoming& incoming, std::string body);
  Task<ServerResponse> answer(const ServerRequest& request, std::string body,
                              const ServerCore::Route& route);
  Task<std::optional<ServerResponse>> stream(const ServerRequest& request, std::string body,
                                             const ServerCore::Route& route, Stream& out);
  std::optional<ServerResponse> filtered(ServerRequest& request) const;
  ServerResponse failure_response(const ServerRequest& request, std::exception_ptr failure) const;
  Task<> peer_left();
  enum class Peer { quiet, sent_more, closed_its_side, gone };
  Peer look_at_peer();

  Task<bool> send_response(Incoming& incoming, ServerResponse response, bool keep_alive);
  Task<bool> write_all(std::string bytes);
  Task<> linger();
  void observe(const Incoming& incoming, int status) const;

  void turn_to(Occupant::Doing doing);
  void limit(std::chrono::nanoseconds d);
  void limit_until(std::chrono::steady_clock::time_point t);
  void no_limit() { deadline_ = std::chrono::steady_clock::time_point::max(); }
  void start_timer();

  ServerCore& core_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;  // fires no later than deadline_; then socket_ is cancelled
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point timer_at_ = std::chrono::steady_clock::time_point::max();
  boost::beast::flat_buffer buffer_;
  std::string peer_address_;
  bool peer_is_loopback_ = false;
  Occupant::Doing doing_ = Occupant::Doing::waits;
  std::chrono::steady_clock::time_point since_;
  std::optional<std::chrono::steady_clock::time_point> writes_since_;
  bool timed_out_ = false;
  bool write_failed_ = false;
  bool idle_ = false;
  bool streaming_ = false;
  bool ending_ = false;
};

}  // namespace botburrow::net
