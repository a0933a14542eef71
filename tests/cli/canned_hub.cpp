#include "canned_hub.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <stdexcept>

namespace botburrow::cli {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// Reads until the header is complete and the body as long as it says.
std::string read_request(int peer) {
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const std::size_t end = text.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::size_t at = lower(text.substr(0, end)).find("content-length:");
      const std::size_t length = at == std::string::npos ? 0 : std::stoul(text.substr(at + 15));
      if (text.size() >= end + 4 + length) return text;
    }
    const ssize_t got = ::recv(peer, buffer.data(), buffer.size(), 0);
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

CannedHub::Request parse(const std::string& text) {
  CannedHub::Request out;
  std::istringstream lines(text.substr(0, text.find("\r\n\r\n")));
  lines >> out.method >> out.target;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos)
      out.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  const std::size_t end = text.find("\r\n\r\n");
  if (end != std::string::npos) out.body = text.substr(end + 4);
  return out;
}

}  // namespace

CannedHub::CannedHub(std::function<Answer(const Request&)> answer) : answer_(std::move(answer)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("cannot listen");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

CannedHub::~CannedHub() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

std::string CannedHub::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

std::vector<CannedHub::Request> CannedHub::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void CannedHub::serve() {
  while (true) {
    const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    exchange(peer);
    ::close(peer);
  }
}

void CannedHub::exchange(int peer) {
  const std::string text = read_request(peer);
  if (text.empty()) return;
  const Request request = parse(text);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const Answer answer = answer_(request);
  const std::string out =
      "HTTP/1.1 " + std::to_string(answer.status) +
      " X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
      std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
  (void)!::send(peer, out.data(), out.size(), MSG_NOSIGNAL);
}

}  // namespace botburrow::cli
