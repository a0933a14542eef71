#include "definitions/parse.hpp"

#include "base/json.hpp"
#include "definitions/parse_sections.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace botburrow::definitions {
namespace {

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::optional<std::array<int, 3>> parse_version(std::string_view text) {
  std::array<int, 3> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out[i]);
    if (error != std::errc() || out[i] < 0 || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const bool last = i + 1 == out.size();
    if (last != text.empty() || (!last && !text.starts_with('.'))) return std::nullopt;
    if (!last) text.remove_prefix(1);
    if (!last && text.empty()) return std::nullopt;
  }
  return out;
}

std::vector<std::string> hosts(Section& section, std::string_view key) {
  const auto items = section.texts(key);
  for (const TextItem& item : items) {
    constexpr std::string_view kChars =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*:[]";
    if (only(item.text, kChars)) continue;
    section.problem_at(item, "bad_format", shown(*item.node) + " is not host or host:port",
                       "write api.example.org or api.example.org:443, without https://");
  }
  return plain_texts(items);
}

bool is_agent_name(std::string_view name) {
  return only(name, kNameChars) && name.size() >= 3 && name.size() <= 50;
}

std::string name_fix(const std::string& folder, const std::string& name) {
  if (is_agent_name(folder)) return "write " + folder;
  const auto suggested = suggested_name(folder.empty() ? name : folder);
  return folder.empty() ? "write a name such as " + suggested
                        : fmt::format("rename the folder to {0} and write {0}", suggested);
}

/// One pass over a config, top to bottom.
class TopReader : SectionReader {
 public:
  using SectionReader::SectionReader;

  void read() {
    version();
    identity();
    type();
    cache_ttl();
    read_brain(reading_);
    read_capabilities(reading_);
    read_behavior(reading_);
    network();
    executor();
    sandbox();
    finish(root_);
    check_endpoint(reading_);
  }

 private:
  void version() {
    const auto text = root_.text("version");
    if (!text) return;
    const auto version = parse_version(*text);
    if (!version) {
      root_.problem("version", Severity::error, "bad_format",
                    shown(*root_.get("version")) + " is not a version x.y.z", "write \"1.0.0\"");
    } else if ((*version)[0] != 1) {
      root_.problem("version", Severity::error, "unknown_value",
                    fmt::format("version {} of the schema is not known, only 1.x.y", *text),
                    "write \"1.0.0\"");
    } else if ((*version)[1] > 0) {
      root_.problem(
          "version", Severity::warning, "newer",
          fmt::format("version {} of the schema is newer than 1.0, new fields have no effect",
                      *text),
          "use a newer botburrow, or write \"1.0.0\"");
    }
  }

  void identity() {
    const auto name = root_.text("name");
    if (name) {
      if (!is_agent_name(*name)) {
        root_.problem("name", Severity::error, "bad_format",
                      shown(*root_.get("name")) + " is not 3 to 50 characters of a-z, 0-9 and -",
                      name_fix(text_.agent, *name));
      } else if (!text_.agent.empty() && *name != text_.agent) {
        root_.problem("name", Severity::error, "mismatch",
                      fmt::format("{} is not the name of its folder, \"{}\"",
                                  shown(*root_.get("name")), text_.agent),
                      "rename the folder or the agent, so that both are the same");
      }
      out_.name = *name;
    } else if (root_.get("name") == nullptr) {
      if (text_.agent.empty()) {
        root_.problem("name", Severity::error, "missing", "is required", "add name");
      } else {
        missing(root_, "name", "the folder's name " + text_.agent);
      }
      out_.name = text_.agent;
    }
    out_.display_name = short_text("display_name", 100);
    out_.description = short_text("description", 500);
  }

  std::optional<std::string> short_text(std::string_view key, std::size_t characters_max) {
    auto text = root_.text(key);
    if (text && characters(*text) > characters_max) {
      root_.problem(
          key, Severity::error, "out_of_range",
          fmt::format("{} characters are more than {}", characters(*text), characters_max),
          "shorten it");
    }
    return text;
  }

  void type() {
    static const std::vector<std::string> kTypes{"native", "claude-code", "goose",
                                                 "aider",  "opencode",    "custom"};
    const auto text = root_.text("type");
    if (!text && root_.get("type") == nullptr) missing(root_, "type", options_.default_type);
    const auto type = find_executor_type(text.value_or(options_.default_type));
    if (type) {
      out_.type = *type;
    } else if (text) {
      root_.problem("type", Severity::error, "unknown_value",
                    fmt::format("{} is not one of {}{}", shown(*root_.get("type")),
                                fmt::join(kTypes, ", "), did_you_mean(*text, kTypes)),
                    "write " + nearest_name(*text, kTypes).value_or("native"));
    } else {
      root_.problem("type", Severity::error, "unknown_value",
                    fmt::format("is missing, and DEFAULT_EXECUTOR=\"{}\" is no known type",
                                options_.default_type),
                    "add type: native");
    }
    out_.type_name = name_of(out_.type);
  }

