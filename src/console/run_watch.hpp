#pragma once

#include "base/task.hpp"
#include "console/progress.hpp"
#include "queue/operator_pages.hpp"

#include <map>
#include <string>
#include <vector>

namespace botburrow::console {

/// Follows the journals of running activations that somebody looks at. Of each journal every line
/// is read once, however often it is looked at, and only kLinesMax at a time.
class RunWatch {
 public:
  static constexpr std::int64_t kLinesMax = 64;
  static constexpr std::size_t kFollowedMax = 1000;

  explicit RunWatch(queue::OperatorPages& pages) : pages_(pages) {}

  /// Reads on in the journals of these. Throws Error{redis_unavailable}.
  Task<> follow(std::vector<queue::ActiveActivation> activations);
  /// What is known of one; null where nothing is.
  const Progress* find(const std::string& activation_id) const;

 private:
  queue::OperatorPages& pages_;
  std::map<std::string, Progress> followed_;
};

}  // namespace botburrow::console
