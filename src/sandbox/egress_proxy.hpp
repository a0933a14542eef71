#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "net/http_client.hpp"
#include "net/unique_fd.hpp"
#include "sandbox/egress_rules.hpp"
#include "sandbox/held_bytes.hpp"
#include "sandbox/model_calls.hpp"
#include "sandbox/proxy_head.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace botburrow::sandbox {

/// Where `/_/llm/<name>/...` leads: a vendor, and the headers that open it. They are put in here,
/// so that nothing in a sandbox ever holds them.
struct ModelRoute {
  std::string base_url;                                 ///< without a trailing slash
  std::vector<std::pair<std::string, Secret>> headers;  ///< such as x-api-key
  ModelApi api = ModelApi::anthropic;                   ///< only its calls are passed on
};

/// A request for something that the runner itself serves, whole.
struct LocalRequest {
  std::string method;
  std::string path;  ///< from `/_/` on, with the query
  net::HttpHeaders headers;
  std::string body;
};
struct LocalAnswer {
  int status = 404;
  std::string content_type = "application/json";
  std::string body;
};

/// The one way to the network that programs in a sandbox have: they reach it at 127.0.0.1:3128, and
/// process 1 hands each connection over. It answers CONNECT and plain HTTP for the hosts that the
/// rules allow, resolves them itself and connects to the address it has judged, and serves `/_/`.
/// Every connection is in the log as `egress_connect`, and the first 200 refusals of a sandbox are
/// as `egress_denied`.
class EgressProxy {
 public:
  struct Options {
    EgressRules rules;
    std::map<std::string, ModelRoute> models;  ///< by the name in the path
    /// `/_/` paths but those of models; empty: there are none.
    std::function<Task<LocalAnswer>(LocalRequest)> local;
    std::size_t connections_max = 64;                  ///< at one time; more are closed
    std::uint64_t bytes_max = std::uint64_t{1} << 30;  ///< of all connections together
    std::size_t body_bytes_max = 32u << 20;            ///< of a request to `/_/`, and of its answer
  };
  /// `bridge`: our end of the pair whose other end process 1 has. `http` may be null where there
  /// are no models; it and `metrics` outlive this.
  EgressProxy(boost::asio::any_io_executor executor, net::UniqueFd bridge, Options options,
              net::HttpClient* http, Log log, Metrics& metrics);
  ~EgressProxy();
  EgressProxy(const EgressProxy&) = delete;

  void start();
  /// Closes every connection. Safe to repeat.
  Task<> stop();

 private:
  Task<> take_connections();

  boost::asio::any_io_executor executor_;
  boost::asio::posix::stream_descriptor bridge_;
  Options options_;
  net::HttpClient* http_;
  Log log_;
  Metrics::Values& requests_;
  std::uint64_t bytes_left_;
  int denied_lines_left_ = 200;
  HeldBytesBudget held_;
  TaskGroup tasks_;
};

}  // namespace botburrow::sandbox
