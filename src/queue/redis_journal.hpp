#pragma once

#include "queue/journal.hpp"

#include <chrono>

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

class RedisJournal final : public Journal {
 public:
  /// `kept`: how long a journal stays once its work is done or dead.
  explicit RedisJournal(net::Redis& redis, std::chrono::seconds kept = std::chrono::hours(24))
      : redis_(redis), kept_(kept) {}

  Task<JournalRead> load(WorkId work) override;
  Task<> append(LeaseRef lease, std::vector<JournalEntry> entries) override;

 private:
  net::Redis& redis_;
  std::chrono::seconds kept_;
};

}  // namespace botburrow::queue
