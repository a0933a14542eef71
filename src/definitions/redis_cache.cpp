#include "definitions/redis_cache.hpp"

#include "base/error.hpp"
#include "net/redis.hpp"

#include <fmt/format.h>

namespace botburrow::definitions {
namespace {

constexpr const char* kPrefix = "cache:agent:";

}  // namespace

RedisDefinitionCache::RedisDefinitionCache(net::Redis& redis, Log log)
    : redis_(redis), log_(std::move(log)) {}

Task<> RedisDefinitionCache::store(std::shared_ptr<const AgentDefinition> definition, Instant now) {
  const auto found = written_.find(definition->name);
  if (found != written_.end() && found->second.definition == definition &&
      now - found->second.at < definition->cache_ttl / 2) {
    log_.debug("agent_config_cache_hit", {{"agent_name", definition->name}});
    co_return;
  }
  log_.debug("agent_config_loaded", {{"agent_name", definition->name}});
  try {
    co_await redis_.command({"SET", kPrefix + definition->name, to_cache_json(*definition), "EX",
                             fmt::format("{}", definition->cache_ttl.count())});
    written_[definition->name] = {definition, now};
  } catch (const Error& error) {
    log_.debug("config_cache_write_failed", {{"error", error.message()}});
  }
}

Task<std::optional<AgentDefinition>> RedisDefinitionCache::find(std::string name) {
  const auto reply = co_await redis_.command({"GET", kPrefix + name});
  if (reply.is_nil()) co_return std::nullopt;
  co_return from_cache_json(reply.str());
}

Task<> RedisDefinitionCache::invalidate(std::string name) {
  written_.clear();
  if (!name.empty()) {
    co_await redis_.command({"DEL", kPrefix + name});
    log_.info("cache_invalidated", {{"agent", name}});
    co_return;
  }
  std::int64_t count = 0;
  std::string cursor = "0";
  do {
    const auto page = co_await redis_.command(
        {"SCAN", cursor, "MATCH", std::string(kPrefix) + "*", "COUNT", "100"});
    cursor = page.array().at(0).str();
    for (const auto& key : page.array().at(1).array()) {
      co_await redis_.command({"DEL", key.str()});
      ++count;
    }
  } while (cursor != "0");
  log_.info("cache_invalidated_all", {{"count", count}});
}

}  // namespace botburrow::definitions
