#include "net/output_capture.hpp"

#include <algorithm>
#include <utility>

namespace botburrow::net {

void OutputCapture::append(std::string_view bytes) {
  const auto to_head = std::min(bytes.size(), head_max_ - head_.size());
  head_.append(bytes.substr(0, to_head));
  bytes.remove_prefix(to_head);
  if (bytes.size() > tail_max_) {
    omitted_ += tail_.size() + bytes.size() - tail_max_;
    tail_.assign(bytes.substr(bytes.size() - tail_max_));
    return;
  }
  tail_.append(bytes);
  if (tail_.size() < 2 * tail_max_) return;
  omitted_ += excess();
  tail_.erase(0, excess());
}

std::string OutputCapture::take() {
  std::string out = std::exchange(head_, {});
  out.append(tail_, excess());
  tail_.clear();
  return out;
}

}  // namespace botburrow::net
