#include "net/http_message.hpp"
#include "tests/fuzz/targets.hpp"

namespace botburrow::fuzz {

void http_head(std::string_view bytes) {
  using State = net::HeadScanner::State;
  net::HeadScanner once;
  const auto whole = once.look(bytes);
  net::HeadScanner growing;
  std::string so_far;
  auto state = State::incomplete;
  in_pieces(bytes, static_cast<unsigned>(bytes.size()), [&](std::string_view piece) {
    if (state != State::incomplete) return;
    so_far += piece;
    state = growing.look(so_far);
  });
  require(bytes.empty() || state == whole, "a head does not depend on how the bytes came");
  std::string path, query;
  const auto target = bytes.substr(0, bytes.find_first_of(" \r\n"));
  if (net::split_target(target, path, query)) {
    require(path.starts_with('/'), "a path begins with a slash");
    net::parse_query(query);
  }
}

}  // namespace botburrow::fuzz
