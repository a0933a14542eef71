#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <curl/curl.h>

#include <functional>
#include <memory>
#include <unordered_map>

namespace botburrow::net {

/// libcurl's multi interface driven by an Asio executor: waits for the sockets and the timer that
/// libcurl names and tells it what happened. Knows transfers only by their easy handles.
///
/// Everything runs on the executor's thread. Owned by a shared_ptr, since waits under way look back
/// at it; destroying it closes all connections.
class CurlMulti : public std::enable_shared_from_this<CurlMulti> {
 public:
  /// Called on the executor's thread, outside libcurl, once for each transfer that ended. The
  /// handle stays added until remove().
  using Done = std::function<void(CURL* easy, CURLcode code)>;

  CurlMulti(boost::asio::any_io_executor executor, Done on_done);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;

  /// Starts a transfer; it moves with the next turns of the executor, never inside this call.
  CURLMcode add(CURL* easy);
  /// Ends a transfer, whatever its state; its connection is closed unless the transfer was
  /// complete.
  void remove(CURL* easy);
  /// How many connections, used and idle, may be kept.
  void keep_connections(long count);

 private:
  struct Watch;
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* watch);
  static int on_timer(CURLM*, long timeout_ms, void* self);
  void watch_socket(curl_socket_t fd, int what, Watch* known);
  void wait_for(const std::shared_ptr<Watch>& watch);
  void socket_ready(const std::shared_ptr<Watch>& watch, int events);
  void act(curl_socket_t fd, int events);

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  Done on_done_;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  CURLM* multi_;
};

}  // namespace botburrow::net
