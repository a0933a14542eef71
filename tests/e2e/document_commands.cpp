#include "document_commands.hpp"

#include "tests/base/source_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace botburrow::e2e {
namespace {

constexpr std::array kPrograms = {
    "botburrow", "kubectl",    "redis-cli", "redis-check-aof",        "curl", "docker", "sudo",
    "systemctl", "journalctl", "./dev",     "build/release/botburrow"};

std::string trimmed(const std::string& text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

std::string without_comment(const std::string& line) {
  static const std::regex comment(R"((^|\s+)#\s.*$)");
  return trimmed(std::regex_replace(line, comment, ""));
}

bool is_program(const std::string& word) {
  return std::ranges::find(kPrograms, word) != kPrograms.end();
}

/// Pieces between single backticks.
std::vector<std::string> code_of(const std::string& line) {
  std::vector<std::string> pieces;
  for (std::size_t at = line.find('`'); at != std::string::npos; at = line.find('`', at)) {
    const auto end = line.find('`', at + 1);
    if (end == std::string::npos) break;
    pieces.push_back(line.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return pieces;
}

/// `redis-cli ` for a heading such as: command (`redis-cli …`).
std::string program_of(const std::string& heading) {
  for (const auto& code : code_of(heading)) {
    if (code.ends_with(" …")) return first_word(code) + " ";
  }
  return {};
}

class Reader {
 public:
  explicit Reader(std::string page) : page_(std::move(page)) {}

  void take(const std::string& line) {
    ++number_;
    if (trimmed(line).starts_with("```")) {
      in_shell_ = !in_block_ && trimmed(line) == "```sh";
      in_block_ = !in_block_;
      continued_.clear();
    } else if (in_shell_) {
      take_shell(line);
    } else if (!in_block_) {
      take_text(line);
    }
  }
  std::vector<DocumentCommand> found;

 private:
  void take_shell(const std::string& line) {
    auto text = without_comment(line);
    if (text.ends_with('\\')) {
      continued_ += trimmed(text.substr(0, text.size() - 1)) + " ";
      return;
    }
    text = continued_ + text;
    continued_.clear();
    if (!text.empty()) add(std::move(text), true);
  }
  void take_text(const std::string& line) {
    const bool row = line.starts_with('|');
    // A cell may hold `a \| b`; none of our commands does in a first cell.
    const auto cell = row ? line.substr(1, line.find('|', 1) - 1) : std::string();
    if (!row || !in_table_)
      column_ = row ? program_of(cell) : std::string();
    else if (!column_.empty()) {
      for (const auto& code : code_of(cell))
        add(column_ + code, false);
    }
    in_table_ = row;
    for (const auto& code : code_of(line)) {
      if (is_program(first_word(code)) && words_of(code).size() > 1 && !code.ends_with(" …"))
        add(replace_all(code, "\\|", "|"), false);
    }
  }
  void add(std::string text, bool fenced) {
    found.push_back({.page = page_, .line = number_, .text = std::move(text), .fenced = fenced});
  }

  std::string page_, column_, continued_;
  int number_ = 0;
  bool in_block_ = false, in_shell_ = false, in_table_ = false;
};

}  // namespace

std::string DocumentCommand::where() const {
  return fmt::format("{}:{}: {}", page, line, text);
}

std::vector<std::filesystem::path> pages_with_commands() {
  std::vector<std::filesystem::path> pages;
  for (const auto& file : test::files_below("docs")) {
    if (file.extension() == ".md") pages.push_back(file);
  }
  for (const auto* more : {"README.md", "CONTRIBUTING.md", "bench/README.md", "deploy/README.md",
                           "examples/README.md"})
    pages.push_back(test::source_root() / more);
  std::ranges::sort(pages);
  return pages;
}

std::vector<DocumentCommand> commands_of(const std::string& page, const std::string& text) {
  Reader reader(page);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    reader.take(line);
  return std::move(reader.found);
}

bool CommandRule::fits(const DocumentCommand& command) const {
  if (page != "*" && page != command.page) return false;
  if (line.ends_with('*')) return command.text.starts_with(line.substr(0, line.size() - 1));
  return command.text == line;
}

std::vector<CommandRule> parse_command_rules(const std::string& text) {
  static const std::regex form(R"((skip|check|up|run)((?: [0-9]+)*) \| (\S+) \| (.+) \| (.+))");
  std::vector<CommandRule> rules;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    std::smatch match;
    if (!std::regex_match(line, match, form))
      throw std::runtime_error("documents/commands.txt: not ACTION | PAGE | LINE | WHY: " + line);
    CommandRule rule{
        .action = match[1], .codes = {}, .page = match[3], .line = match[4], .why = match[5]};
    for (const auto& code : words_of(match[2]))
      rule.codes.push_back(std::stoi(code));
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::string first_word(const std::string& text) {
  return text.substr(0, text.find(' '));
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;)
    words.push_back(word);
  return words;
}

std::string replace_all(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

std::string replace_word(std::string text, const std::string& what, const std::string& by) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    const auto end = at + what.size();
    const bool whole =
        (at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end]));
    if (whole) text.replace(at, what.size(), by);
    at += whole ? by.size() : what.size();
  }
  return text;
}

}  // namespace botburrow::e2e
