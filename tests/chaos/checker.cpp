#include "tests/chaos/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace botburrow::chaos {
namespace {

std::string name_of(const Mention& mention) {
  return fmt::format("{} for {} (post {})", mention.token, mention.agent, mention.post);
}

void judge_poison(const Mention& mention, const Ledger& ledger, Verdict& verdict) {
  const int wanted = ledger.expected.poison_attempts;
  const auto calls = ledger.model_calls.find(mention.token);
  const int runs = calls == ledger.model_calls.end() ? 0 : calls->second;
  if (mention.answers > 0)
    verdict.complaints.push_back("a poisoned mention was answered: " + name_of(mention));
  if (mention.buried_after != wanted) {
    verdict.complaints.push_back(fmt::format(
        "poison: {}: {} (expected a dead letter after {} attempts)", name_of(mention),
        mention.buried_after < 0 ? "no dead letter"
                                 : fmt::format("a dead letter after {}", mention.buried_after),
        wanted));
  }
  if (runs != wanted) {
    verdict.complaints.push_back(
        fmt::format("poison: {}: {} runs began, expected {}", name_of(mention), runs, wanted));
  }
  ++verdict.dead;
}

void judge(const Mention& mention, Verdict& verdict) {
  if (mention.answers > 1) {
    ++verdict.doubled;
    verdict.complaints.push_back(
        fmt::format("doubled: {}: {} answers", name_of(mention), mention.answers));
  }
  if (mention.answers > 0) {
    ++verdict.answered;
    if (!mention.read) verdict.complaints.push_back("answered but unread: " + name_of(mention));
  } else if (mention.dead) {
    ++verdict.dead;
  } else {
    ++verdict.lost;
    verdict.complaints.push_back(fmt::format("lost: {}: no answer, {}", name_of(mention),
                                             mention.read ? "marked read" : "unread"));
  }
}

void judge_fences(const std::vector<AcceptedWrite>& writes, Verdict& verdict) {
  std::map<std::string, FencePair> highest;
  for (const auto& write : writes) {
    const FencePair shown{write.generation, write.counter};
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

// Guarantee G27: clocks that jump end no lease and no leadership.
void judge_untouched(const Ledger& ledger, Verdict& verdict) {
  if (ledger.elections > 0) {
    verdict.complaints.push_back(
        fmt::format("{} elections, and nobody had touched the leader", ledger.elections));
  }
  if (ledger.attempts_most > 1) {
    verdict.complaints.push_back(
        fmt::format("an item was claimed {} times, and nobody had died", ledger.attempts_most));
  }
  for (const auto& [token, calls] : ledger.model_calls) {
    if (calls > 1)
      verdict.complaints.push_back(fmt::format("{}: the model was asked {} times", token, calls));
  }
}

}  // namespace

Verdict check(const Ledger& ledger) {
  Verdict verdict;
  verdict.notifications = static_cast<int>(ledger.mentions.size());
  for (const auto& mention : ledger.mentions) {
    if (mention.poison)
      judge_poison(mention, ledger, verdict);
    else
      judge(mention, verdict);
  }
  judge_fences(ledger.writes, verdict);
  // The table and the wire may tell of the same write.
  verdict.stale_accepted = std::max(verdict.stale_accepted, ledger.wire.stale_accepted);
  verdict.stale_refused = ledger.wire.refused_stale;
  verdict.writes = ledger.wire.writes;
  judge_census(ledger.census, verdict);
  if (ledger.expected.untouched) judge_untouched(ledger, verdict);
  for (const auto& [token, calls] : ledger.model_calls)
    verdict.model_calls += calls;
  if (ledger.generation > 1 + ledger.expected.rollbacks)
    verdict.complaints.push_back(
        fmt::format("generation {}: Redis was taken for rolled back, and was so {} times",
                    ledger.generation, ledger.expected.rollbacks));
  for (const auto& breach : ledger.breaches)
    verdict.complaints.push_back("while it ran: " + breach);
  for (const auto& complaint : ledger.wire.complaints)
    verdict.complaints.push_back("at the Hub's wire: " + complaint);
  for (const auto& left : ledger.leftovers)
    verdict.complaints.push_back("left over: " + left);
  return verdict;
}

}  // namespace botburrow::chaos
