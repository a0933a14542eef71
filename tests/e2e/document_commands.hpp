#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::e2e {

/// A command that a document tells its reader to give.
struct DocumentCommand {
  std::string page;  ///< from the root of the repository on
  int line = 0;
  std::string text;     ///< without its comment; continued lines are one
  bool fenced = false;  ///< of a fenced block; else code within a sentence or a table
  std::string where() const;
};

/// The documents that are read for commands, sorted.
std::vector<std::filesystem::path> pages_with_commands();

/// Every line of fenced shell blocks, and every piece of code in the text that is a whole command
/// of a program we know. A table whose first heading is `PROGRAM …` leaves PROGRAM out in its rows.
std::vector<DocumentCommand> commands_of(const std::string& page, const std::string& text);

/// One line of documents/commands.txt: what is done with a command that is not simply run.
struct CommandRule {
  std::string action;  ///< skip, check, up
  std::vector<int> codes;
  std::string page, line, why;
  bool fits(const DocumentCommand& command) const;
};
/// Throws naming the line that is not of the form ACTION | PAGE | LINE | WHY.
std::vector<CommandRule> parse_command_rules(const std::string& text);

std::string first_word(const std::string& text);
std::vector<std::string> words_of(const std::string& text);
std::string replace_all(std::string text, const std::string& what, const std::string& by);
/// Replaces `what` where it stands as a word of its own.
std::string replace_word(std::string text, const std::string& what, const std::string& by);

}  // namespace botburrow::e2e
