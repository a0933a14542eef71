#include "definitions/yaml_tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_set>
#include <utility>

namespace botburrow::definitions {
namespace {

struct Stop {
  YamlFault fault;
};

/// Expanded text may be this many times the file limit; copies kept for anchors count as well.
constexpr std::size_t kExpansionMax = 4;
/// Columns of longer lines are counted in bytes: counting characters there would be quadratic.
constexpr std::size_t kCountedLineMax = 4096;

std::vector<std::size_t> line_starts(std::string_view text) {
  std::vector<std::size_t> starts{0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') starts.push_back(i + 1);
  }
  return starts;
}

struct Place {
  int line;
  int column;
};

/// From positions in bytes to lines and columns in characters.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text), starts_(line_starts(text)) {}

  Place of(const YAML::Mark& mark) const {
    if (mark.is_null()) return {0, 0};
    return at(static_cast<std::size_t>(mark.line), static_cast<std::size_t>(mark.column));
  }
  Place at_offset(std::size_t offset) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const auto line = static_cast<std::size_t>(next - starts_.begin()) - 1;
    return at(line, offset - starts_[line]);
  }

 private:
  Place at(std::size_t line, std::size_t byte) const {
    std::size_t column = byte;
    if (line < starts_.size() && byte <= kCountedLineMax) {
      const auto before = text_.substr(starts_[line], byte);
      column = static_cast<std::size_t>(
          std::count_if(before.begin(), before.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    }
    return {static_cast<int>(line) + 1, static_cast<int>(column) + 1};
  }

  std::string_view text_;
  std::vector<std::size_t> starts_;
};

/// Where a value itself begins: behind its tag and its anchor, and comments between.
std::size_t behind_properties(std::string_view text, std::size_t pos) {
  while (pos < text.size() && (text[pos] == '&' || text[pos] == '!')) {
    pos = std::min(text.find_first_of(" \t\n", pos), text.size());
    pos = std::min(text.find_first_not_of(" \t\n", pos), text.size());
    while (pos < text.size() && text[pos] == '#') {
      pos = std::min(text.find('\n', pos), text.size());
      pos = std::min(text.find_first_not_of(" \t\n", pos), text.size());
    }
  }
  return pos;
}

/// True where a quoted value begins that reaches the end of the text without its closing quote.
bool is_unclosed_quote(std::string_view text, std::size_t open) {
  if (open >= text.size() || (text[open] != '"' && text[open] != '\'')) return false;
  const char quote = text[open];
  for (std::size_t i = open + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return false;
      ++i;  // two of them are one in the value
    }
  }
  return true;
}

bool is_plain_tag(const std::string& tag) {
  return tag.empty() || tag == "?" || tag == "!";
}

bool is_core_tag(std::string_view tag) {
  constexpr std::string_view kPrefix = "tag:yaml.org,2002:";
  if (!tag.starts_with(kPrefix)) return false;
  tag.remove_prefix(kPrefix.size());
  for (const std::string_view known : {"str", "int", "float", "bool", "null", "seq", "map"}) {
    if (tag == known) return true;
  }
  return false;
}

/// Builds the tree from parser events, and stops the parser as soon as a limit is passed.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, const Places& places, const YamlLimits& limits)
      : text_(text), places_(places), limits_(limits) {}

