#pragma once

#include "base/log.hpp"
#include "base/task.hpp"
#include "definitions/definition.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace botburrow::net {
class Redis;
}

namespace botburrow::definitions {

/// The definitions as operators and other processes see them: `cache:agent:{name}`, each for its
/// cache_ttl. The files stay the truth; this is their shadow.
class RedisDefinitionCache {
 public:
  RedisDefinitionCache(net::Redis& redis, Log log);

  /// Writes the definition unless this process did so lately and it is unchanged. Never throws: a
  /// shadow that cannot be written harms nobody.
  Task<> store(std::shared_ptr<const AgentDefinition> definition, Instant now);
  /// What stands there; nothing for absent and for what does not parse.
  Task<std::optional<AgentDefinition>> find(std::string name);
  /// Removes one entry, or all (empty name).
  Task<> invalidate(std::string name);

 private:
  struct Written {
    std::shared_ptr<const AgentDefinition> definition;
    Instant at;
  };
  net::Redis& redis_;
  Log log_;
  std::map<std::string, Written> written_;
};

}  // namespace botburrow::definitions
