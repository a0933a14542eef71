#include "tests/chaos/checker.hpp"

#include <fmt/format.h>

#include <utility>

namespace botburrow::chaos {
namespace {

void judge(const Mention& mention, Verdict& verdict) {
  const auto name = fmt::format("{} for {} (post {})", mention.token, mention.agent, mention.post);
  if (mention.answers > 1) {
    ++verdict.doubled;
    verdict.complaints.push_back(fmt::format("doubled: {}: {} answers", name, mention.answers));
  }
  if (mention.answers > 0) {
    ++verdict.answered;
    if (!mention.read) verdict.complaints.push_back("answered but unread: " + name);
  } else if (mention.dead) {
    ++verdict.dead;
  } else {
    ++verdict.lost;
    verdict.complaints.push_back(
        fmt::format("lost: {}: no answer, {}", name, mention.read ? "marked read" : "unread"));
  }
}

void judge_fences(const std::vector<AcceptedWrite>& writes, Verdict& verdict) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> highest;
  for (const auto& write : writes) {
    const std::pair shown{write.generation, write.counter};
    auto& known = highest[write.agent];
    if (shown < known) {
      ++verdict.stale_accepted;
      verdict.complaints.push_back(fmt::format("stale write accepted: {} under {}.{} after {}.{}",
                                               write.agent, shown.first, shown.second, known.first,
                                               known.second));
    } else {
      known = shown;
    }
  }
}

void judge_census(const std::map<std::string, std::int64_t>& census, Verdict& verdict) {
  if (census.empty()) return;
  const auto of = [&](const char* name) {
    const auto found = census.find(name);
    return found == census.end() ? 0 : found->second;
  };
  const auto found = of("waiting") + of("leased") + of("dead") + of("done");
  verdict.census_closed = of("enqueued") == found;
  if (!verdict.census_closed) {
    verdict.complaints.push_back(fmt::format(
        "census open: enqueued {} = waiting {} + leased {} + dead {} + done {} does not hold",
        of("enqueued"), of("waiting"), of("leased"), of("dead"), of("done")));
  }
}

}  // namespace

Verdict check(const Ledger& ledger) {
  Verdict verdict;
  verdict.notifications = static_cast<int>(ledger.mentions.size());
  for (const auto& mention : ledger.mentions)
    judge(mention, verdict);
  judge_fences(ledger.writes, verdict);
  judge_census(ledger.census, verdict);
  for (const auto& [token, calls] : ledger.model_calls)
    verdict.model_calls += calls;
  if (ledger.generation > 1)
    verdict.complaints.push_back(fmt::format(
        "generation {}: Redis was taken for rolled back, and had lost nothing", ledger.generation));
  for (const auto& left : ledger.leftovers)
    verdict.complaints.push_back("left over: " + left);
  return verdict;
}

}  // namespace botburrow::chaos