  YamlNode take_root() { return std::move(root_); }
  std::vector<YamlFault> take_faults() { return std::move(faults_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      stop("syntax", mark, "a second document starts here", "keep one document in the file");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    place(node_at(mark), anchor, mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      stop("syntax", mark, "an alias refers to the section it stands in", "write the values out");
    }
    charge(found->second, mark);
    if (stack_.size() + depth_of(found->second) > static_cast<std::size_t>(limits_.depth)) {
      too_deep(mark);
    }
    place(found->second, 0, mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(tag, mark);
    if (!mark.is_null()) check_quote(static_cast<std::size_t>(mark.pos));
    YamlNode node = node_at(mark);
    node.kind = YamlNode::Kind::scalar;
    node.text = value;
    node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (tag == "tag:yaml.org,2002:null") node.kind = YamlNode::Kind::null;
    place(std::move(node), anchor, mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    bool has_key = false;
    std::string key;
    Place key_place{0, 0};
    bool merge = false;
    std::vector<YamlNode> merges{};
    std::unordered_set<std::string> keys{};
  };

  [[noreturn]] void stop(std::string code, const YAML::Mark& mark, std::string message,
                         std::string fix) {
    const Place place = places_.of(mark);
    throw Stop{{std::move(code), place.line, place.column, std::move(message), std::move(fix)}};
  }
  [[noreturn]] void too_deep(const YAML::Mark& mark) {
    stop("too_deep", mark, fmt::format("nested deeper than {} levels", limits_.depth),
         "flatten the structure");
  }
  void check_tag(const std::string& tag, const YAML::Mark& mark) {
    if (is_plain_tag(tag) || is_core_tag(tag)) return;
    const Place place = places_.of(mark);
    faults_.push_back({"syntax", place.line, place.column,
                       fmt::format("the tag {} is not allowed", std::string(tag, 0, 60)),
                       "write the value without a tag"});
  }
  // The library takes the end of the file for the end of a quoted value, and so for a part of it
  // whatever stands below a quote that somebody forgot.
  void check_quote(std::size_t pos) {
    const auto open = behind_properties(text_, pos);
    if (!is_unclosed_quote(text_, open)) return;
    const Place place = places_.at_offset(open);
    const char quote = text_[open];
    throw Stop{
        {"syntax", place.line, place.column,
         fmt::format("the quote {} is never closed, and swallows the rest of the file", quote),
         fmt::format("add {} at the end of the value", quote)}};
  }
  YamlNode node_at(const YAML::Mark& mark) {
    YamlNode node;
    const Place place = places_.of(mark);
    node.line = place.line;
    node.column = place.column;
    return node;
  }
  static std::size_t depth_of(const YamlNode& node) {
    std::size_t deepest = 0;
    for (const YamlNode& item : node.items)
      deepest = std::max(deepest, depth_of(item));
    for (const YamlEntry& entry : node.entries)
      deepest = std::max(deepest, depth_of(entry.value));
    return deepest +
           (node.kind == YamlNode::Kind::sequence || node.kind == YamlNode::Kind::mapping);
  }
  void charge_one(std::size_t bytes, const YAML::Mark& mark) {
    bytes_ += bytes;
    if (++nodes_ > limits_.nodes || bytes_ > limits_.bytes * kExpansionMax) {
      stop("too_large", mark,
           fmt::format("more than {} values once aliases are written out", limits_.nodes),
           "use fewer anchors and aliases, or a smaller file");
    }
  }
  void charge(const YamlNode& node, const YAML::Mark& mark) {
    charge_one(node.text.size(), mark);
    for (const YamlNode& item : node.items)
      charge(item, mark);
    for (const YamlEntry& entry : node.entries) {
      charge_one(entry.key.size(), mark);
      charge(entry.value, mark);
    }
  }
  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    check_tag(tag, mark);
    if (stack_.size() >= static_cast<std::size_t>(limits_.depth)) too_deep(mark);
    if (wants_key()) stop("syntax", mark, "a key is not plain text", "use a name as the key");
    charge_one(0, mark);
    Frame frame{.node = node_at(mark), .anchor = anchor, .mark = mark};
    frame.node.kind = kind;
    stack_.push_back(std::move(frame));
  }
  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    for (const YamlNode& merged : frame.merges)
      merge_into(frame, merged);
    finish(std::move(frame.node), frame.anchor, frame.mark);
  }
  bool wants_key() const {
    return !stack_.empty() && stack_.back().node.kind == YamlNode::Kind::mapping &&
           !stack_.back().has_key;
  }
  /// A leaf or an alias, as key or as value.
  void place(YamlNode node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    charge_one(node.text.size(), mark);
    if (!wants_key()) return finish(std::move(node), anchor, mark);
    if (node.kind != YamlNode::Kind::scalar) {
      stop("syntax", mark, "a key is not plain text", "use a name as the key");
    }
    if (anchor != 0) keep(anchor, node, mark);
    set_key(std::move(node), mark);
  }
  void set_key(YamlNode node, const YAML::Mark& mark) {
    Frame& frame = stack_.back();
    frame.has_key = true;
    frame.merge = node.text == "<<" && !node.quoted;
    frame.key_place = places_.of(mark);
    frame.key = std::move(node.text);
  }
  void keep(YAML::anchor_t anchor, const YamlNode& node, const YAML::Mark& mark) {
    charge(node, mark);
    anchors_[anchor] = node;
  }
  /// Attaches a complete node to what is open around it.
  void finish(YamlNode node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (anchor != 0) keep(anchor, node, mark);
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == YamlNode::Kind::sequence) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    frame.has_key = false;
    if (frame.merge) return add_merge(frame, std::move(node), mark);
    if (!frame.keys.insert(frame.key).second) {
      faults_.push_back(
          {"duplicate", frame.key_place.line, frame.key_place.column,
           fmt::format("the key \"{}\" is given twice", std::string(frame.key, 0, 60)),
           "keep one of them"});
      return;
    }
    frame.node.entries.push_back(
        {std::move(frame.key), frame.key_place.line, frame.key_place.column, std::move(node)});
  }
  void add_merge(Frame& frame, YamlNode node, const YAML::Mark& mark) {
    if (node.kind == YamlNode::Kind::mapping) {
      frame.merges.push_back(std::move(node));
      return;
    }
    const bool all_maps = node.kind == YamlNode::Kind::sequence &&
                          std::ranges::all_of(node.items, [](const YamlNode& item) {
                            return item.kind == YamlNode::Kind::mapping;
                          });
    if (!all_maps)
      stop("syntax", mark, "<< does not name a mapping", "merge a mapping, e.g. <<: *base");
    for (YamlNode& item : node.items)
      frame.merges.push_back(std::move(item));
  }
  /// Keys of the mapping itself win over merged ones, earlier merges over later ones.
  static void merge_into(Frame& frame, const YamlNode& merged) {
    for (const YamlEntry& entry : merged.entries) {
      if (frame.keys.insert(entry.key).second) frame.node.entries.push_back(entry);
    }
  }

