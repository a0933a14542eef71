#pragma once

#include "base/log.hpp"
#include "mcp/channel.hpp"
#include "mcp/flood_guard.hpp"
#include "mcp/line_framer.hpp"
#include "mcp/pending.hpp"
#include "net/subprocess.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace botburrow::mcp {

/// A server that is a child of ours: a message a line on its stdin and stdout. Owns the process
/// and, through it, its whole group.
///
/// Messages go out one after the other through one writer. What comes in is bounded: a message by
/// `message_bytes_max` (a larger one fails its request), talk that nobody asked for by the flood
/// guard (the server is ended), stderr by a ring that keeps its end.
class StdioChannel final : public Channel {
 public:
  struct Limits {
    std::size_t message_bytes_max = 1u << 20;
    std::size_t stderr_bytes_max = 64u << 10;
    FloodGuard::Limits flood;
    std::chrono::nanoseconds eof_grace = std::chrono::seconds(2);   ///< after closing stdin
    std::chrono::nanoseconds term_grace = std::chrono::seconds(5);  ///< after SIGTERM
  };

  StdioChannel(boost::asio::any_io_executor executor, std::unique_ptr<net::Process> process,
               Limits limits, Log log);
  ~StdioChannel() override;
  StdioChannel(const StdioChannel&) = delete;

  void attach(ChannelListener& listener) override;
  Task<Message> exchange(Exchange request) override;
  Task<> notify(std::string method, json::object params, Deadline deadline) override;
  void speaks(std::string_view) override {}
  void listen_for_changes(std::int64_t id, json::object params) override;
  bool uses_headers() const override { return false; }
  bool alive() const override { return !ended_; }
  std::string complaints() const override { return stderr_; }
  Task<> close() override;

 private:
  /// Somebody who waits for an answer.
  struct Waiter {
    Waiter(boost::asio::any_io_executor executor, const Exchange& request);
    const Exchange& request;
    CallClock clock;
    boost::asio::steady_timer wake;
    std::optional<Message> answer;
    std::exception_ptr failure;
    void fail(const Error& error);
  };
  class Place;

  void post(std::string line);
  Task<> write_all();
  Task<> read_stdout();
  Task<> read_stderr();
  void take_line(std::string_view line);
  void take(ReadMessage read, std::size_t bytes);
  void take_answer(Message message);
  void take_progress(const Message& message);
  void take_oversized(std::optional<std::int64_t> id, std::size_t bytes);
  void count_unasked(std::size_t bytes);
  /// Nothing more is to be had from the server: fails whoever waits.
  void end(std::string why);
  Error gone() const;

  boost::asio::any_io_executor executor_;
  std::unique_ptr<net::Process> process_;
  Limits limits_;
  Log log_;
  ChannelListener* listener_ = nullptr;
  Pending<Waiter> pending_;
  /// Requests whose answers nobody waits for: greetings that were left alone, because they may not
  /// be withdrawn, and the subscription. A few at most.
  std::set<std::int64_t> unheeded_;
  LineFramer framer_;
  FloodGuard flood_;
  std::string stderr_;
  std::deque<std::string> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  boost::asio::steady_timer something_to_write_;
  bool ended_ = false;
  bool closed_ = false;
  std::string end_reason_;
  LogThrottle invalid_, mismatched_;  ///< lines about what the server should not say
  TaskGroup tasks_;
};

}  // namespace botburrow::mcp
