#include "definitions/skill.hpp"

#include "base/json.hpp"
#include "definitions/field_reader.hpp"
#include "definitions/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::definitions {
namespace {

struct Parts {
  std::optional<std::string_view> front;  // without its fences
  std::string_view body;
  bool open = false;  // the first fence has no second
};

std::string_view next_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_fence(std::string_view line) {
  while (line.ends_with(' ') || line.ends_with('\t'))
    line.remove_suffix(1);
  return line == "---";
}

Parts split(std::string_view text) {
  std::string_view rest = text;
  if (!is_fence(next_line(rest))) return {.body = text};
  const std::string_view front = rest;
  while (!rest.empty()) {
    const std::size_t before = front.size() - rest.size();
    if (is_fence(next_line(rest))) return {.front = front.substr(0, before), .body = rest};
  }
  return {.body = text, .open = true};
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// `[{keywords: [a]}, {communities: [m/b]}]` as one map, the way the single maps are meant.
YamlNode merged_maps(const YamlNode& list) {
  YamlNode out;
  out.kind = YamlNode::Kind::mapping;
  out.line = list.line;
  out.column = list.column;
  for (const YamlNode& item : list.items) {
    for (const YamlEntry& entry : item.entries) {
      const auto same = std::ranges::find(out.entries, entry.key, &YamlEntry::key);
      if (same == out.entries.end()) {
        out.entries.push_back(entry);
      } else {
        same->value.items.insert(same->value.items.end(), entry.value.items.begin(),
                                 entry.value.items.end());
      }
    }
  }
  return out;
}

/// A list may be written as one text: `keywords: budget`.
void wrap_single_texts(YamlNode& map) {
  for (YamlEntry& entry : map.entries) {
    if (entry.value.kind != YamlNode::Kind::scalar) continue;
    YamlNode list;
    list.kind = YamlNode::Kind::sequence;
    list.line = entry.value.line;
    list.column = entry.value.column;
    list.items.push_back(std::move(entry.value));
    entry.value = std::move(list);
  }
}

class FrontMatter {
 public:
  FrontMatter(ProblemList& problems, const YamlNode& node, Skill& skill)
      : problems_(problems), root_(problems, &node, {}), skill_(skill) {}

  void read(const std::string& folder) {
    name(folder);
    description();
    if (const auto version = root_.text("version")) skill_.version = *version;
    skill_.author = root_.text("author").value_or(skill_.author);
    skill_.requires_cli = programs();
    skill_.requires_grants = grants();
    triggers();
    server();
    skill_.tags = plain_texts(root_.texts("tags"));
    // Fields of the wider Agent Skills convention, which mean nothing to an activation.
    for (const std::string_view key : {"license", "compatibility", "metadata", "allowed-tools"})
      root_.get(key);
    root_.finish(false);
  }

 private:
  void name(const std::string& folder) {
    const auto name = root_.text("name");
    if (!name) {
      if (!root_.has("name"))
        root_.problem("name", Severity::error, "missing", "is required", "add name: " + folder);
      return;
    }
    const bool edges =
        name->starts_with('-') || name->ends_with('-') || name->find("--") != std::string::npos;
    if (!is_safe_name(*name) || name->size() < 2 || edges) {
      root_.problem("name", Severity::error, "bad_format",
                    shown(*root_.get("name")) +
                        " is not 2 to 64 characters of a-z, 0-9 and single inner hyphens",
                    "write " + folder);
    } else if (*name != folder) {
      root_.problem("name", Severity::error, "mismatch",
                    fmt::format("{} is not the name of its folder, \"{}\"",
                                shown(*root_.get("name")), folder),
                    "rename the folder or the skill, so that both are the same");
    }
  }

  void description() {
    constexpr std::size_t kMost = 1024;
    const auto text = root_.text("description");
    if (!text) {
      if (root_.get("description") == nullptr) {
        root_.problem("description", Severity::error, "missing", "is required",
                      "say in one line what the skill is for");
      }
      return;
    }
    skill_.description = *text;
    if (text->size() > kMost) {
      root_.problem("description", Severity::error, "out_of_range",
                    fmt::format("{} bytes are more than {}", text->size(), kMost), "shorten it");
    }
  }

  std::vector<std::string> programs() {
    const auto items = root_.texts("requires_cli");
    for (const TextItem& item : items) {
      if (item.text.find_first_of("/ \t") == std::string::npos && !item.text.empty()) continue;
      root_.problem_at(item, "bad_format", shown(*item.node) + " is not the name of a program",
                       "write the program's name, e.g. gh");
    }
    return plain_texts(items);
  }

  std::vector<std::string> grants() {
    const auto items = root_.texts("requires_grants");
    for (const TextItem& item : items) {
      if (const auto fault = grant_fault(item.text)) {
        root_.problem_at(item, "bad_format", shown(*item.node) + " " + *fault,
                         "write a grant such as hub:write");
      }
    }
    return plain_texts(items);
  }

  void triggers() {
    const YamlNode* given = root_.get("triggers");
    if (given == nullptr) return;
    YamlNode merged;
    const bool maps = given->kind == YamlNode::Kind::sequence &&
                      std::ranges::all_of(given->items, [](const YamlNode& item) {
                        return item.kind == YamlNode::Kind::mapping;
                      });
    if (given->kind == YamlNode::Kind::mapping || maps) {
      merged = maps ? *given : YamlNode{.kind = YamlNode::Kind::sequence, .items = {*given}};
      for (YamlNode& item : merged.items)
        wrap_single_texts(item);
      merged = merged_maps(merged);
    } else {
      root_.problem("triggers", Severity::error, "wrong_type", shown(*given) + " is not a mapping",
                    "write keywords: and communities: below it");
      return;
    }
    Section section(problems_, &merged, "triggers");
    skill_.keywords = plain_texts(section.texts("keywords"));
    const auto communities = section.texts("communities");
    for (const TextItem& item : communities) {
      if (item.text.starts_with("m/") && is_safe_name(std::string_view(item.text).substr(2)))
        continue;
      section.problem_at(item, "bad_format",
                         shown(*item.node) + " is not a community m/name of a-z, 0-9 and -",
                         "write m/general, for example");
    }
    skill_.communities = plain_texts(communities);
    section.finish(false);
  }

  void server() {
    Section mcp = root_.section("mcp");
    Section section = mcp.section("server");
    const auto command = section.text("command");
    McpServer server{.name = skill_.name, .command = command};
    server.args = section.raw_texts("args");
    server.env = section.raw_map("env");
    section.finish(false);
    mcp.finish(false);
    if (!section.present()) return;
    if (!command || command->empty()) {
      if (section.get("command") == nullptr) {
        section.problem("command", Severity::error, "missing", "is required",
                        "add the program that serves");
      }
      return;
    }
    skill_.mcp_server = std::move(server);
  }

  ProblemList& problems_;
  Section root_;
  Skill& skill_;
};

void read_front(std::string_view front, const std::string& folder, ProblemList& problems,
                Skill& skill) {
  constexpr std::size_t kFrontBytesMax = 64 * 1024;
  YamlDocument document = parse_yaml(front, {.bytes = kFrontBytesMax});
  // The front matter begins on the file's second line.
  for (YamlFault fault : document.faults) {
    if (fault.line > 0) ++fault.line;
    problems.add_fault(fault);
  }
  if (!document.complete) return;
  if (document.root.kind != YamlNode::Kind::mapping) {
    problems.add(Severity::error, "not_a_mapping", {}, "the front matter is empty or not a mapping",
                 "write name: and description: between the two --- lines");
    return;
  }
  ProblemList inner({}, {});
  FrontMatter(inner, document.root, skill).read(folder);
  for (Problem& problem : inner.take()) {
    Problem& added =
        problems.add(problem.severity, problem.code, problem.field, problem.message, problem.fix);
    added.value = problem.value;
    added.line = problem.line > 0 ? problem.line + 1 : 0;
    added.column = problem.column;
  }
}

}  // namespace

ParsedSkill parse_skill(std::string_view raw, std::string folder, std::string file) {
  ParsedSkill out;
  out.skill.name = folder;
  out.skill.description = "Skill: " + folder;
  ProblemList problems(folder, std::move(file));
  std::string_view text = without_bom(raw);
  if (text.size() > kSkillBytesMax) {
    problems.add(Severity::error, "too_large", {},
                 fmt::format("{} bytes are more than the {} allowed", text.size(), kSkillBytesMax),
                 "shorten it");
    text = utf8_prefix(text, kSkillBytesMax);
  }
  const Parts parts = split(text);
  if (parts.open) {
    problems.add(Severity::error, "syntax", {}, "the front matter has no closing --- line",
                 "add a line --- after it");
  } else if (!parts.front) {
    problems.add(Severity::error, "missing", {}, "there is no front matter",
                 "begin the file with --- name and description, ---");
  } else {
    read_front(*parts.front, folder, problems, out.skill);
  }
  out.skill.instructions = valid_utf8(trimmed(parts.body));
  if (out.skill.instructions.empty()) {
    problems.add(Severity::warning, "empty", {}, "there are no instructions",
                 "say below the front matter what to do");
  }
  out.problems = problems.take();
  return out;
}

}  // namespace botburrow::definitions
