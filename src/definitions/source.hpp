#pragma once

#include "definitions/definition.hpp"
#include "definitions/parse.hpp"
#include "definitions/problem.hpp"
#include "definitions/skill.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::definitions {

/// Where definitions come from. All functions block: call them on the BlockingPool, from any
/// thread. Names are checked before they touch a path.
class DefinitionSource {
 public:
  virtual ~DefinitionSource() = default;

  struct Loaded {
    std::optional<AgentDefinition> definition;  ///< nothing if a problem is an error
    std::vector<Problem> problems;
    std::string fingerprint;  ///< of exactly what was read
  };

  /// Names of all agents, sorted. Throws Error{io} if the place itself is not there.
  virtual std::vector<std::string> list_agents() const = 0;

  /// Folders that look like an agent's and are not taken for one: why, and what to do. Empty where
  /// the place itself is not there.
  virtual std::vector<Problem> ignored() const { return {}; }

  /// One agent. Throws Error{definition_not_found, "Agent config not found: <path>"}; Error{io}
  /// with the same text if the place itself is not there. A broken file is not thrown but reported.
  virtual Loaded load(const std::string& name) const = 0;

  /// Changes whenever load() would read something else; cheap. Nothing: not known, go by cache_ttl.
  /// Empty text: the agent is not there.
  virtual std::optional<std::string> fingerprint(const std::string& name) const = 0;

  virtual std::vector<std::string> list_skills() const = 0;
  /// Nothing if there is no such skill, or it cannot be read.
  virtual std::optional<ParsedSkill> load_skill(const std::string& name) const = 0;

  /// How to call it in messages.
  virtual std::string describe() const = 0;
};

/// Every skill that can be read, for select_skills; at most 16 MiB of them. Blocking.
std::vector<Skill> load_all_skills(const DefinitionSource& source);

/// A folder with `agents/` and `skills/` in it. The path is resolved anew at each read, because it
/// may be a symbolic link that is swapped to a new commit; the files of one agent are read below
/// one resolved path, and a link that leads out of it is not followed.
class FolderSource final : public DefinitionSource {
 public:
  /// `clock` stamps loaded_at.
  explicit FolderSource(std::filesystem::path root, ParseOptions options = {},
                        const Clock& clock = system_clock());

  std::vector<std::string> list_agents() const override;
  std::vector<Problem> ignored() const override;
  Loaded load(const std::string& name) const override;
  std::optional<std::string> fingerprint(const std::string& name) const override;
  std::vector<std::string> list_skills() const override;
  std::optional<ParsedSkill> load_skill(const std::string& name) const override;
  std::string describe() const override;

  /// True if the folder exists and contains `agents/`.
  bool usable() const;

 private:
  std::filesystem::path resolved() const;
  Loaded load_below(const std::filesystem::path& root, const std::string& name) const;
  std::filesystem::path root_;
  ParseOptions options_;
  const Clock* clock_;
};

}  // namespace botburrow::definitions
