// Reads prompts the way they are written here: plain text functions, no model.
#include "llm/offline_prompt.hpp"

#include "base/json.hpp"
#include "llm/offline.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace botburrow::llm {
namespace {

constexpr std::string_view kHubText = "[hub text ";
constexpr std::string_view kHubTextEnd = "\n[end of hub text]";
constexpr std::size_t kPostsMax = 100;
constexpr std::size_t kDirectivesMax = 32;

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0;
}

// The text between `begin` and `end` (or the end of all), nothing where `begin` is absent.
std::optional<std::string_view> between(std::string_view text, std::string_view begin,
                                        std::string_view end) {
  const auto at = text.find(begin);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + begin.size());
  return text.substr(0, text.find(end));
}

// Inside of the first delimited block.
std::optional<std::string_view> hub_text(std::string_view text) {
  const auto begin = text.find(kHubText);
  if (begin == std::string_view::npos) return {};
  const auto head_end = text.find("]\n", begin);
  if (head_end == std::string_view::npos) return {};
  text.remove_prefix(head_end + 2);
  return text.substr(0, text.find(kHubTextEnd));
}

// Without the mentions at its front: `@scribe what is …`.
std::string_view without_leading_mentions(std::string_view text) {
  while (true) {
    while (!text.empty() && is_space(text.front()))
      text.remove_prefix(1);
    if (!text.starts_with('@')) return text;
    const auto end = std::ranges::find_if(text, is_space);
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  }
}

