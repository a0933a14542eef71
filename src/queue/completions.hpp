#pragma once

#include "base/task.hpp"
#include "queue/work_queue.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

// Inside the room only: which completions leave together.
namespace botburrow::queue {

/// Whether two completions may claim their next items in one call: they say the same of who claims.
bool may_claim_together(const ClaimRequest& a, const ClaimRequest& b);

/// How many of `pending` completions leave in the next call. Many are sent in two, where nothing is
/// under way, so that the server works on one call while the other is answered.
std::size_t group_size(std::size_t pending, bool nothing_under_way);

/// Sends completions, those that come while others are under way together: many in one call cost
/// the server less than half of what they cost alone, and a busy runner ends many at once. One that
/// comes alone is sent at once.
///
/// There is no task behind it: whoever waits longest sends for all, and hands the sending on when
/// it is done or cancelled. Cancelling one drops its answer only. The callers' coroutines must end
/// before it does.
class Completions {
 public:
  static constexpr std::size_t kTogetherMax = 64;
  /// Calls under way: while the server works on one, the next is gathered and another answered.
  static constexpr int kUnderWayMax = 2;

  /// One answer each, in order. What it throws is thrown to each of those it was called for.
  /// Those together may claim together.
  using Together = std::vector<const Completion*>;
  using Send = std::function<Task<std::vector<CompleteAnswer>>(Together together)>;
  explicit Completions(Send send) : send_(std::move(send)) {}

  Task<CompleteAnswer> complete(Completion completion);

 private:
  struct Waiting;
  using Group = std::vector<std::shared_ptr<Waiting>>;

  Group take_group(std::shared_ptr<Waiting> first);
  Task<> lead(std::shared_ptr<Waiting> own);
  Task<> send_group(Group group);
  Task<> send_each(Group group);
  void put_back(const Group& group);
  void hand_on();

  Send send_;
  std::deque<std::shared_ptr<Waiting>> waiting_;
  int under_way_ = 0;     // callers that send, or gather what to send
  int sent_ = 0;          // calls that wait for their answer
  bool crowded_ = false;  // the last call was for more than one
};

}  // namespace botburrow::queue
