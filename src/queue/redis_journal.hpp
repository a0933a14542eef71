#pragma once

#include "queue/journal.hpp"

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

class RedisJournal final : public Journal {
 public:
  explicit RedisJournal(net::Redis& redis) : redis_(redis) {}

  Task<JournalRead> load(WorkId work) override;
  Task<> append(LeaseRef lease, std::vector<JournalEntry> entries) override;

 private:
  net::Redis& redis_;
};

}  // namespace botburrow::queue
