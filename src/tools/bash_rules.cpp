#include "tools/bash_rules.hpp"

#include "base/json.hpp"
#include "tools/command_line.hpp"
#include "tools/grant_table.hpp"
#include "tools/linear_regex.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

namespace botburrow::tools {
namespace {

/// A courtesy: models understand a refusal better than a failure.
constexpr std::array<std::string_view, 14> kBlocked{
    R"(rm\s+-rf\s+/)",  R"(rm\s+-rf\s+~)",    R"(sudo\s+)",       R"(chmod\s+777)",
    R"(curl.*\|\s*sh)", R"(curl.*\|\s*bash)", R"(wget.*\|\s*sh)", R"(wget.*\|\s*bash)",
    R"(eval\s*\()",     R"(>\s*/etc/)",       R"(>\s*/var/)",     R"(docker\s+)",
    R"(nsenter\s+)",    R"(mount\s+)"};

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) == lower(b);
  };
  return !part.empty() && !std::ranges::search(text, part, same).empty();
}

/// A pattern is a plain part of the text, or a regular expression if it is one.
bool pattern_speaks_against(std::string_view command, const std::string& pattern) {
  if (contains_ignoring_case(command, pattern)) return true;
  const auto regex = LinearRegex::parse(pattern, {.ignore_case = true});
  return regex && regex->found_in(command);
}

std::optional<std::string> blocking_pattern(const definitions::Shell& shell,
                                            std::string_view command) {
  for (const auto pattern : kBlocked) {
    // At the beginning of a word, or "the amount is" would be a mount.
    const bool word = pattern.front() >= 'a' && pattern.front() <= 'z';
    const auto regex =
        LinearRegex::parse((word ? "\\b" : "") + std::string(pattern), {.ignore_case = true});
    if (regex && regex->found_in(command)) return std::string(pattern);
  }
  for (const auto& pattern : shell.blocked_patterns) {
    if (!pattern.empty() && pattern_speaks_against(command, pattern)) return pattern;
  }
  return std::nullopt;
}

std::optional<std::string> allowed_shell(const definitions::Shell& shell) {
  for (const auto* name : {"bash", "sh"}) {
    if (std::ranges::find(shell.allowed_commands, name) != shell.allowed_commands.end())
      return name;
  }
  return std::nullopt;
}

}  // namespace

const std::vector<std::string>& harmless_programs() {
  static const std::vector<std::string> names{"cat",  "cut",  "date", "diff",      "echo",
                                              "head", "ls",   "pwd",  "sha256sum", "sort",
                                              "stat", "tail", "tr",   "uniq",      "wc"};
  return names;
}

std::expected<BashPlan, BashRefusal> plan_command(const definitions::Shell& shell,
                                                  std::string_view command) {
  const auto refuse = [](std::string text, std::string_view missing = "") {
    return std::unexpected(BashRefusal{.text = std::move(text), .missing = std::string(missing)});
  };
  if (const auto pattern = blocking_pattern(shell, command))
    return refuse(fmt::format("Command blocked by policy: {}", *pattern));
  if (const auto name = allowed_shell(shell)) {
    if (command.find('\0') != std::string_view::npos)
      return refuse("the command holds a zero byte");
    return BashPlan{.argv = {*name, "-c", "--", std::string(command)}};
  }
  auto words = split_command(command);
  if (!words) return refuse(words.error());
  const auto& allowed =
      shell.allowed_commands.empty() ? harmless_programs() : shell.allowed_commands;
  const auto& program = words->front();
  if (std::ranges::find(allowed, program) == allowed.end()) {
    return refuse(fmt::format("Command blocked by policy: {} is not among the allowed commands of "
                              "this agent ({}): {}",
                              valid_utf8(utf8_prefix(program, 100)), kShellCommands,
                              fmt::join(allowed, ", ")),
                  kShellCommands);
  }
  const auto& harmless = harmless_programs();
  const bool only_itself = std::ranges::find(harmless, program) != harmless.end();
  return BashPlan{.argv = std::move(*words), .only_itself = only_itself};
}

}  // namespace botburrow::tools
