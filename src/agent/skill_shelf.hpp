#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "definitions/catalog.hpp"
#include "definitions/skill.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace botburrow::agent {

/// The repository's skills, read at most every 30 s however many activations ask: those that ask
/// while they are being read wait for that reading. A source that cannot be read leaves the last
/// known ones (at first: none) in use.
class SkillShelf {
 public:
  explicit SkillShelf(definitions::DefinitionCatalog& catalog) : catalog_(catalog) {}
  Task<std::shared_ptr<const std::vector<definitions::Skill>>> all(Instant now);
  void invalidate() { read_at_.reset(); }

 private:
  Task<> read(Instant now);
  Task<> wait_for_reading();

  definitions::DefinitionCatalog& catalog_;
  bool reading_ = false;
  std::vector<boost::asio::steady_timer*> waiting_;
  std::shared_ptr<const std::vector<definitions::Skill>> skills_;
  std::optional<Instant> read_at_;
};

}  // namespace botburrow::agent
