#pragma once

#include "base/secret.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  std::string body;
  /// Of the whole exchange; the caller's deadline also holds.
  std::chrono::milliseconds total_timeout{30'000};
  std::chrono::milliseconds connect_timeout{5'000};
  /// No byte for this long, once connected, ends the exchange; 0 = no such limit. For streams.
  std::chrono::milliseconds idle_timeout{0};
  std::size_t response_bytes_max = 16u << 20;  ///< of the body, streamed or not
  /// Of the body of an answer that is not 2xx: it is cut there, and the exchange ends.
  std::size_t refusal_bytes_max = SIZE_MAX;
  /// Redirects followed for GET and HEAD: to the same host and port, or from http to https on their
  /// own ports. Any other 3xx, or one more, is the answer.
  int redirects_max = 3;
  /// When set, receives the body of a 2xx answer piece by piece as it comes (on the io thread) and
  /// HttpResponse::body stays empty; returning false ends the exchange without an error. Bodies of
  /// other answers are collected as usual.
  std::function<bool(std::string_view)> on_body;
  /// Called once before the first piece that on_body gets, with status and headers.
  std::function<void(const HttpResponse&)> on_head;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  ///< names in lower case
  std::string body;
  std::optional<std::string> header(std::string_view lower_case_name) const;
  bool ok() const { return status >= 200 && status < 300; }
};

/// HTTP/1.1 and HTTP/2 over libcurl's multi interface on the io thread: pooled keep-alive
/// connections, TLS verified against the system's store (or SSL_CERT_FILE, SSL_CERT_DIR),
/// HTTP_PROXY / HTTPS_PROXY / ALL_PROXY / NO_PROXY honoured. The environment is read at
/// construction only.
///
/// A request whose kept connection turns out to be dead is sent once more only for GET, HEAD and
/// OPTIONS; any other ends as `maybe_sent`, so that nothing is posted twice behind the caller's
/// back.
class HttpClient {
 public:
  struct Options {
    std::size_t connections_max = 100;      ///< at one time over all hosts; more wait
    std::size_t connections_idle_max = 20;  ///< kept for reuse
    std::chrono::seconds idle_expiry{30};
    /// What an exchange holds for receiving while it is under way; 1 KiB at least. Less is for many
    /// that wait long for short answers.
    std::size_t receive_buffer_bytes = 16 * 1024;
    std::string user_agent;
  };
  HttpClient(boost::asio::any_io_executor executor, Options options);
  /// No exchange may be under way.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  /// Any status is an answer, not an error. Throws
  ///   Error{http_unavailable, after_backoff}: detail `not_sent` if no byte of the request can have
  ///     reached the peer (resolve, connect, TLS), else `maybe_sent`; the message names the host
  ///     and the reason, never headers or body;
  ///   Error{timeout, after_backoff}, same details; Error{limit} for a body over the cap;
  ///   Error{invalid_argument} for a bad URL.
  /// Cancellation closes the exchange at once.
  Task<HttpResponse> send(HttpRequest request);
  Task<HttpResponse> send(HttpRequest request, Deadline deadline);

  /// Exchanges under way, for gauges and tests.
  std::size_t active() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// The parts of an absolute http or https URL, through libcurl's parser. Throws
/// Error{invalid_argument} where it is none.
struct UrlParts {
  std::string scheme, host, port, path, query;  ///< host: IPv6 without brackets; query: without `?`
  bool explicit_port = false;
};
UrlParts parse_url(std::string_view url);
/// application/x-www-form-urlencoded value, blanks as %20.
std::string url_encode(std::string_view text);
/// Undoes that; `+` is a blank too, and a broken escape stays as it is.
std::string url_decode(std::string_view text);
/// "?a=1&b=2" with values encoded; empty for no pairs.
std::string query_string(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace botburrow::net