  std::string_view text_;
  const Places& places_;
  const YamlLimits& limits_;
  YamlNode root_;
  std::vector<YamlFault> faults_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
  int documents_ = 0;
};

std::string with_unix_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else if (i + 1 >= text.size() || text[i + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

/// What to do about a fault of the YAML grammar, in words for people who do not know the grammar.
std::string syntax_fix(std::string_view message, std::string_view line) {
  if (line.find('\t') != std::string_view::npos) return "indent with blanks, not tabs";
  if (message.find("EOF in scalar") != std::string_view::npos) return "add the closing quote";
  if (message.find("flow") != std::string_view::npos) return "close the bracket or brace";
  if (message.find("unknown token") != std::string_view::npos ||
      message.find("scalar") != std::string_view::npos) {
    return "put the value in quotes";
  }
  return "check indentation, colons and quotes here";
}

std::string_view line_at(std::string_view text, const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  auto begin = std::min(static_cast<std::size_t>(mark.pos), text.size());
  begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;
  return text.substr(begin, std::min<std::size_t>(text.find('\n', begin), text.size()) - begin);
}

YamlFault bad_byte(const Places& places, std::string_view text, std::size_t offset) {
  const Place place = places.at_offset(offset);
  const auto byte = static_cast<unsigned char>(text[offset]);
  if (byte < 0x20 || byte == 0x7F) {
    return {"syntax", place.line, place.column,
            fmt::format("the control character 0x{:02X} is not allowed", byte), "remove it"};
  }
  return {"syntax", place.line, place.column, fmt::format("the byte 0x{:02X} is not UTF-8", byte),
          "save the file as UTF-8"};
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::size_t find_bad_byte(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned char first = byte(i);
    if (first < 0x80) {
      const bool line_or_tab = first == '\t' || first == '\n' || first == '\r';
      if ((first < 0x20 && !line_or_tab) || first == 0x7F) return i;
      ++i;
      continue;
    }
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || i + length > text.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return i;
    }
    // Overlong forms, surrogates, and what lies beyond U+10FFFF.
    const unsigned char second = byte(i + 1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
        (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
      return i;
    }
    i += length;
  }
  return std::string_view::npos;
}

std::string_view without_bom(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

YamlDocument parse_yaml(std::string_view raw, const YamlLimits& limits) {
  YamlDocument document;
  if (raw.size() > limits.bytes) {
    document.faults.push_back(
        {"too_large", 0, 0,
         fmt::format("{} bytes are more than the {} allowed", raw.size(), limits.bytes),
         "make the file smaller"});
    return document;
  }
  const std::string text = with_unix_lines(without_bom(raw));
  const Places places(text);
  if (const auto offset = find_bad_byte(text); offset != std::string_view::npos) {
    document.faults.push_back(bad_byte(places, text, offset));
    return document;
  }
  Builder builder(text, places, limits);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    document.root = builder.take_root();
    document.complete = true;
    document.faults = builder.take_faults();
  } catch (const Stop& stop) {
    document.faults = builder.take_faults();
    document.faults.push_back(stop.fault);
  } catch (const YAML::Exception& error) {
    const Place place = places.of(error.mark);
    document.faults = builder.take_faults();
    document.faults.push_back({"syntax", place.line, place.column, "not valid YAML: " + error.msg,
                               syntax_fix(error.msg, line_at(text, error.mark))});
  } catch (const std::exception& error) {
    document.faults.push_back({"syntax", 0, 0, std::string("not valid YAML: ") + error.what(),
                               "check the file with a YAML editor"});
  }
  return document;
}

}  // namespace botburrow::definitions
