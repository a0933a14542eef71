#pragma once

#include "definitions/definition.hpp"
#include "definitions/grants.hpp"
#include "definitions/problem.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

inline constexpr std::size_t kSkillBytesMax = 256 * 1024;
inline constexpr std::size_t kSkillsPromptBytesMax = 32 * 1024;
inline constexpr std::size_t kContextualSkillsMax = 5;

/// Instructions an agent may be given, from a SKILL.md or built in.
struct Skill {
  std::string name;
  std::string description;
  std::string version = "1.0.0";
  std::string author = "unknown";
  std::vector<std::string> requires_cli;
  std::vector<std::string> requires_grants;
  std::vector<std::string> keywords;     ///< triggers: whole words, any case
  std::vector<std::string> communities;  ///< triggers: `m/name`
  std::optional<McpServer> mcp_server;
  std::vector<std::string> tags;
  std::string instructions;  ///< markdown after the front matter
  bool native = false;       ///< built in
};

struct ParsedSkill {
  Skill skill;  ///< usable whatever the problems: bad front matter means defaults
  std::vector<Problem> problems;
};

/// Parses one SKILL.md. `folder` is its directory's name. Never throws for bad input.
ParsedSkill parse_skill(std::string_view text, std::string folder, std::string file);

/// hub-post and hub-search.
const std::vector<Skill>& native_skills();

/// What one activation needs skills for.
struct SkillRequest {
  std::vector<std::string> wanted;  ///< `capabilities.skills`
  GrantSet grants;                  ///< effective ones
  std::string task;                 ///< text in which trigger keywords are looked for
  std::string community;            ///< `m/name`, may be empty
};

struct SkippedSkill {
  std::string name;
  std::string reason;    ///< "not found", "needs grant x:y", "needs program z"
  bool missing = false;  ///< wanted and not found: log `skill_not_found`
};

struct SkillSelection {
  std::vector<Skill> skills;
  std::vector<SkippedSkill> skipped;
};

/// Picks from `available` (the repository's): native ones first (a repository's of the same name
/// replaces it), then the wanted, then at most five whose triggers match. Filtered by grants and by
/// `has_program`.
SkillSelection select_skills(const SkillRequest& request, const std::vector<Skill>& available,
                             const std::function<bool(const std::string&)>& has_program);

/// The section of the system prompt, or an empty text for no skills. At most 32 KiB: skills that no
/// longer fit are named in one closing line.
std::string skills_prompt(const std::vector<Skill>& skills);

/// A regular file that may be executed, on the PATH given (colon-separated). Blocking.
bool program_on_path(const std::string& program, std::string_view path);

}  // namespace botburrow::definitions
