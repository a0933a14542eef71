#include "cli/verify/wire.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "net/http_client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <deque>

namespace botburrow::cli::verify {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr std::size_t kHeadMost = 64u << 10;
constexpr std::size_t kBodyMost = 16u << 20;
constexpr std::size_t kRequestsKept = 20'000;
constexpr auto kExchangeTime = 90s;  // long polls among them
constexpr std::string_view kNotThere =
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    "Connection: close\r\n\r\n{}";
constexpr std::string_view kBadGateway =
    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The length that a head tells of its body.
std::size_t body_length(std::string_view head) {
  std::string lower(head);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::string_view kName = "\r\ncontent-length:";
  const auto at = lower.find(kName);
  if (at == std::string::npos) return 0;
  auto value = std::string_view(lower).substr(at + kName.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  std::size_t length = 0;
  std::from_chars(value.data(), value.data() + value.size(), length);
  return std::min(length, kBodyMost);
}

/// `GET http://hub.example:80/x?y HTTP/1.1` has a host; `GET /x?y HTTP/1.1` has none.
Wire::Request request_of(std::string_view head) {
  const auto line = head.substr(0, head.find("\r\n"));
  const auto first = line.find(' '), last = line.rfind(' ');
  Wire::Request request{.method = std::string(line.substr(0, first)), .host = "", .target = ""};
  if (first == std::string_view::npos || last <= first) return request;
  auto target = line.substr(first + 1, last - first - 1);
  constexpr std::string_view kScheme = "http://";
  const bool whole = target.starts_with(kScheme);
  if (whole) target.remove_prefix(kScheme.size());
  if (whole || request.method == "CONNECT") {
    const auto authority = target.substr(0, target.find('/'));
    request.host = std::string(authority.substr(0, authority.find(':')));
    target.remove_prefix(authority.size());
  }
  request.target = std::string(target);
  return request;
}

int status_of(std::string_view answer) {
  int status = 0;
  if (answer.size() >= 12) std::from_chars(answer.data() + 9, answer.data() + 12, status);
  return status;
}

void reset(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace

struct Wire::State {
  explicit State(asio::any_io_executor where) : executor(where), acceptor(where), tasks(where) {}

  asio::any_io_executor executor;
  tcp::acceptor acceptor;
  int port = 0;
  std::map<std::string, int> ports;  // of this machine, by host
  Decide decide;
  std::deque<Request> requests;
  std::size_t lost = 0;
  TaskGroup tasks;

  Task<> accept_all() {
    for (;;) {
      boost::system::error_code error;
      auto socket = std::make_shared<tcp::socket>(executor);
      co_await acceptor.async_accept(*socket, asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      tasks.spawn("exchange", [this, socket] { return bounded(socket); });
    }
  }

  Task<> bounded(std::shared_ptr<tcp::socket> client) {
    try {
      co_await with_deadline("an exchange", Deadline::in(kExchangeTime), exchange(*client));
    } catch (const Error&) {
      reset(*client);
    }
  }

  Task<> exchange(tcp::socket& client) {
    boost::system::error_code error;
    std::string bytes;
    const auto head_size =
        co_await asio::async_read_until(client, asio::dynamic_buffer(bytes, kHeadMost), "\r\n\r\n",
                                        asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    const auto size = head_size + body_length(bytes.substr(0, head_size));
    if (bytes.size() < size) {
      const auto missing = size - bytes.size();
      co_await asio::async_read(client, asio::dynamic_buffer(bytes),
                                asio::transfer_exactly(missing),
                                asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
    }
    auto& request = note(request_of(bytes));
    const auto fate = decide ? decide(request) : Fate::pass;
    std::string answer(kNotThere);
    if (fate != Fate::not_there) answer = co_await pass_on(request, std::move(bytes));
    request.status = status_of(answer);
    if (fate == Fate::lose_answer && request.status >= 200 && request.status < 300) {
      ++lost;
      reset(client);
      co_return;
    }
    co_await asio::async_write(client, asio::buffer(answer),
                               asio::redirect_error(asio::use_awaitable, error));
    client.shutdown(tcp::socket::shutdown_send, error);
  }

  /// References stay good: nothing is taken from the middle.
  Request& note(Request request) {
    if (requests.size() >= kRequestsKept) throw Error(errc::limit, "too many requests");
    return requests.emplace_back(std::move(request));
  }

  /// Asks for the connection's end after the answer, so that its end is seen.
  Task<std::string> pass_on(const Request& request, std::string bytes) {
    const auto at = ports.find(request.host);
    if (at == ports.end() || request.method == "CONNECT") co_return std::string(kBadGateway);
    bytes.insert(bytes.find("\r\n"), "\r\nConnection: close");
    tcp::socket peer(executor);
    boost::system::error_code error;
    const tcp::endpoint place(asio::ip::address_v4::loopback(),
                              static_cast<unsigned short>(at->second));
    co_await peer.async_connect(place, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return std::string(kBadGateway);
    co_await asio::async_write(peer, asio::buffer(bytes),
                               asio::redirect_error(asio::use_awaitable, error));
    std::string answer;
    co_await asio::async_read(peer, asio::dynamic_buffer(answer, kBodyMost),
                              asio::redirect_error(asio::use_awaitable, error));
    co_return answer.empty() ? std::string(kBadGateway) : answer;
  }
};

Wire::Wire(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}
Wire::~Wire() = default;

void Wire::start() {
  auto& acceptor = state_->acceptor;
  acceptor.open(tcp::v4());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind({asio::ip::address_v4::loopback(), 0});
  acceptor.listen();
  state_->port = acceptor.local_endpoint().port();
  state_->tasks.spawn("accept", [state = state_.get()] { return state->accept_all(); });
}

Task<> Wire::stop() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  co_await state_->tasks.stop();
}

std::string Wire::url() const {
  return fmt::format("http://127.0.0.1:{}", state_->port);
}

void Wire::lead(const std::string& host, const std::string& url) {
  state_->ports[host] = std::stoi(net::parse_url(url).port);
}

void Wire::decide(Decide decide) {
  state_->decide = std::move(decide);
}

std::size_t Wire::count(const std::function<bool(const Request&)>& fits) const {
  return static_cast<std::size_t>(std::ranges::count_if(state_->requests, fits));
}

std::size_t Wire::of_host(const std::string& host) const {
  return count([&](const Request& request) { return request.host == host; });
}

std::size_t Wire::lost() const {
  return state_->lost;
}

}  // namespace botburrow::cli::verify
