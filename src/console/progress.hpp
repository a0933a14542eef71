#pragma once

#include "base/ids.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace botburrow::console {

/// How far a running activation is, by the lines of its journal. Each line is read once. Rules.
class Progress {
 public:
  explicit Progress(ActivationId activation) : activation_(std::move(activation)) {}

  /// Lines as stored, the first of which is line `from` of the journal. Those that were taken
  /// before are passed over.
  void take(std::int64_t from, const std::vector<std::string>& lines);
  /// Where to read on.
  std::int64_t next() const { return next_; }

  std::int64_t steps() const { return steps_; }  ///< times a model was asked
  double cost_usd() const { return cost_usd_; }
  const std::string& doing() const { return doing_; }  ///< a few words; empty: nothing yet
  const std::string& since() const { return since_; }  ///< RFC 3339, the runner's clock

 private:
  void take_line(const std::string& line);

  ActivationId activation_;
  std::int64_t next_ = 0;
  std::int64_t steps_ = 0;
  double cost_usd_ = 0;
  std::string doing_;
  std::string since_;
};

}  // namespace botburrow::console
