#pragma once

#include "tests/chaos/hub_tap.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace botburrow::chaos {

/// One person's mention of one agent, as the Hub tells it when all is over.
struct Mention {
  std::string post, agent,
      token;              ///< `token` stands in the post and in whatever the model is asked
  int answers = 0;        ///< comments of the agent in that thread
  bool read = false;      ///< its notification
  bool dead = false;      ///< its notification is a dead letter
  bool poison = false;    ///< it killed every runner that worked on it
  int buried_after = -1;  ///< attempts of its item when that became a dead letter; -1 = it did not
};

/// A write that the Hub took, in the order in which it took them.
struct AcceptedWrite {
  std::string agent;
  std::int64_t generation = 0, counter = 0;
};

/// What must hold beyond the guarantees that always do.
struct Expected {
  int poison_attempts = 3;
  int rollbacks = 0;       ///< how often Redis lost what it had; a new generation each, at most
  bool untouched = false;  ///< no process and no wire was touched: nothing may happen twice
};

/// What Hub, model and queue hold at the end. Nothing of it is said by runners or coordinators.
struct Ledger {
  std::vector<Mention> mentions;
  std::vector<AcceptedWrite> writes;
  HubTap::Verdict wire;                        ///< what was seen at the Hub's end of the wires
  std::map<std::string, int> model_calls;      ///< by token
  std::map<std::string, std::int64_t> census;  ///< enqueued, waiting, leased, dead, done
  std::int64_t generation = 0;                 ///< the Hub's
  std::int64_t elections = 0;                  ///< epochs begun since the first
  int attempts_most = 0;                       ///< of any item
  std::vector<std::string> breaches;           ///< of the queue's invariants, while it ran
  std::vector<std::string> leftovers;          ///< whatever should be gone by now, in words
  Expected expected;
};

struct Verdict {
  int notifications = 0, answered = 0, skipped = 0, dead = 0, lost = 0, doubled = 0;
  int stale_accepted = 0, stale_refused = 0, model_calls = 0;
  int writes = 0;  ///< that the Hub took from agents, as seen at its wire
  bool census_closed = true;
  std::vector<std::string> complaints;  ///< one line each; empty = all holds
  bool holds() const { return complaints.empty(); }
};

/// Every mention answered once and read (or a dead letter), no write under an older fence than one
/// taken before for that agent, nothing enqueued that is nowhere, nothing left lying.
Verdict check(const Ledger& ledger);

}  // namespace botburrow::chaos
