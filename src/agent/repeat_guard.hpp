#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace botburrow::agent {

/// Notices an agent that goes in circles, over (tool, arguments, result): the same triple several
/// times in a row, or a cycle of two or three triples.
class RepeatGuard {
 public:
  enum class Verdict {
    fine,
    warn,  ///< third time round: tell the model
    stop,  ///< fifth time round: end the run
  };

  Verdict saw(std::string_view tool, std::string_view arguments, std::string_view result);

 private:
  std::size_t rounds_of_cycle(std::size_t length) const;
  std::deque<std::size_t> triples_;
};

}  // namespace botburrow::agent
