#pragma once

#include "sandbox/egress_rules.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::sandbox {

/// What a program inside asked the proxy for.
struct ProxyHead {
  enum class Kind {
    tunnel,   ///< CONNECT: bytes both ways
    forward,  ///< plain HTTP to `target`
    local,    ///< something that the runner itself serves: `/_/...`
  } kind = Kind::local;
  std::string method;
  HostPort target;   ///< of tunnel and forward
  std::string path;  ///< with the query; of forward and local
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, in order
  std::uint64_t body_bytes = 0;                              ///< Content-Length
  bool chunked = false;                                      ///< the body comes in chunks
  std::optional<std::string> header(std::string_view lower_case_name) const;
};

/// An answer instead: status and a sentence.
struct ProxyFault {
  int status = 400;
  std::string text;
};

inline constexpr std::size_t kProxyHeadBytesMax = 32 * 1024;

/// Reads the head of a request, up to and with its empty line. Strict: one blank between the words,
/// no folded lines, no bare line feeds, one Content-Length, no byte below a blank: whatever two
/// readers could understand in two ways is refused.
std::expected<ProxyHead, ProxyFault> parse_proxy_head(std::string_view head);

/// The head as the target gets it: its own form of the path, `Host` by the target, nothing that
/// concerns the proxy, and the connection to be closed after the answer.
std::string forwarded_head(const ProxyHead& head);

/// An answer of the proxy's own, whole.
std::string proxy_answer(int status, std::string_view text);

}  // namespace botburrow::sandbox
