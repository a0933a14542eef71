#pragma once

#include "tests/chaos/queue_sample.hpp"

#include <string>
#include <vector>

namespace botburrow::chaos {

/// How long the system went without something. In seconds of this process's own steady clock.
class Failovers {
 public:
  /// The leader of `epoch` ends now; `token` is a mention that is posted in the same moment.
  void leader_ended(std::string how, std::int64_t epoch, std::string token, double at);
  void see(const QueueSample& sample, double at);
  /// The model was asked about this mention: somebody has enqueued it, somebody works on it.
  void model_asked(const std::string& token, double at);
  void redis_ready(double seconds) { redis_ready_.push_back(seconds); }

  /// `elected`: until there is a new epoch. `acted`: until the mention reached the model.
  std::vector<double> elected(const std::string& how) const;
  std::vector<double> acted(const std::string& how) const;
  const std::vector<double>& redis_ready() const { return redis_ready_; }
  /// Those of which the end was not seen.
  int open() const;

 private:
  struct Failover {
    std::string how, token;
    std::int64_t epoch = 0;
    double since = 0, elected = -1, acted = -1;
  };
  std::vector<Failover> all_;
  std::vector<double> redis_ready_;
};

}  // namespace botburrow::chaos