// End of the JSON object that begins at `at`, or the end of the line where it never closes.
std::size_t end_of_object(std::string_view text, std::size_t at) {
  int depth = 0;
  bool in_string = false;
  for (auto i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return std::min(text.find('\n', at), text.size());
}

std::string plain(std::string_view text) {
  std::string out(text);
  std::erase_if(out, [](char c) { return c == '*' || c == '`' || c == '#'; });
  return trimmed(out);
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return std::string(text);
}

Persona persona_of(std::string_view system_prompt) {
  Persona persona;
  const auto lower = lower_case(system_prompt);
  for (const std::string_view opening : {"you are ", "your name is ", "i am "}) {
    const auto at = lower.find(opening);
    if (at == std::string::npos) continue;
    auto sentence = system_prompt.substr(at + opening.size());
    sentence = sentence.substr(0, sentence.find_first_of(".!\n"));
    const auto comma = sentence.find(',');
    const auto name = plain(sentence.substr(0, comma));
    const bool article =
        name.starts_with("a ") || name.starts_with("an ") || name.starts_with("the ");
    if (article)
      persona.role = std::string(utf8_prefix(plain(sentence), 120));
    else if (name.size() <= 64)
      persona.name = name;
    if (!article && comma != std::string_view::npos) {
      persona.role = std::string(utf8_prefix(plain(sentence.substr(comma + 1)), 120));
    }
    break;
  }
  if (persona.name.empty() && system_prompt.starts_with("# ")) {
    persona.name = plain(utf8_prefix(system_prompt.substr(2, system_prompt.find('\n') - 2), 64));
  }
  return persona;
}

Asked asked_in(std::string_view message) {
  Asked asked;
  const auto notice = message.rfind("## New Notification");
  if (notice == std::string_view::npos) {
    const auto inside = hub_text(message);
    asked.text = trimmed(without_leading_mentions(inside ? *inside : message));
    return asked;
  }
  message.remove_prefix(notice);
  if (const auto from = between(message, "\nFrom: ", "\n")) asked.from = trimmed(*from);
  if (const auto inside = hub_text(message)) {
    asked.text = trimmed(without_leading_mentions(*inside));
  } else if (const auto content = between(message, "\nContent:", "\n\n")) {
    asked.text = trimmed(without_leading_mentions(*content));
  }
  return asked;
}

std::string thread_title_in(std::string_view message) {
  const auto title = between(message, "\n### ", "\n");
  return title ? std::string(utf8_prefix(trimmed(*title), 120)) : "";
}

bool is_discovery(std::string_view message) {
  return message.find("## Recent Posts") != std::string_view::npos;
}

std::vector<ListedPost> posts_in(std::string_view message) {
  std::vector<ListedPost> posts;
  message.remove_prefix(std::min(message.find("## Recent Posts"), message.size()));
  constexpr std::string_view kBy = "\n**By** ";
  for (auto at = message.find(kBy); at != std::string_view::npos && posts.size() < kPostsMax;) {
    const auto next = message.find(kBy, at + kBy.size());
    const auto part = message.substr(at, next - at);
    ListedPost post;
    // The line above: "3. title".
    const auto line = message.substr(0, at);
    auto title = line.substr(line.rfind('\n') + 1);
    const auto dot = title.find(". ");
    if (dot != std::string_view::npos) title.remove_prefix(dot + 2);
    post.title = title == "(No title)" ? "" : plain(title);
    if (const auto author = between(part, kBy, " in ")) post.author = trimmed(*author);
    if (const auto id = between(part, "**ID**:", "\n")) post.id = plain(*id);
    if (const auto inside = hub_text(part)) {
      post.text = trimmed(*inside);
    } else if (const auto rest = between(part, "**ID**:", "\x01")) {
      post.text = trimmed(rest->substr(std::min(rest->find('\n'), rest->size())));
    }
    if (!post.id.empty()) posts.push_back(std::move(post));
    at = next;
  }
  return posts;
}

double confidence_asked(std::string_view message) {
  constexpr double kUsual = 0.7;
  const auto frame = message.substr(0, message.find("## Recent Posts"));
  for (const std::string_view words : {"; below ", " below ", "at least "}) {
    const auto figure = between(frame, words, " ");
    if (!figure) continue;
    double value = 0;
    const auto [end, problem] =
        std::from_chars(figure->data(), figure->data() + figure->size(), value);
    if (problem == std::errc() && value >= 0 && value <= 1) return value;
  }
  return kUsual;
}

std::vector<ToolDirective> tool_directives_in(std::string_view text) {
  constexpr std::string_view kWords = "use tool ";
  std::vector<ToolDirective> directives;
  const auto lower = lower_case(text);
  auto at = lower.find(kWords);
  while (at != std::string::npos && directives.size() < kDirectivesMax) {
    auto name = at + kWords.size();
    while (name < text.size() && (text[name] == ' ' || text[name] == '`'))
      ++name;
    auto end = text.find_first_of(" \t\r\n{`,;", name);
    if (end == std::string_view::npos) end = text.size();
    ToolDirective directive{.tool = std::string(text.substr(name, end - name))};
    const auto open = text.find_first_not_of(" \t\r\n`", end);
    if (open != std::string_view::npos && text[open] == '{') {
      end = end_of_object(text, open);
      directive.arguments = std::string(text.substr(open, end - open));
    }
    if (!directive.tool.empty()) directives.push_back(std::move(directive));
    at = lower.find(kWords, end);
  }
  return directives;
}

std::optional<std::string> search_directive_in(std::string_view text) {
  constexpr std::string_view kWords = "search for ";
  const auto at = lower_case(text).find(kWords);
  if (at == std::string::npos) return {};
  auto words = text.substr(at + kWords.size());
  words = words.substr(0, words.find_first_of(".?!\n"));
  auto query = trimmed(words);
  std::erase(query, '"');
  if (query.empty()) return {};
  return std::string(utf8_prefix(query, 200));
}

std::optional<std::string> say_directive_in(std::string_view text) {
  constexpr std::string_view kWords = "say exactly:";
  const auto at = lower_case(text).find(kWords);
  if (at == std::string::npos) return {};
  auto exact = trimmed(text.substr(at + kWords.size()));
  if (exact.empty()) return {};
  return exact;
}

bool asks_to_skip(std::string_view text) {
  const auto lower = lower_case(text);
  return std::ranges::any_of(
      std::array<std::string_view, 5>{"answer skip", "reply skip", "say skip", "respond with skip",
                                      "answer with skip"},
      [&](std::string_view words) { return lower.find(words) != std::string::npos; });
}

bool asks_for_nothing(std::string_view text) {
  // Two offline models have nothing to tell each other.
  if (text.find(kOfflineLabel) != std::string_view::npos) return true;
  if (text.size() > 80 || text.find('?') != std::string_view::npos) return false;
  auto lower = trimmed(lower_case(text));
  while (!lower.empty() && !is_word(lower.back()))
    lower.pop_back();
  return std::ranges::any_of(std::array<std::string_view, 8>{"thanks", "thank you", "thx", "ok",
                                                             "okay", "great", "got it", "nice"},
                             [&](std::string_view words) {
                               return lower.starts_with(words) && (lower.size() == words.size() ||
                                                                   !is_word(lower[words.size()]));
                             });
}

std::string without_mentions(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool begins_word = i == 0 || !is_word(text[i - 1]);
    if (text[i] != '@' || !begins_word || i + 1 == text.size() || !is_word(text[i + 1])) {
      out.push_back(text[i++]);
      continue;
    }
    for (++i; i < text.size() && (is_word(text[i]) || text[i] == '-');)
      ++i;
    while (i < text.size() && (text[i] == ' ' || text[i] == ','))
      ++i;
  }
  return trimmed(out);
}

std::vector<std::string> key_words(std::string_view text, std::size_t count) {
  struct Word {
    std::size_t place;
    std::string text;
  };
  std::vector<Word> words;
  for (std::size_t i = 0; i < text.size() && words.size() < 1'000;) {
    if (!is_word(text[i])) {
      ++i;
      continue;
    }
    auto end = i;
    while (end < text.size() && is_word(text[end]))
      ++end;
    std::string word(text.substr(i, end - i));
    const bool known = std::ranges::any_of(
        words, [&](const Word& one) { return lower_case(one.text) == lower_case(word); });
    if (word.size() > 4 && word.size() <= 40 && !known) words.push_back({i, std::move(word)});
    i = end;
  }
  std::ranges::stable_sort(
      words, [](const Word& a, const Word& b) { return a.text.size() > b.text.size(); });
  if (words.size() > count) words.resize(count);
  std::ranges::sort(words, {}, &Word::place);
  std::vector<std::string> out;
  for (auto& word : words)
    out.push_back(std::move(word.text));
  return out;
}

}  // namespace botburrow::llm
