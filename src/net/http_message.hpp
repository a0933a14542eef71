#pragma once

#include "net/http_server.hpp"

#include <ctime>
#include <string>
#include <string_view>

namespace botburrow::net {

// What HTTP/1 messages look like, apart from reading and writing them.

constexpr std::size_t kRequestLineMax = 8 * 1024;
constexpr std::size_t kHeadersMax = 32 * 1024;

/// Looks for the end of a request's head in bytes that grow.
class HeadScanner {
 public:
  enum class State { incomplete, complete, not_http, line_too_long, headers_too_large };
  /// `bytes` are all bytes so far, from the request's first. Call with a longer text each time.
  State look(std::string_view bytes);

 private:
  std::size_t scanned_ = 0;
  std::size_t line_end_ = 0;  // of the request line, once seen
};

/// Path and query of a request target in origin form, absolute form stripped to it. False where it
/// is neither.
bool split_target(std::string_view target, std::string& raw_path, std::string& query);
/// "a=1&b=2" decoded, in order.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

struct HeadOptions {
  bool http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;  ///< otherwise Content-Length is `content_length`
  std::size_t content_length = 0;
  std::string_view server_name;
  std::string_view date;
};

/// Status line and headers with the blank line. What HeadOptions decide is never taken from the
/// answer's own headers; a line break in a value becomes a blank.
std::string response_head(const ServerResponse& response, const HeadOptions& options);
/// 204, 304 and 1xx have no body.
bool has_body(int status);
/// The second as an HTTP date: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t second);

}  // namespace botburrow::net
