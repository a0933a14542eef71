#include "definitions/field_reader.hpp"

#include "base/json.hpp"
#include "definitions/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace botburrow::definitions {
namespace {

constexpr std::size_t kShownBytesMax = 80;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// Both generations of YAML: people still write `yes` and `on`.
std::optional<bool> as_flag(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar || node.quoted || node.text.size() > 5)
    return std::nullopt;
  const std::string text = lower(node.text);
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  return std::nullopt;
}

std::optional<double> as_number(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar || node.quoted) return std::nullopt;
  std::string_view text = node.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos)
    return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range && end == text.data() + text.size()) {
    return text.starts_with('-') ? std::numeric_limits<double>::lowest()
                                 : std::numeric_limits<double>::max();
  }
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Text in the sense of YAML 1.2: not a number, not true or false.
bool is_text(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar) return false;
  if (node.quoted) return true;
  const std::string text = lower(node.text);
  return text != "true" && text != "false" && !as_number(node);
}

std::string number_text(double value) {
  return fmt::format("{}", value);
}

}  // namespace

std::string shown(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
    case YamlNode::Kind::scalar:
      break;
  }
  std::string text(utf8_prefix(node.text, kShownBytesMax));
  if (text.size() < node.text.size()) text += "…";
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return "\"" + text + "\"";
}

Problem& ProblemList::add(Severity severity, std::string code, std::string field,
                          std::string message, std::string fix) {
  problems_.push_back({.severity = severity,
                       .code = std::move(code),
                       .agent = agent_,
                       .file = file_,
                       .field = std::move(field),
                       .message = std::move(message),
                       .fix = std::move(fix)});
  return problems_.back();
}

Problem& ProblemList::add_at(const YamlNode& node, Severity severity, std::string code,
                             std::string field, std::string message, std::string fix) {
  Problem& problem =
      add(severity, std::move(code), std::move(field), std::move(message), std::move(fix));
  problem.line = node.line;
  problem.column = node.column;
  if (node.kind == YamlNode::Kind::scalar) {
    const std::string text = shown(node);
    problem.value = text.substr(1, text.size() - 2);
  }
  return problem;
}

void ProblemList::add_fault(const YamlFault& fault, Severity severity) {
  Problem& problem = add(severity, fault.code, {}, fault.message, fault.fix);
  problem.line = fault.line;
  problem.column = fault.column;
}

