#pragma once

#include "queue/work_queue.hpp"

namespace botburrow::runner {

/// Notices fences that do not grow: a sign that Redis was rolled back (guarantee G10). Answers that
/// were waited for through a reconnect can overtake each other, so a sign is no proof.
class FenceWatch {
 public:
  /// False: not above the last one of its generation. Only a fence that is above is remembered.
  bool grows(queue::Fence fence) {
    if (last_ && fence.generation == last_->generation && fence.counter <= last_->counter)
      return false;
    last_ = fence;
    return true;
  }
  /// Whether what Redis holds now proves it: a counter below one that it gave out.
  bool proven_by(const queue::GenerationSeen& seen) const {
    return last_ && seen.generation && seen.generation->number == last_->generation &&
           seen.fence < last_->counter;
  }
  void forget() { last_.reset(); }

 private:
  std::optional<queue::Fence> last_;
};

}  // namespace botburrow::runner
