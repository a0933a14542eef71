#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace botburrow::net {

/// Keeps the first and the last bytes of a stream, and counts what fell out between them.
class OutputCapture {
 public:
  /// Half of `bytes_max` is for the beginning, the rest for the end.
  explicit OutputCapture(std::size_t bytes_max)
      : head_max_(bytes_max / 2), tail_max_(bytes_max - bytes_max / 2) {}

  void append(std::string_view bytes);
  std::size_t omitted() const { return omitted_ + excess(); }
  /// Beginning and end together; leaves the capture empty.
  std::string take();

 private:
  std::size_t excess() const { return tail_.size() > tail_max_ ? tail_.size() - tail_max_ : 0; }
  std::size_t head_max_;
  std::size_t tail_max_;
  std::string head_;
  std::string tail_;  // up to twice tail_max_, so that cutting it is rare
  std::size_t omitted_ = 0;
};

}  // namespace botburrow::net