  void cache_ttl() {
    constexpr std::int64_t kLow = 30;
    constexpr std::int64_t kHigh = 3600;
    const auto seconds = root_.any_integer("cache_ttl", "of seconds 30..3600");
    if (!seconds) return;
    const std::int64_t used = std::clamp(*seconds, kLow, kHigh);
    out_.cache_ttl = std::chrono::seconds(used);
    if (used == *seconds) return;
    root_.problem("cache_ttl", Severity::warning, "out_of_range",
                  fmt::format("{} is outside 30..3600 seconds, taken as {}", *seconds, used),
                  fmt::format("write {}", used));
  }

  void executor() {
    Section section = root_.section("executor");
    out_.executor.command = section.text("command").value_or("");
    out_.executor.args = section.raw_texts("args");
    out_.executor.env = section.raw_map("env");
    finish(section);
    const bool custom = out_.type == ExecutorType::custom;
    if (custom && section.get("command") == nullptr) {
      root_.problem("type", Severity::warning, "missing",
                    "type custom without executor.command runs as native",
                    "add executor.command, or write type: native");
    } else if (!custom && section.present()) {
      root_.problem("executor", Severity::warning, "ignored",
                    fmt::format("has no effect for agents of type {}", out_.type_name),
                    "remove it, or write type: custom");
    }
  }

  void sandbox() {
    Section section = root_.section("sandbox");
    for (const std::string_view key : {"image", "mount_workspace"}) {
      if (section.get(key) == nullptr) continue;
      section.problem(key, Severity::info, "ignored",
                      "has no effect: the operator configures the sandbox", "remove it");
    }
    finish(section);
  }

  void network() {
    const YamlNode* capabilities = root_.get("capabilities");
    const YamlNode* inner = capabilities == nullptr ? nullptr : capabilities->find("network");
    read_network(reading_, root_, inner != nullptr && inner->kind == YamlNode::Kind::mapping);
  }
};

std::string checked_prompt(std::string_view bytes, const std::string& agent,
                           const std::string& file, std::vector<Problem>& problems) {
  const std::string_view text = without_bom(bytes);
  ProblemList found(agent, file);
  if (text.size() > kPromptBytesMax) {
    found.add(Severity::error, "too_large", "system_prompt",
              fmt::format("{} bytes are more than the {} allowed", text.size(), kPromptBytesMax),
              "shorten it; under 8,000 characters works best");
  }
  std::string out(text);
  if (out != valid_utf8(text)) {
    found.add(Severity::warning, "syntax", "system_prompt",
              "has bytes that are not UTF-8, they are replaced", "save the file as UTF-8");
    out = valid_utf8(text);
  }
  for (Problem& problem : found.take())
    problems.push_back(std::move(problem));
  return out;
}

}  // namespace

void read_network(const Reading& reading, Section& parent, bool seen_before) {
  Section section = parent.section("network");
  if (!section.present()) return;
  parent.problem("network", Severity::info, "deprecated",
                 "an extension of this program, other tools refuse it",
                 "keep it if only botburrow reads this file");
  if (seen_before) {
    parent.problem("network", Severity::warning, "conflict",
                   "stands here and under capabilities, only this one counts", "keep one of them");
  }
  Network& out = reading.out.network;
  out = {};
  out.enabled = section.flag("enabled").value_or(true);
  out.allowed_hosts = hosts(section, "allowed_hosts");
  out.blocked_hosts = hosts(section, "blocked_hosts");
  section.finish(reading.options.strict);
}

ParsedDefinition parse_definition(const DefinitionText& text, const ParseOptions& options) {
  ProblemList problems(text.agent, text.config_file);
  YamlDocument document = parse_yaml(text.config, {.bytes = kConfigBytesMax});
  for (const YamlFault& fault : document.faults)
    problems.add_fault(fault);
  AgentDefinition definition;
  if (document.complete && document.root.kind == YamlNode::Kind::null) {
    problems.add(Severity::error, "empty", {}, "the file is empty",
                 "start with name, type, brain and capabilities");
  } else if (document.complete && document.root.kind != YamlNode::Kind::mapping) {
    problems.add_at(document.root, Severity::error, "not_a_mapping", {},
                    "the file does not hold fields but " + shown(document.root),
                    "write lines of the form name: value");
  } else if (document.complete) {
    Section root(problems, &document.root, {});
    TopReader({problems, text, options, root, definition}).read();
  }
  ParsedDefinition out;
  out.problems = problems.take();
  definition.system_prompt =
      checked_prompt(text.prompt, text.agent, text.prompt_file, out.problems);
  if (!has_errors(out.problems)) out.definition = std::move(definition);
  return out;
}

}  // namespace botburrow::definitions
