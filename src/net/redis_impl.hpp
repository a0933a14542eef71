#pragma once

#include "net/redis.hpp"
#include "net/redis_outages.hpp"
#include "net/redis_stream.hpp"
#include "net/redis_waiter.hpp"
#include "net/resp.hpp"
#include "net/sentinels.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::net {

Error redis_unavailable(std::string text, std::string_view detail);

/// The connection's state, kept alive by the coroutines that use it. Three tasks run: one connects
/// and reads, one writes, one looks once a second whether the server is still the right one and of
/// use. redis_impl.cpp pipelines and waits, redis_connect.cpp makes and watches the connection.
/// Waiters are resumed by the task that reads, after all replies of one read
/// have been dealt out, so that what they ask next leaves in one write.
struct Redis::Impl : std::enable_shared_from_this<Redis::Impl> {
  Impl(boost::asio::any_io_executor executor, RedisAddress address, Options options, Log log,
       Random& random);

  void start();
  Task<> stop();
  /// Drops the waiters and stops the tasks without waiting for them.
  void abandon();

  /// Suspends until `waiter` is done. Neither throws nor fails: its outcome stands in the waiter.
  auto wait_for(RedisWaiter& waiter) {
    return boost::asio::async_initiate<const boost::asio::deferred_t, void()>(
        [this](auto handler, RedisWaiter* one) {
          auto slot = boost::asio::get_associated_cancellation_slot(handler);
          one->resume = std::move(handler);
          if (slot.is_connected()) {
            slot.assign([this, one](boost::asio::cancellation_type) { cancel(*one); });
          }
          submit(*one);
        },
        boost::asio::deferred, &waiter);
  }
  /// wait_for, with the outcome thrown.
  Task<> finish(RedisWaiter& waiter);

  boost::asio::any_io_executor executor;
  const RedisAddress address;
  const Options options;
  const std::string masked_url;
  Log log;
  Random& random;

  bool stopping = false;
  std::uint64_t connections = 0;
  Version version;
  std::string last_error = "not started";
  std::string last_error_word;  ///< of the server, e.g. WRONGPASS
  std::string last_fix;

  struct Connection {
    Connection(std::unique_ptr<RedisStream> s, std::size_t reply_bytes_max)
        : stream(std::move(s)), reader(reply_bytes_max) {}
    std::unique_ptr<RedisStream> stream;
    RespReader reader;
    std::array<char, 32 * 1024> buffer{};
    Version version;
    RedisHost server;            ///< none for a Unix socket
    std::string closed_because;  ///< when we closed it ourselves
  };
  std::shared_ptr<Connection> connection;  ///< null while there is none

  /// Why a server that is there does nothing for us. Ends when it takes changes again, or, where we
  /// may not find out, when it has refused nothing for a while.
  struct Distrust {
    RedisFault fault;
    std::string text;
    Instant seen;
  };
  std::optional<Distrust> distrust;

 private:
  /// Replies that the server owes, in order. Who waits may have gone.
  struct Owed {
    RedisWaiter* waiter;
    std::size_t replies;
  };

  void submit(RedisWaiter& waiter);
  void cancel(RedisWaiter& waiter);
  void append(RedisWaiter& waiter);
  void take_reply(RedisReply& reply);
  /// Ends the waiter's wait; it is resumed by the next resume_ready().
  void settle(RedisWaiter& waiter);
  void fail(RedisWaiter& waiter, const Error& error);
  void resume_ready();
  void resume_one(std::move_only_function<void()> resume);
  bool was_written(const RedisWaiter& waiter) const {
    return waiter.state == RedisWaiter::State::appended && waiter.number < written_before_;
  }

  void arm_sweep(Deadline deadline);
  void sweep();
  Error late(const RedisWaiter& waiter) const;

  Task<> keep_connected();
  Task<std::shared_ptr<Connection>> connect();
  Task<RedisAddress> find_server();
  Task<std::shared_ptr<Connection>> open(RedisAddress server);
  Task<> greet(std::shared_ptr<Connection> fresh, RedisAddress server);
  Task<> read_replies(std::shared_ptr<Connection> from);
  Task<> write_output();
  void connected_to(std::shared_ptr<Connection> fresh);
  void note_failed_attempt(const std::exception_ptr& failure);
  void lost(const std::exception_ptr& failure);
  /// Ends the connection; the task that reads clears up and makes a new one.
  void leave(std::string why);

  void refused_by_server(std::string_view text, bool by_probe);
  void note_refusal();
  void trust_again();
  Task<> watch();
  Task<> probe();
  Task<> ask_sentinels();

  RedisWaiterList waiting_;
  std::deque<Owed> owed_;
  std::uint64_t owed_first_ = 0;      // number of owed_.front()
  std::uint64_t appended_ = 0;        // numbers given so far
  std::uint64_t written_before_ = 0;  // smaller numbers were handed to the connection
  std::vector<std::move_only_function<void()>> ready_;

  std::string output_;   // appended, not yet handed over
  std::string writing_;  // under way
  bool writer_idle_ = false;
  boost::asio::steady_timer output_there_;

  boost::asio::steady_timer sweep_timer_;
  Instant sweep_at_ = Instant::max();
  Instant heard_at_{};  // last byte from the server, or the first question after it owed nothing
  RedisOutage& outage_;
  // Each is used by one task.
  std::unique_ptr<Sentinels> finder_;
  std::unique_ptr<Sentinels> watcher_;
  std::string attempted_;  // the server that the sentinels named, while connecting to it
  std::chrono::nanoseconds patience_{};  // of the attempt under way
  bool may_probe_ = true;
  TaskGroup tasks_;
};

}  // namespace botburrow::net
