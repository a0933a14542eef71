#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace botburrow::test {

/// A stretch of wire that misbehaves: listens on a TCP port of 127.0.0.1 and passes bytes on to a
/// Unix socket or a TCP port. Lives on the test's io_context and ends with it; destroying it cuts
/// every connection.
class FaultProxy {
 public:
  static FaultProxy to_unix(boost::asio::any_io_executor executor, std::string path);
  static FaultProxy to_tcp(boost::asio::any_io_executor executor, int port);
  FaultProxy(FaultProxy&&) noexcept;
  ~FaultProxy();

  int port() const;
  std::string redis_url() const { return "redis://127.0.0.1:" + std::to_string(port()); }
  std::string http_url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  /// Bytes stay where they are, in both directions; connections are still taken.
  void pause();
  void resume();
  /// Resets every connection. New ones are welcome.
  void cut();
  /// New connections are reset at once, while true.
  void refuse(bool on);
  /// How long each piece is held before it goes on.
  void delay(std::chrono::milliseconds each);
  /// The next `count` pieces that come back are dropped and their connection reset: what the peer
  /// did, its client never hears of.
  void reset_answers(int count);

  std::size_t connections() const;  ///< open now
  std::size_t accepted() const;     ///< ever
  std::size_t resets() const;       ///< answers dropped so far

 private:
  struct State;
  explicit FaultProxy(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace botburrow::test
