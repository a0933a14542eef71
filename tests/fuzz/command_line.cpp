#include "tools/command_line.hpp"

#include "tests/fuzz/targets.hpp"
#include "tools/bash_rules.hpp"

namespace botburrow::fuzz {
namespace {

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word)
    c == '\'' ? text += "'\\''" : text += c;
  return text + "'";
}

}  // namespace

void command_line(std::string_view bytes) {
  const auto words = tools::split_command(bytes);
  if (words) {
    require(!words->empty(), "a command has a program");
    std::string again;
    for (const auto& word : *words)
      again += quoted(word) + " ";
    const auto same = tools::split_command(again);
    require(same && *same == *words, "words that are quoted are the same words");
  } else {
    require(!words.error().empty(), "a refusal has words");
  }
  const auto plan = tools::plan_command({.enabled = true}, bytes);
  if (!plan) return;
  require(plan->only_itself, "the programs that look start no others");
  const auto& names = tools::harmless_programs();
  require(std::ranges::find(names, plan->argv.front()) != names.end(),
          "no other program is started");
}

}  // namespace botburrow::fuzz
