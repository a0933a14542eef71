#include "tests/chaos/queue_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace botburrow::chaos {

std::string_view sample_script() {
  return R"lua(
local call = redis.call
local seen, waiting, twice = {}, {}, 0
local function look(element)
  local agent = string.match(element, '"agent_id": ?"([^"]*)"') or '?'
  if seen[agent] then twice = twice + 1 end
  seen[agent] = true
  waiting[#waiting + 1] = agent
end
for _, lane in ipairs({'high', 'normal', 'low'}) do
  for _, element in ipairs(call('LRANGE', 'work:queue:' .. lane, 0, -1)) do look(element) end
end
for _, element in ipairs(call('ZRANGE', 'work:deferred', 0, -1)) do look(element) end
local dead = 0
for _, letter in ipairs(call('LRANGE', 'work:dead', 0, -1)) do
  if string.find(letter, '"kind": ?"item"') then dead = dead + 1 end
end
local held = {}
local processing = call('HGETALL', 'work:processing')
for i = 1, #processing, 2 do
  held[i] = processing[i]
  held[i + 1] = string.match(processing[i + 1], '^[^\n]*')
end
local stats = call('HMGET', 'work:stats', 'enqueued', 'done')
return {{stats[1] or '0', stats[2] or '0', tostring(dead), tostring(twice),
         tostring(call('HLEN', 'work:queued')), tostring(call('HLEN', 'work:leases')),
         tostring(call('HLEN', 'work:active')), call('GET', 'work:fence') or '0',
         call('GET', 'coordinator:epoch') or '0', call('GET', 'work:generation') or ''},
        held, waiting}
)lua";
}

Held held_of(std::string_view line) {
  std::istringstream words{std::string(line)};
  Held held;
  std::string lane;
  words >> held.fence >> held.attempt >> lane >> held.runner >> held.activation >> held.work;
  return held;
}

void Invariants::expect(bool holds, const std::string& name, const std::string& detail) {
  if (holds) return;
  auto& breach = breaches_[name];
  if (breach.times++ == 0) breach.first = detail;
}

void Invariants::see(const QueueSample& s) {
  ++samples_;
  const auto held = static_cast<std::int64_t>(s.held.size());
  expect(s.enqueued == s.waiting + held + s.dead_items + s.done, "the census is open",
         fmt::format("enqueued {} <> waiting {} + leased {} + dead {} + done {}", s.enqueued,
                     s.waiting, held, s.dead_items, s.done));
  expect(s.queued == s.waiting, "work:queued does not tell what waits",
         fmt::format("{} entries, {} elements", s.queued, s.waiting));
  expect(s.leases == held && s.active == held, "the traces of a claim differ",
         fmt::format("processing {}, leases {}, active {}", held, s.leases, s.active));
  expect(s.twice == 0, "an agent waits twice", fmt::format("{} elements too many", s.twice));
  expect(s.epoch >= epoch_, "the epoch fell", fmt::format("from {} to {}", epoch_, s.epoch));
  expect(s.generation != generation_ || s.fence >= fence_, "the fence fell",
         fmt::format("from {} to {}", fence_, s.fence));
  for (const auto& [agent, claim] : s.held) {
    // A claim may be older than the generation, whose counter began anew.
    expect(rolled_back_ || claim.fence <= s.fence, "a claim's fence was never given out",
           fmt::format("{} of {}, counter {}", claim.fence, agent, s.fence));
    attempts_most_ = std::max(attempts_most_, claim.attempt);
  }
  epoch_ = s.epoch;
  fence_ = s.fence;
  generation_ = s.generation;
}

void Invariants::forget() {
  epoch_ = fence_ = 0;
  generation_.clear();
  rolled_back_ = true;
}

std::vector<std::string> Invariants::complaints() const {
  std::vector<std::string> lines;
  for (const auto& [name, breach] : breaches_)
    lines.push_back(
        fmt::format("{} ({} of {} looks), first: {}", name, breach.times, samples_, breach.first));
  return lines;
}

void Recoveries::killed(const std::string& runner, const QueueSample& sample, double at) {
  for (const auto& [agent, claim] : sample.held) {
    if (claim.runner != runner) continue;
    orphans_[agent] = {
        .activation = claim.activation, .work = claim.work, .since = at, .attempt = claim.attempt};
  }
}

void Recoveries::see(const QueueSample& sample, double at) {
  std::erase_if(orphans_, [&](const auto& entry) {
    const auto& [agent, orphan] = entry;
    const auto held = sample.held.find(agent);
    // Its completion may have been on its way: then nothing of it is left.
    if (held == sample.held.end()) return !sample.waiting_agents.contains(agent);
    if (held->second.activation == orphan.activation) return false;
    if (held->second.work == orphan.work) {
      recovered_.push_back({.seconds = at - orphan.since, .crashes = orphan.attempt});
    }
    return true;
  });
}

}  // namespace botburrow::chaos
