#include "hub/mentions.hpp"

#include "hub/names.hpp"

#include <algorithm>
#include <optional>

namespace botburrow::hub {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_beyond_ascii(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

// ------------------------------------------------------------------------------------- code

struct FenceMark {
  char kind;
  std::size_t length;
  bool bare;  // nothing follows on the line: it can close a block
};

/// Blanks and quote marks before a fence do not count: models indent blocks under list items.
std::optional<FenceMark> fence_mark(std::string_view line) {
  const auto start = line.find_first_not_of(" \t>");
  if (start == kNowhere || (line[start] != '`' && line[start] != '~')) return std::nullopt;
  const char kind = line[start];
  const auto end = line.find_first_not_of(kind, start);
  const std::size_t length = (end == kNowhere ? line.size() : end) - start;
  if (length < 3) return std::nullopt;
  const std::string_view rest = end == kNowhere ? std::string_view() : line.substr(end);
  if (kind == '`' && rest.find('`') != kNowhere) return std::nullopt;
  return FenceMark{kind, length, rest.find_first_not_of(" \t\r") == kNowhere};
}

void blank(std::string& text, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    if (text[i] != '\n') text[i] = ' ';
  }
}

std::size_t line_end(std::string_view text, std::size_t from) {
  const auto end = text.find('\n', from);
  return end == kNowhere ? text.size() : end;
}

/// Fenced blocks become empty lines; one that never closes runs to the end.
void blank_fenced(std::string& text) {
  std::optional<FenceMark> open;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = line_end(text, from);
    const auto mark = fence_mark(std::string_view(text).substr(from, to - from));
    if (open) {
      const bool closes =
          mark && mark->kind == open->kind && mark->length >= open->length && mark->bare;
      blank(text, from, to);
      if (closes) open.reset();
    } else if (mark) {
      open = mark;
      blank(text, from, to);
    }
    from = to + 1;
  }
}

std::size_t run_length(std::string_view text, std::size_t from) {
  const auto end = text.find_first_not_of('`', from);
  return (end == kNowhere ? text.size() : end) - from;
}

/// Where the paragraph that holds `from` ends: an inline span never crosses an empty line.
std::size_t paragraph_end(std::string_view text, std::size_t from) {
  for (std::size_t at = line_end(text, from); at < text.size();) {
    const std::size_t next = line_end(text, at + 1);
    if (text.substr(at + 1, next - at - 1).find_first_not_of(" \t\r") == kNowhere) return at;
    at = next;
  }
  return text.size();
}

/// The start of the closing run of exactly `length` ticks.
std::size_t closing_run(std::string_view text, std::size_t from, std::size_t end,
                        std::size_t length) {
  while (from < end) {
    const auto tick = text.find('`', from);
    if (tick == kNowhere || tick >= end) return kNowhere;
    const std::size_t run = run_length(text, tick);
    if (run == length) return tick;
    from = tick + run;
  }
  return kNowhere;
}

void blank_inline(std::string& text) {
  // Looking for a partner in one paragraph is quadratic in its ticks at worst; lengths that were
  // searched in vain are remembered per paragraph, so hostile text stays cheap.
  std::size_t end = 0;
  std::vector<std::size_t> unmatched;
  for (std::size_t at = text.find('`'); at != kNowhere; at = text.find('`', at)) {
    if (at >= end) {
      end = paragraph_end(text, at);
      unmatched.clear();
    }
    const std::size_t length = run_length(text, at);
    const bool escaped = at > 0 && text[at - 1] == '\\';
    std::size_t close = kNowhere;
    if (!escaped && std::ranges::find(unmatched, length) == unmatched.end()) {
      close = closing_run(text, at + length, end, length);
      if (close == kNowhere) unmatched.push_back(length);
    }
    if (close == kNowhere) {
      at += escaped ? 1 : length;
    } else {
      blank(text, at, close + length);
      at = close + length;
    }
  }
}

// ------------------------------------------------------------------------------------- mentions

/// Whether what stands before the `@` makes it a part of something else.
bool belongs_to_what_precedes(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  const char before = text[at - 1];
  if (is_alnum(before) || std::string_view("._%+-@\\").find(before) != kNowhere) return true;
  std::size_t start = at;
  while (start > 0 && !is_space(text[start - 1]) && at - start < 2048)
    --start;
  const std::string_view token = text.substr(start, at - start);
  return token.find("://") != kNowhere || token.starts_with("www.");
}

/// Whether what follows the name makes it something else: `@a_b`, `@a@server`, `é@host.tld`.
bool goes_on(std::string_view text, std::size_t at, std::size_t end) {
  if (end >= text.size()) return false;
  if (text[end] == '_' || text[end] == '@') return true;
  const bool after_letter = at > 0 && is_beyond_ascii(text[at - 1]);
  return after_letter && text[end] == '.' && end + 1 < text.size() && is_alnum(text[end + 1]);
}

std::optional<std::string> mention_at(std::string_view text, std::size_t at) {
  if (belongs_to_what_precedes(text, at)) return std::nullopt;
  std::size_t end = at + 1;
  while (end < text.size() && (is_alnum(text[end]) || text[end] == '-'))
    ++end;
  if (goes_on(text, at, end)) return std::nullopt;
  while (end > at + 1 && text[end - 1] == '-')
    --end;
  std::string name(text.substr(at + 1, end - at - 1));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (!is_agent_slug(name)) return std::nullopt;
  return name;
}

}  // namespace

std::string without_code(std::string_view text) {
  std::string bare(text);
  blank_fenced(bare);
  blank_inline(bare);
  return bare;
}

std::vector<std::string> parse_mentions(std::string_view text, std::size_t count_max) {
  std::vector<std::string> names;
  if (text.find('@') == kNowhere) return names;
  const std::string bare = without_code(text);
  for (std::size_t at = bare.find('@'); at != kNowhere && names.size() < count_max;
       at = bare.find('@', at + 1)) {
    auto name = mention_at(bare, at);
    if (name && std::ranges::find(names, *name) == names.end()) names.push_back(std::move(*name));
  }
  return names;
}

}  // namespace botburrow::hub
