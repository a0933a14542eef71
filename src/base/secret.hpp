#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace botburrow {

/// A value that cannot be printed or formatted by accident: it has no stream operator, no
/// formatter and no conversion. `reveal()` is for the one place that sends it.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  /// "set (len 40)" or "unset".
  std::string masked() const {
    return value_.empty() ? "unset" : "set (len " + std::to_string(value_.size()) + ")";
  }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace botburrow
