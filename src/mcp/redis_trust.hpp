#pragma once

#include "mcp/trust.hpp"
#include "net/redis.hpp"

namespace botburrow::mcp {

/// Trust in Redis, one for all runners: the hash `mcp:tools`, server → JSON {sha256, seen_at,
/// tools}; and beside it `mcp:tools:changed` with what waits to be approved.
///
/// Two hashes, so that a runner that meets a change never writes what an operator writes. What is
/// trusted is written once by whoever comes first, and after that by approve() alone.
class RedisTrust final : public TrustStore {
 public:
  explicit RedisTrust(net::Redis& redis) : redis_(redis) {}
  Task<TrustVerdict> check(std::string server, DefinitionsSeen seen) override;
  Task<std::vector<Waiting>> waiting() override;
  Task<Approval> approve(std::string server, std::string sha256) override;

 private:
  Task<std::optional<DefinitionsSeen>> read(std::string key, std::string server);
  net::Redis& redis_;
};

}  // namespace botburrow::mcp
