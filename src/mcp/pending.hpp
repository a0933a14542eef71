#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace botburrow::mcp {

/// Requests on their way, by id. Ids increase, so every id up to the newest that is not in here has
/// had its answer, or nobody waits for it any more.
template <class Waiter>
class Pending {
 public:
  enum class Known { waiting, used, unknown };

  void add(std::int64_t id, Waiter& waiter) {
    BB_ASSERT(!waiters_.contains(id));
    note(id);
    waiters_.emplace(id, &waiter);
  }
  /// An id that is used although nobody waits for its answer.
  void note(std::int64_t id) { newest_id_ = id > newest_id_ ? id : newest_id_; }
  void remove(std::int64_t id) { waiters_.erase(id); }

  Waiter* find(std::int64_t id) const {
    const auto found = waiters_.find(id);
    return found == waiters_.end() ? nullptr : found->second;
  }
  Known known(std::int64_t id) const {
    if (waiters_.contains(id)) return Known::waiting;
    return id > 0 && id <= newest_id_ ? Known::used : Known::unknown;
  }
  /// The one that waits, if only one does.
  Waiter* only() const { return waiters_.size() == 1 ? waiters_.begin()->second : nullptr; }
  std::vector<Waiter*> all() const {
    std::vector<Waiter*> list;
    for (const auto& [id, waiter] : waiters_)
      list.push_back(waiter);
    return list;
  }

 private:
  std::int64_t newest_id_ = 0;
  std::map<std::int64_t, Waiter*> waiters_;
};

}  // namespace botburrow::mcp
