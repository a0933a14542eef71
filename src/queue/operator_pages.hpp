#pragma once

#include "base/ids.hpp"
#include "base/task.hpp"
#include "queue/operator_view.hpp"
#include "queue/results.hpp"
#include "queue/work_item.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

/// One page of a list: from `offset` on, at most `limit`.
struct PageAsk {
  std::size_t offset = 0;
  std::size_t limit = 50;
};

/// What `work:why` says last of an agent; empty where it says nothing.
struct LastWord {
  std::string at, outcome, reason;
};

/// Lines of a journal from `from` on.
struct TailAsk {
  WorkId work;
  std::int64_t from = 0;
};

/// Lists in pages, for the console: what a page costs does not grow with the list. Reads only.
/// Throws Error{redis_unavailable}.
class OperatorPages {
 public:
  explicit OperatorPages(net::Redis& redis) : redis_(redis) {}

  /// Next to be taken first.
  Task<std::vector<Waiting>> waiting(Priority queue, PageAsk ask);
  /// Due first.
  Task<std::vector<Waiting>> deferred(PageAsk ask);

  struct Ended {
    std::vector<ActivationResult> results;  ///< newest first; unreadable ones are left out
    std::size_t read = 0;                   ///< elements looked at
    std::int64_t total = 0;
  };
  Task<Ended> ended(PageAsk ask);

  /// Records of these running activations, in this order.
  Task<std::vector<ActiveActivation>> activations(
      std::vector<std::pair<std::string, std::string>> agents_and_runners);
  /// The work that each of these agents is at; empty where it is at none.
  Task<std::vector<WorkId>> works(std::vector<std::string> agents);
  /// As stored, at most `lines_max` of each; what a line keeps apart stays apart.
  Task<std::vector<std::vector<std::string>>> tails(std::vector<TailAsk> asks,
                                                    std::int64_t lines_max);

  /// agent → `high:inbox`, of all that wait in queues or are deferred.
  Task<std::map<std::string, std::string>> queued();
  Task<std::vector<LastWord>> last_words(std::vector<std::string> agents);

 private:
  net::Redis& redis_;
};

}  // namespace botburrow::queue
