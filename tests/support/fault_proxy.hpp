#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace botburrow::test {

/// Which way a piece of bytes travels: to the peer behind the proxy, or back to its client.
enum class Way { forth, back };

/// What becomes of one piece.
struct Fate {
  std::chrono::milliseconds hold{0};  ///< stays in the wire for so long, whoever leaves meanwhile
  bool cut = false;                   ///< is dropped, and its connection reset
};

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
  /// The next `count` pieces to the peer are dropped and their connection reset: the peer never
  /// hears of them.
  void reset_requests(int count);
  /// Pieces go on in slices of 1, 2, … `bytes_max` bytes, each a segment of its own; 0 = whole.
  void slice(std::size_t bytes_max);
  /// From now on the connections that are open swallow every byte in silence: nobody gets a reset,
  /// and neither side hears that the other has left. Without `requests_too` the peer still gets
  /// what is sent. New connections are sound.
  void strand(bool requests_too);
  /// Resets what was stranded, as a peer does that has never heard of the connection.
  void mend();

  /// Asked about each piece as it comes out of its sender; the number tells connections apart.
  using Tap = std::function<Fate(std::size_t link, Way way, std::string_view bytes)>;
  void tap(Tap tap);
  /// Sees each piece at the peer's end of the wire: what reached the peer, and what it said.
  using Witness = std::function<void(std::size_t link, Way way, std::string_view bytes)>;
  void witness(Witness witness);

  std::size_t connections() const;  ///< open now
  std::size_t accepted() const;     ///< ever
  std::size_t resets() const;       ///< answers dropped so far
  std::size_t lost_requests() const;
  std::size_t swallowed() const;  ///< pieces that vanished in stranded connections

 private:
  struct State;
  explicit FaultProxy(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace botburrow::test
