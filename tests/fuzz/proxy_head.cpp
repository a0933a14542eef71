#include "sandbox/proxy_head.hpp"

#include "tests/fuzz/targets.hpp"

#include <algorithm>

namespace botburrow::fuzz {
namespace {

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

void proxy_head(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  const auto head = sandbox::parse_proxy_head(bytes.substr(0, end == bytes.npos ? end : end + 4));
  if (!head) {
    require(head.error().status >= 400 && head.error().status < 600, "a refusal has a status");
    return;
  }
  using Kind = sandbox::ProxyHead::Kind;
  if (head->kind != Kind::local) {
    require(!head->target.host.empty() && head->target.port > 0 && head->target.port <= 65535,
            "a target is a host and a port");
  }
  if (head->kind != Kind::forward) return;
  const auto sent = sandbox::forwarded_head(*head);
  // What one reader takes for a line must be one for all: no line of ours holds half of another.
  require(sent.ends_with("\r\n\r\n") && sent.find("\r\n\r\n") == sent.size() - 4,
          "a head ends once");
  require(std::ranges::count(sent, '\r') == static_cast<std::ptrdiff_t>(lines_in(sent)),
          "every line ends the same way");
  require(sent.find('\0') == std::string::npos, "no zero byte is passed on");
}

}  // namespace botburrow::fuzz
