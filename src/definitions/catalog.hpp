#pragma once

#include "base/blocking_pool.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "definitions/definition.hpp"
#include "definitions/problem.hpp"
#include "definitions/skill.hpp"
#include "definitions/source.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::definitions {

/// The definitions a service works with. Reload is all or nothing per agent: a broken file leaves
/// the last good version in use, and one bad agent never hides another. An edit is seen by the next
/// get(). Lives on the io thread; reading happens on the pool.
///
/// Last good versions are written to `keep_dir` (if given), so that a restart with a broken file
/// still works. An agent whose folder is gone is gone; if the whole source is gone, the last good
/// versions stay in use.
///
/// A source on a file system that hangs never holds up a caller who is cancelled: the read is left
/// alone, and what it brings is dropped. `source` and `pool` must outlive such a read.
class DefinitionCatalog {
 public:
  struct Options {
    std::filesystem::path keep_dir;  ///< empty: nothing is written
  };
  struct Entry {
    std::shared_ptr<const AgentDefinition> definition;  ///< never null
    std::vector<Problem> problems;                      ///< of the file as it is now
    bool last_good = false;  ///< the file is broken or away: this is an older version
  };

  /// `source`, `pool` and `metrics` outlive the catalog.
  DefinitionCatalog(const DefinitionSource& source, BlockingPool& pool, Options options, Log log,
                    Metrics& metrics);
  ~DefinitionCatalog();
  DefinitionCatalog(const DefinitionCatalog&) = delete;

  /// The agent as it is now. Throws Error{definition_not_found} or, where there never was a good
  /// version, Error{definition_invalid, "Agent config invalid: …"}. Logs a change for the worse or
  /// the better once.
  Task<Entry> get(std::string name);

  /// Names, sorted; the last known ones if the source is away.
  Task<std::vector<std::string>> list();

  /// get() for every agent; those that cannot be had are left out (and logged). From now on each
  /// folder that is not taken for an agent is logged once, as `agent_folder_ignored`: one service
  /// of a process is enough to say so.
  Task<std::vector<Entry>> load_all();

  /// Every skill of the source.
  Task<std::vector<Skill>> skills();

  /// What get() learned last, without reading anything: the snapshot, or null.
  std::shared_ptr<const AgentDefinition> find_known(const std::string& name) const;
  /// Problems of the last read, by agent: only agents that have any.
  std::map<std::string, std::vector<Problem>> problems() const;

  /// Folders that the last list() did not take for agents, and why.
  const std::vector<Problem>& ignored() const { return ignored_; }

  /// Forgets what was read about one agent, or about all (empty name), so that the next get()
  /// reads. Last good versions stay. A read under way does not bring the old version back.
  void invalidate(const std::string& name = {});

 private:
  struct Known;
  struct Reading;
  static Reading read(const DefinitionSource& source, const std::string& name,
                      const std::optional<std::string>& seen, bool want_kept,
                      const std::filesystem::path& keep_dir);
  Entry apply(const std::string& name, Reading reading);
  Entry apply_loaded(const std::string& name, Known& known, Reading reading);
  Entry fall_back(const std::string& name, Known& known, Reading reading);
  void log_ignored(std::vector<Problem> ignored);
  void log_problems(const std::string& name, const Known& known) const;

  const DefinitionSource& source_;
  BlockingPool& pool_;
  Options options_;
  Log log_;
  Metrics::Values& errors_;
  Metrics::Values& reads_;
  std::map<std::string, Known> known_;
  std::vector<std::string> names_;
  std::vector<Problem> ignored_;
  bool tells_ignored_ = false;
  std::uint64_t generation_ = 0;
  std::uint64_t tickets_ = 0;
};

}  // namespace botburrow::definitions
