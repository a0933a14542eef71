#include "tools/command_line.hpp"

#include <fmt/format.h>

namespace botburrow::tools {
namespace {

/// What the character would start in a shell; empty for a plain one.
std::string_view meaning_of(char c, bool word_begins) {
  switch (c) {
    case '|':
      return "a pipe";
    case '&':
      return "a background job or list";
    case ';':
      return "a list of commands";
    case '\n':
      return "several lines";
    case '<':
    case '>':
      return "a redirection";
    case '(':
    case ')':
      return "a subshell";
    case '$':
      return "a variable or substitution";
    case '`':
      return "a substitution";
    case '*':
    case '?':
    case '[':
      return "a pattern of file names";
    case '#':
      return word_begins ? "a comment" : "";
    case '~':
      return word_begins ? "a home folder" : "";
    case '!':
      return word_begins ? "a negation" : "";
    default:
      return "";
  }
}

std::string refusal(std::string_view what, char c) {
  return fmt::format(
      "shell syntax is not available here: {} ({}); give one program with its arguments, and put "
      "such characters in single quotes where they are meant as text",
      what, c == '\n' ? std::string("a line end") : std::string(1, c));
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::expected<std::vector<std::string>, std::string> split() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r') {
        end_word();
        ++at_;
        continue;
      }
      if (const auto fault = take(c); !fault.empty()) return std::unexpected(fault);
    }
    end_word();
    if (words_.empty()) return std::unexpected("the command is empty");
    const auto& first = words_.front();
    if (const auto equals = first.find('='); equals != std::string::npos && equals > 0)
      return std::unexpected(refusal("an assignment", '='));
    return std::move(words_);
  }

 private:
  std::string take(char c) {
    if (c == '\'') return take_single();
    if (c == '"') return take_double();
    if (c == '\\') {
      if (at_ + 1 >= text_.size()) return "the command ends with a backslash";
      add(text_[at_ + 1]);
      at_ += 2;
      return "";
    }
    if (c == '{' && is_brace_expansion()) return refusal("a choice of words", c);
    if (const auto meaning = meaning_of(c, !in_word_); !meaning.empty()) return refusal(meaning, c);
    add(c);
    ++at_;
    return "";
  }

  std::string take_single() {
    const auto end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos) return "a single quote is not closed";
    in_word_ = true;
    word_.append(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return "";
  }

  std::string take_double() {
    in_word_ = true;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return "";
      }
      if (c == '$' || c == '`') return refusal(meaning_of(c, false), c);
      const bool escapes =
          c == '\\' && at_ + 1 < text_.size() &&
          std::string_view("\\\"$`").find(text_[at_ + 1]) != std::string_view::npos;
      if (escapes) ++at_;
      word_ += text_[at_];
    }
    return "a double quote is not closed";
  }

  /// `{}` and `{a}` are words to a shell, `{a,b}` and `{1..3}` are several.
  bool is_brace_expansion() const {
    const auto end = text_.find_first_of("} \t", at_);
    if (end == std::string_view::npos || text_[end] != '}') return false;
    const auto inside = text_.substr(at_, end - at_);
    return inside.find(',') != std::string_view::npos ||
           inside.find("..") != std::string_view::npos;
  }

  void add(char c) {
    in_word_ = true;
    word_ += c;
  }
  void end_word() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string word_;
  bool in_word_ = false;
  std::vector<std::string> words_;
};

}  // namespace

std::expected<std::vector<std::string>, std::string> split_command(std::string_view command) {
  if (command.find('\0') != std::string_view::npos)
    return std::unexpected("the command holds a zero byte");
  while (command.ends_with('\n') || command.ends_with(' '))
    command.remove_suffix(1);
  return Splitter(command).split();
}

}  // namespace botburrow::tools
