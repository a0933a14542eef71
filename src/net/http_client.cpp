#include "net/http_client.hpp"

#include "base/error.hpp"
#include "net/curl_multi.hpp"
#include "net/http_exchange.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <new>

namespace botburrow::net {

namespace asio = boost::asio;

namespace {

constexpr long kUploadBufferBytes = 16 * 1024;
constexpr std::size_t kEasyHandlesKept = 32;

std::string from_environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

}  // namespace

struct HttpClient::Impl {
  Impl(asio::any_io_executor where, Options what)
      : executor(std::move(where)),
        options(std::move(what)),
        multi(std::make_shared<CurlMulti>(executor,
                                          [](CURL* easy, CURLcode code) { ended(easy, code); })),
        http_proxy(from_environment({"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})),
        https_proxy(from_environment({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})),
        no_proxy(from_environment({"no_proxy", "NO_PROXY"})),
        ca_file(from_environment({"SSL_CERT_FILE"})),
        ca_folder(from_environment({"SSL_CERT_DIR"})) {}
  ~Impl() {
    for (CURL* easy : spare_handles)
      curl_easy_cleanup(easy);
  }

  asio::any_io_executor executor;
  Options options;
  std::shared_ptr<CurlMulti> multi;
  std::string http_proxy, https_proxy, no_proxy, ca_file, ca_folder;
  std::vector<CURL*> spare_handles;
  std::deque<Exchange*> waiting;  // for one of connections_max places
  std::size_t running = 0;

  /// Ends an exchange whichever way its coroutine leaves.
  struct Place {
    Impl& impl;
    Exchange& exchange;
    ~Place() { impl.leave(exchange); }
  };

  static void ended(CURL* easy, CURLcode code) {
    Exchange* exchange = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange);
    exchange->done = true;
    exchange->code = code;
    exchange->wake.cancel();
  }

  void enter(Exchange& exchange) {
    if (running < options.connections_max) {
      begin(exchange);
    } else {
      waiting.push_back(&exchange);
    }
  }

  void begin(Exchange& exchange) {
    exchange.easy = take_handle();
    ++running;
    multi->keep_connections(static_cast<long>(running + options.connections_idle_max));
    set_options(exchange);
    if (multi->add(exchange.easy) == CURLM_OK) return;
    exchange.done = true;
    exchange.code = CURLE_FAILED_INIT;
    exchange.wake.cancel();
  }

  void leave(Exchange& exchange) {
    if (exchange.easy == nullptr) {
      std::erase(waiting, &exchange);
      return;
    }
    multi->remove(exchange.easy);
    give_back(exchange.easy);
    --running;
    multi->keep_connections(static_cast<long>(running + options.connections_idle_max));
    if (waiting.empty()) return;
    Exchange& next = *waiting.front();
    waiting.pop_front();
    begin(next);
  }

  CURL* take_handle() {
    if (!spare_handles.empty()) {
      CURL* easy = spare_handles.back();
      spare_handles.pop_back();
      return easy;
    }
    CURL* easy = curl_easy_init();
    if (easy == nullptr) throw std::bad_alloc();
    return easy;
  }

  void give_back(CURL* easy) {
    if (spare_handles.size() >= kEasyHandlesKept) return curl_easy_cleanup(easy);
    curl_easy_reset(easy);
    spare_handles.push_back(easy);
  }

  void set_options(Exchange& exchange) {
    CURL* easy = exchange.easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, static_cast<long>(options.receive_buffer_bytes));
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(options.idle_expiry.count()));
    // Without this, cancelling while a name is looked up would block until the look-up ends.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    const bool https = exchange.peer.starts_with("https:");
    curl_easy_setopt(easy, CURLOPT_PROXY, (https ? https_proxy : http_proxy).c_str());
    curl_easy_setopt(easy, CURLOPT_NOPROXY, no_proxy.c_str());
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (!ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
    if (!ca_folder.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, ca_folder.c_str());
    exchange.set_options(options.user_agent);
  }

  Task<HttpResponse> exchange_once(const HttpRequest& request, const std::string& url,
                                   Deadline deadline) {
    check_request(request);
    Exchange exchange(executor, request, url);
    const Place place{*this, exchange};
    enter(exchange);
    co_await finished(exchange, deadline);
    exchange.check_outcome();
    long status = 0;
    curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
    exchange.response.status = static_cast<int>(status);
    co_return std::move(exchange.response);
  }

  static Task<> finished(Exchange& exchange, Deadline deadline) {
    while (!exchange.done) {
      exchange.wake.expires_after(exchange.next_look(deadline).left());
      boost::system::error_code ignored;
      co_await exchange.wake.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      if (exchange.done) co_return;
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      if (cancellation.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
      }
      if (deadline.passed()) throw exchange.error(errc::timeout, "no complete answer in time");
      if (exchange.idle_too_long()) {
        throw exchange.error(errc::timeout, fmt::format("nothing came for {} ms",
                                                        exchange.request.idle_timeout.count()));
      }
    }
  }
};

HttpClient::HttpClient(asio::any_io_executor executor, Options options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

HttpClient::~HttpClient() = default;

std::size_t HttpClient::active() const {
  return impl_->running + impl_->waiting.size();
}

Task<HttpResponse> HttpClient::send(HttpRequest request) {
  co_return co_await send(std::move(request), Deadline::never());
}

Task<HttpResponse> HttpClient::send(HttpRequest request, Deadline deadline) {
  const auto impl = impl_;  // outlives this wait even when the client does not
  deadline = deadline.sooner_of(request.total_timeout);
  std::string url = request.url;
  for (int redirects = 0;; ++redirects) {
    HttpResponse response = co_await impl->exchange_once(request, url, deadline);
    if (redirects >= request.redirects_max) co_return response;
    const auto target = redirect_target(request, url, response);
    if (!target) co_return response;
    url = *target;
  }
}

std::optional<std::string> HttpResponse::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

}  // namespace botburrow::net
