#include "sandbox/model_relay.hpp"

#include "base/cleanup.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace botburrow::sandbox {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kWriteTime = 60s;
constexpr std::size_t kRefusalBytesMax = 256 * 1024;

/// What a program says about itself, its connection and its key stays here.
bool stays_here(std::string_view name) {
  constexpr std::array<std::string_view, 15> kNames{"host",
                                                    "connection",
                                                    "proxy-connection",
                                                    "proxy-authorization",
                                                    "keep-alive",
                                                    "te",
                                                    "trailer",
                                                    "upgrade",
                                                    "content-length",
                                                    "transfer-encoding",
                                                    "accept-encoding",
                                                    "authorization",
                                                    "x-api-key",
                                                    "x-goog-api-key",
                                                    "api-key"};
  return std::ranges::find(kNames, name) != kNames.end();
}

std::string header_lines(const net::HttpHeaders& headers) {
  std::string lines;
  for (const auto& [name, value] : headers) {
    const bool useful = name == "content-type" || name == "retry-after" || name == "request-id" ||
                        name.starts_with("anthropic-") || name.starts_with("x-ratelimit") ||
                        name.starts_with("openai-");
    if (useful) lines += fmt::format("{}: {}\r\n", name, value);
  }
  return lines;
}

}  // namespace

net::HttpRequest model_request(const ModelRoute& route, const std::string& rest,
                               const ProxyHead& head, std::string body) {
  net::HttpRequest request{.method = head.method,
                           .url = route.base_url + rest,
                           .body = std::move(body),
                           .total_timeout = 600s,
                           .idle_timeout = 180s,
                           .redirects_max = 0};
  for (const auto& [name, value] : head.headers) {
    if (!stays_here(name)) request.headers.emplace_back(name, value);
  }
  for (const auto& [name, value] : route.headers)
    request.headers.emplace_back(name, value.reveal());
  return request;
}

ModelRelay::ModelRelay(asio::any_io_executor executor, asio::ip::tcp::socket& to,
                       std::size_t bytes_max, HeldBytes& held)
    : executor_(executor),
      to_(to),
      bytes_max_(bytes_max),
      held_(held),
      news_(std::make_unique<StopSource>(executor)) {}

// False: the sandbox holds as much as it may already.
bool ModelRelay::add(std::string_view bytes) {
  cut_ = cut_ || !held_.take(bytes.size());
  if (cut_) return false;
  waiting_ += bytes;
  news_->stop();
  return true;
}

void ModelRelay::begin(const net::HttpResponse& response) {
  begun_ = true;
  add(fmt::format("HTTP/1.1 {} Answer\r\n{}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                  response.status, header_lines(response.headers)));
}

Task<> ModelRelay::ask(net::HttpClient& http, net::HttpRequest request) {
  const auto chunk = [this](std::string_view bytes) {
    return bytes.empty() || add(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
  };
  request.response_bytes_max = bytes_max_;
  request.refusal_bytes_max = kRefusalBytesMax;
  request.on_head = [this](const net::HttpResponse& response) { begin(response); };
  request.on_body = chunk;
  try {
    const auto response = co_await http.send(std::move(request));
    if (!begun_) {
      begin(response);
      chunk(response.body);
    }
    // One that was cut must not look whole.
    add("0\r\n\r\n");
  } catch (const Error& error) {
    // In the middle of an answer nothing can be said any more: it just ends early.
    if (!begun_) add(proxy_answer(502, error.message()));
  }
  ended_ = true;
  news_->stop();
}

Task<> ModelRelay::write_all() {
  for (;;) {
    while (!waiting_.empty()) {
      const auto bytes = std::exchange(waiting_, {});
      co_await with_deadline("the answer", Deadline::in(kWriteTime),
                             [](asio::ip::tcp::socket& to, const std::string& all) -> Task<> {
                               co_await asio::async_write(to, asio::buffer(all),
                                                          asio::use_awaitable);
                             }(to_, bytes));
      held_.give(bytes.size());
    }
    if (ended_) co_return;
    news_ = std::make_unique<StopSource>(executor_);
    co_await news_->wait();
  }
}

Task<> ModelRelay::run(net::HttpClient& http, net::HttpRequest request) {
  TaskGroup asking(executor_);
  asking.spawn("ask", [this, &http, request = std::move(request)]() mutable {
    return ask(http, std::move(request));
  });
  // A reader that has gone makes the writing fail, and that ends the question.
  co_await with_cleanup(write_all(), [&asking] { return asking.stop(); });
}

}  // namespace botburrow::sandbox
