#pragma once

#include "llm/model.hpp"

#include <string>
#include <vector>

namespace botburrow::llm {

/// One side's turn. Users and assistants take turns except where a vendor paused an answer.
struct Turn {
  bool assistant = false;
  std::string text;                 ///< never blank only; empty where there is none
  std::vector<ToolCall> calls;      ///< assistant
  std::vector<ToolResult> results;  ///< user: one for every call of the turn before, in its order
  json::array provider_blocks;      ///< assistant; only those of the provider asked for
};

/// A transcript as every vendor accepts it.
struct Transcript {
  std::string system;  ///< all system texts, joined by empty lines
  std::vector<Turn> turns;
};

/// Brings messages into the order vendors insist on: users' texts in a row become one, results
/// stand directly after their calls, a call without a result gets one that says so, results without
/// a call become text, blank texts vanish, and a user begins. Blocks are kept where
/// `provider_blocks_of` is `blocks_of`.
Transcript arranged(const std::vector<Message>& messages, std::string_view blocks_of);

/// How many calls a transcript holds: the next made-up id continues from here.
std::size_t calls_in(const std::vector<Message>& messages);

/// True for a text of nothing but white space.
bool is_blank(std::string_view text);

}  // namespace botburrow::llm
