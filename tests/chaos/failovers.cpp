#include "tests/chaos/failovers.hpp"

#include <algorithm>

namespace botburrow::chaos {

void Failovers::leader_ended(std::string how, std::int64_t epoch, std::string token, double at) {
  all_.push_back({.how = std::move(how), .token = std::move(token), .epoch = epoch, .since = at});
}

void Failovers::see(const QueueSample& sample, double at) {
  for (auto& one : all_) {
    if (one.elected < 0 && sample.epoch > one.epoch) one.elected = at - one.since;
  }
}

void Failovers::model_asked(const std::string& token, double at) {
  for (auto& one : all_) {
    if (one.acted < 0 && one.token == token) one.acted = at - one.since;
  }
}

std::vector<double> Failovers::elected(const std::string& how) const {
  std::vector<double> seconds;
  for (const auto& one : all_)
    if (one.how == how && one.elected >= 0) seconds.push_back(one.elected);
  return seconds;
}

std::vector<double> Failovers::acted(const std::string& how) const {
  std::vector<double> seconds;
  for (const auto& one : all_)
    if (one.how == how && one.acted >= 0) seconds.push_back(one.acted);
  return seconds;
}

int Failovers::open() const {
  return static_cast<int>(std::ranges::count_if(
      all_, [](const Failover& one) { return one.elected < 0 || one.acted < 0; }));
}

}  // namespace botburrow::chaos
