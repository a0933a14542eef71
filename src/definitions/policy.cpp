#include "definitions/field_reader.hpp"
#include "definitions/file.hpp"
#include "definitions/grants.hpp"

#include <fmt/format.h>

namespace botburrow::definitions {
namespace {

std::optional<std::string> pattern_fault(std::string_view pattern) {
  std::size_t segments = 1;
  bool after_colon = true;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool star_alone =
        c == '*' && after_colon && (i + 1 == pattern.size() || pattern[i + 1] == ':');
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (c == ':') {
      if (after_colon) return "has an empty part";
      ++segments;
    } else if (c == '*' && !star_alone) {
      return "has a * that is not a whole part";
    } else if (c != '*' && !letter) {
      return "has characters other than a-z, 0-9, - and *";
    }
    after_colon = c == ':';
  }
  if (pattern.empty() || after_colon) return "has an empty part";
  if (segments > 4) return "has more than four parts";
  if (segments == 1 && pattern != "*") return "has no permission part, e.g. hub:read or hub:*";
  return std::nullopt;
}

std::vector<std::string> read_patterns(Section& rules, std::string_view key) {
  const auto items = rules.texts(key);
  for (const TextItem& item : items) {
    if (const auto fault = pattern_fault(item.text)) {
      rules.problem_at(item, "bad_format", shown(*item.node) + " " + *fault,
                       "write it as service:permission or service:*");
    }
  }
  return plain_texts(items);
}

GrantRules read_rules(Section rules) {
  GrantRules out;
  out.allowed = read_patterns(rules, "allowed_grants");
  out.denied = read_patterns(rules, "denied_grants");
  // A misspelt list would silently deny less than was meant.
  rules.finish(true);
  return out;
}

}  // namespace

ParsedPolicy parse_policy(std::string_view text, std::string file) {
  ParsedPolicy out;
  out.policy.source = file;
  ProblemList problems({}, std::move(file));
  const YamlDocument document = parse_yaml(text);
  for (const YamlFault& fault : document.faults)
    problems.add_fault(fault);
  if (document.complete && document.root.kind != YamlNode::Kind::mapping) {
    problems.add(Severity::error, "not_a_mapping", {}, "the policy is empty or not a mapping",
                 "write agents: and default: with allowed_grants and denied_grants");
  } else if (document.complete) {
    Section root(problems, &document.root, {});
    Section agents = root.section("agents");
    if (const YamlNode* node = document.root.find("agents"); node != nullptr && agents.present()) {
      for (const YamlEntry& entry : node->entries) {
        out.policy.agents[entry.key] = read_rules(agents.section(entry.key));
      }
    }
    if (root.get("default") != nullptr) out.policy.fallback = read_rules(root.section("default"));
    root.finish(true);
  }
  out.problems = problems.take();
  return out;
}

std::optional<GrantPolicy> load_policy(const std::string& path) {
  constexpr std::size_t kPolicyBytesMax = 256 * 1024;
  const FileContent file = read_file(path, kPolicyBytesMax);
  if (file.state == FileContent::State::absent) return std::nullopt;
  if (file.state != FileContent::State::read) {
    throw Error(errc::bad_input,
                fmt::format("AGENT_PERMISSIONS_PATH={}: {}; without it no agent may run", path,
                            file.fault));
  }
  ParsedPolicy parsed = parse_policy(file.text, path);
  for (const Problem& problem : parsed.problems) {
    if (problem.severity == Severity::error) {
      throw Error(errc::bad_input, "AGENT_PERMISSIONS_PATH: " + to_short_text(problem));
    }
  }
  return std::move(parsed.policy);
}

}  // namespace botburrow::definitions
