#pragma once

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/secret.hpp"
#include "mcp/channel.hpp"
#include "mcp/flood_guard.hpp"
#include "net/http_client.hpp"
#include "net/sse.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::mcp {

/// A server behind a URL: Streamable HTTP of all revisions. An answer may come whole or as a stream
/// of events; one that breaks off is taken up again where the revision allows that.
class HttpChannel final : public Channel {
 public:
  struct Options {
    std::string url;
    /// Credentials: name and value of headers. Never in a message or a log.
    std::vector<std::pair<std::string, Secret>> headers;
    std::size_t message_bytes_max = 1u << 20;
    /// Of one answer with everything that comes before it on its stream.
    std::size_t stream_bytes_max = 64u << 20;
    FloodGuard::Limits flood = {};
  };

  /// `http` outlives the channel.
  HttpChannel(boost::asio::any_io_executor executor, net::HttpClient& http, Options options,
              Log log);
  ~HttpChannel() override;
  HttpChannel(const HttpChannel&) = delete;

  void attach(ChannelListener& listener) override { listener_ = &listener; }
  Task<Message> exchange(Exchange request) override;
  Task<> notify(std::string method, json::object params, Deadline deadline) override;
  void speaks(std::string_view revision) override { revision_ = std::string(revision); }
  void listen_for_changes(std::int64_t id, json::object params) override;
  bool uses_headers() const override { return true; }
  bool alive() const override { return !ended_; }
  std::string complaints() const override { return ""; }
  Task<> close() override;

 private:
  class Reading;
  struct Came;  // what one HTTP request came to
  class Withdrawal;

  net::HttpHeaders headers_for(std::string_view method, const json::object& params) const;
  net::HttpRequest post_request(std::string text, net::HttpHeaders headers) const;
  net::HttpRequest get_request(const std::string& last_event_id) const;
  Task<Came> send(net::HttpRequest request, std::shared_ptr<Reading> reading, Deadline deadline);
  Task<Message> resume(std::shared_ptr<Reading> reading, Deadline hard_end);
  Error lost(const net::HttpResponse& refusal);
  Message answer_of(const Came& came, Reading& reading);
  Task<> post_and_forget(std::string text, std::chrono::nanoseconds time);
  Task<> listen(std::int64_t id, json::object params);
  enum class Stream { ended, broken, not_offered };
  Task<Stream> listen_once(std::shared_ptr<Reading> reading, std::int64_t id, json::object params);
  void take(const Message& message);
  void count_unasked(std::size_t bytes);
  std::string without_credentials(std::string_view text) const;
  bool modern() const;

  boost::asio::any_io_executor executor_;
  net::HttpClient& http_;
  Options options_;
  Log log_;
  std::vector<Secret> kept_back_;
  ChannelListener* listener_ = nullptr;
  std::string revision_;  ///< empty: not agreed on yet
  std::string session_;
  bool ended_ = false;
  bool closed_ = false;
  FloodGuard flood_;
  LogThrottle invalid_, mismatched_;  ///< lines about what the server should not say
  TaskGroup withdrawals_;             ///< each ends by itself, within a second
  TaskGroup tasks_;
};

}  // namespace botburrow::mcp
