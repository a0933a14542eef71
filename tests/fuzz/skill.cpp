#include "definitions/skill.hpp"

#include "tests/fuzz/targets.hpp"

namespace botburrow::fuzz {

void skill(std::string_view bytes) {
  const auto parsed = definitions::parse_skill(bytes, "some-skill", "skills/some-skill/SKILL.md");
  require(!parsed.skill.name.empty(), "a skill has a name, whatever its file says");
  const auto prompt = definitions::skills_prompt({parsed.skill});
  require(prompt.size() <= definitions::kSkillsPromptBytesMax, "a section stays within its limit");
  definitions::select_skills({.wanted = {"some-skill"}, .task = std::string(bytes.substr(0, 200))},
                             {parsed.skill}, [](const std::string&) { return true; });
}

}  // namespace botburrow::fuzz