std::vector<Problem> ProblemList::take() {
  std::ranges::stable_sort(problems_, [](const Problem& a, const Problem& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return std::move(problems_);
}

Section::Section(ProblemList& problems, const YamlNode* node, std::string path)
    : problems_(&problems), node_(node), path_(std::move(path)) {}

std::string Section::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const YamlNode* Section::get(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  const YamlNode* node = node_ == nullptr ? nullptr : node_->find(key);
  return node == nullptr || node->kind == YamlNode::Kind::null ? nullptr : node;
}

void Section::problem(std::string_view key, Severity severity, std::string code,
                      std::string message, std::string fix) {
  const YamlNode* node = node_ == nullptr ? nullptr : node_->find(key);
  if (node != nullptr) {
    problems_->add_at(*node, severity, std::move(code), path_of(key), std::move(message),
                      std::move(fix));
  } else {
    problems_->add(severity, std::move(code), path_of(key), std::move(message), std::move(fix));
  }
}

void Section::problem_at(const TextItem& item, std::string code, std::string message,
                         std::string fix, Severity severity) {
  problems_->add_at(*item.node, severity, std::move(code), item.field, std::move(message),
                    std::move(fix));
}

std::optional<std::string> Section::text(std::string_view key) {
  const YamlNode* node = get(key);
  if (node == nullptr) return std::nullopt;
  if (is_text(*node)) return node->text;
  const bool scalar = node->kind == YamlNode::Kind::scalar;
  problem(key, Severity::error, "wrong_type", shown(*node) + " is not text",
          scalar ? "put it in quotes" : "write one text here");
  return std::nullopt;
}

std::optional<bool> Section::flag(std::string_view key) {
  const YamlNode* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto value = as_flag(*node);
  if (!value) {
    problem(key, Severity::error, "wrong_type", shown(*node) + " is not true or false",
            node->quoted && as_flag({.kind = node->kind, .text = node->text})
                ? "remove the quotes"
                : "write true or false");
  }
  return value;
}

std::optional<std::int64_t> Section::any_integer(std::string_view key, std::string_view what) {
  const YamlNode* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto value = as_number(*node);
  if (!value || std::trunc(*value) != *value) {
    const bool quoted = node->quoted && as_number({.kind = node->kind, .text = node->text});
    problem(key, Severity::error, "wrong_type",
            fmt::format("{} is not a whole number {}", shown(*node), what),
            quoted ? "remove the quotes" : fmt::format("write a whole number {}", what));
    return std::nullopt;
  }
  // Beyond this a double cannot be told from its neighbour, and every range ends far below.
  constexpr double kFar = 9e15;
  return static_cast<std::int64_t>(std::clamp(*value, -kFar, kFar));
}

std::optional<std::int64_t> Section::integer(std::string_view key, IntRange range) {
  const std::string what = range.high >= std::numeric_limits<int>::max()
                               ? fmt::format("of {} or more", range.low)
                               : fmt::format("{}..{}", range.low, range.high);
  const auto value = any_integer(key, what);
  if (!value || (*value >= range.low && *value <= range.high)) return value;
  problem(key, Severity::error, "out_of_range",
          fmt::format("{} is not a whole number {}", shown(*get(key)), what),
          fmt::format("write a whole number {}", what));
  return std::nullopt;
}

std::optional<double> Section::number(std::string_view key, NumberRange range) {
  const YamlNode* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto value = as_number(*node);
  if (value && *value >= range.low && *value <= range.high) return value;
  const std::string what =
      fmt::format("a number {}..{}", number_text(range.low), number_text(range.high));
  const bool quoted = node->quoted && as_number({.kind = node->kind, .text = node->text});
  problem(key, Severity::error, value ? "out_of_range" : "wrong_type",
          fmt::format("{} is not {}", shown(*node), what),
          quoted ? "remove the quotes" : "write " + what);
  return std::nullopt;
}

std::optional<std::size_t> Section::choice(std::string_view key,
                                           const std::vector<std::string>& allowed) {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto found = std::ranges::find(allowed, *value);
  if (found != allowed.end()) return static_cast<std::size_t>(found - allowed.begin());
  problem(key, Severity::error, "unknown_value",
          fmt::format("{} is not one of {}{}", shown(*get(key)), fmt::join(allowed, ", "),
                      did_you_mean(*value, allowed)),
          "write " + nearest_name(*value, allowed).value_or("one of these"));
  return std::nullopt;
}

std::vector<TextItem> Section::texts(std::string_view key, bool unique) {
  const YamlNode* node = get(key);
  std::vector<TextItem> out;
  if (node == nullptr) return out;
  if (node->kind != YamlNode::Kind::sequence) {
    const bool scalar = node->kind == YamlNode::Kind::scalar;
    problem(key, Severity::error, "wrong_type", shown(*node) + " is not a list of texts",
            scalar ? fmt::format("write it as a list: [{}]", shown(*node))
                   : "write a list: [\"a\", \"b\"]");
    return out;
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const YamlNode& item = node->items[i];
    TextItem entry{item.text, fmt::format("{}[{}]", path_of(key), i), &item};
    if (!is_text(item)) {
      problem_at(entry, "wrong_type", shown(item) + " is not text",
                 item.kind == YamlNode::Kind::scalar ? "put it in quotes" : "write one text here");
    } else if (unique && !seen.insert(item.text).second) {
      problem_at(entry, "duplicate", shown(item) + " is listed twice", "keep one of them",
                 Severity::warning);
    } else {
      out.push_back(std::move(entry));
    }
  }
  return out;
}

std::vector<std::string> Section::raw_texts(std::string_view key) {
  const YamlNode* node = get(key);
  std::vector<std::string> out;
  if (node == nullptr) return out;
  if (node->kind != YamlNode::Kind::sequence) {
    problem(key, Severity::error, "wrong_type", shown(*node) + " is not a list of texts",
            "write a list: [\"a\", \"b\"]");
    return out;
  }
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const YamlNode& item = node->items[i];
    if (item.kind == YamlNode::Kind::scalar) {
      out.push_back(item.text);
    } else {
      problem_at({item.text, fmt::format("{}[{}]", path_of(key), i), &item}, "wrong_type",
                 shown(item) + " is not text", "write one text here");
    }
  }
  return out;
}

std::map<std::string, std::string> Section::raw_map(std::string_view key) {
  const YamlNode* node = get(key);
  std::map<std::string, std::string> out;
  if (node == nullptr) return out;
  if (node->kind != YamlNode::Kind::mapping) {
    problem(key, Severity::error, "wrong_type", "this is not a mapping of names to texts",
            "write NAME: value");
    return out;
  }
  for (const YamlEntry& entry : node->entries) {
    if (entry.value.kind == YamlNode::Kind::scalar || entry.value.kind == YamlNode::Kind::null) {
      out[entry.key] = entry.value.text;
    } else {
      problem_at({{}, path_of(key) + "." + entry.key, &entry.value}, "wrong_type",
                 shown(entry.value) + " is not text", "write one text here");
    }
  }
  return out;
}

Section Section::section(std::string_view key) {
  const YamlNode* node = get(key);
  if (node != nullptr && node->kind != YamlNode::Kind::mapping) {
    problem(key, Severity::error, "wrong_type", shown(*node) + " is not a mapping",
            fmt::format("write the fields of {} below it, indented", path_of(key)));
    node = nullptr;
  }
  return Section(*problems_, node, path_of(key));
}

void Section::finish(bool strict) {
  if (node_ == nullptr) return;
  for (const YamlEntry& entry : node_->entries) {
    if (std::ranges::find(known_, entry.key) != known_.end()) continue;
    const YamlNode at{.line = entry.line, .column = entry.column};
    const std::string key = shown({.kind = YamlNode::Kind::scalar, .text = entry.key});
    const auto nearest = nearest_name(entry.key, known_);
    problems_->add_at(
        at, strict ? Severity::error : Severity::warning, "unknown_key",
        path_of(key.substr(1, key.size() - 2)),
        "unknown key, it has no effect" +
            (nearest ? fmt::format(" (did you mean \"{}\"?)", *nearest) : std::string()),
        nearest ? fmt::format("rename it to {} or remove it", *nearest) : "remove it");
  }
}

std::vector<std::string> plain_texts(const std::vector<TextItem>& items) {
  std::vector<std::string> out;
  out.reserve(items.size());
  for (const TextItem& item : items)
    out.push_back(item.text);
  return out;
}

}  // namespace botburrow::definitions
