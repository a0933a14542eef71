#pragma once

#include "cli/output.hpp"
#include "cli/system.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace botburrow::cli {

/// What became of one mention.
struct MentionOutcome {
  std::string agent;
  std::string outcome;  ///< answered, skipped, failed, or missing (no word from it in time)
  std::string reason;   ///< why there is no answer
  std::string comment_id;
  std::string text;  ///< of the answer
  int answers = 0;
};

struct DemoThread {
  std::string post_id, author, content;
  std::vector<MentionOutcome> mentioned;
};

struct DemoStory {
  std::vector<DemoThread> threads;
  std::string sandbox;         ///< tier of the runner; empty: not known in time
  std::string sandbox_reason;  ///< why nothing better

  /// Every mention has exactly one answer, or a reason why not.
  bool complete() const;
};

/// A person posts, mentioning every agent; waits until each has answered or said why not.
Task<DemoStory> tell_demo_story(System& system, std::chrono::seconds patience);

/// {"sandbox":{"tier","reason"},
///  "threads":[{"post_id","mentioned":[{"agent","outcome","reason","comment_id"}]}]}
boost::json::value to_document(const DemoStory& story);
/// For people. `definitions`: the folder of the agents, as one types it here.
void print_story(const Output& out, const DemoStory& story, const std::string& definitions);

}  // namespace botburrow::cli
