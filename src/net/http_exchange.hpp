#pragma once

#include "base/error.hpp"
#include "base/time.hpp"
#include "net/http_client.hpp"

#include <boost/asio/steady_timer.hpp>
#include <curl/curl.h>

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::net {

/// Text of a header's name or of a host, for comparing.
std::string lower_case(std::string_view text);

/// Throws Error{invalid_argument} for a method or header that cannot be sent as it is; never shows
/// a header's value.
void check_request(const HttpRequest& request);

/// Where a redirect leads if it may be followed: the same host and port, or its https side.
std::optional<std::string> redirect_target(const HttpRequest& request, const std::string& url,
                                           const HttpResponse& response);

/// libcurl's list of header lines.
struct HeaderList {
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line);
  curl_slist* list = nullptr;
};

/// One request under way, from its place in the queue to its answer: what libcurl's callbacks are
/// given, and what they found.
struct Exchange {
  Exchange(const boost::asio::any_io_executor& executor, const HttpRequest& what,
           std::string where);

  boost::asio::steady_timer wake;  // ends the wait of send(): by its time, or cancelled when done
  const HttpRequest& request;
  std::string url;
  std::string peer;  // as messages name it: never path, query or user
  HttpResponse response;
  HeaderList headers;
  CURL* easy = nullptr;
  char error_text[CURL_ERROR_SIZE] = {};
  std::size_t header_bytes = 0;
  std::size_t body_bytes = 0;
  curl_off_t bytes_uploaded = 0;
  Instant last_byte{};
  bool headers_complete = false;
  bool head_told = false;
  bool sent = false;     // libcurl was about to write the request: it may have left
  bool stopped = false;  // we have enough
  bool done = false;
  std::string over_limit;
  std::exception_ptr failure;  // of on_body
  CURLcode code = CURLE_OK;

  /// Sets everything of `easy` that is about this request. `user_agent` is for requests without
  /// one.
  void set_options(const std::string& user_agent);
  /// When the next look at the clock is due.
  Deadline next_look(Deadline deadline) const;
  bool idle_too_long();
  /// Throws what went wrong, if something did.
  void check_outcome() const;
  Error error(errc kind, std::string_view reason) const;
  const char* sent_detail() const { return sent ? "maybe_sent" : "not_sent"; }

 private:
  void set_method();
  void set_headers(const std::string& user_agent);
  bool may_write();
  bool take_header(std::string_view line);
  bool take_body(std::string_view piece);
  long status() const;
  bool is_2xx() const;
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static int on_connected(void* self, char*, char*, int, int);
};

}  // namespace botburrow::net
