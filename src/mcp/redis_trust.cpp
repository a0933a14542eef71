#include "mcp/redis_trust.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

namespace botburrow::mcp {
namespace {

const std::string kTrusted = "mcp:tools";
const std::string kChanged = "mcp:tools:changed";

}  // namespace

Task<std::optional<DefinitionsSeen>> RedisTrust::read(std::string key, std::string server) {
  const auto reply = co_await redis_.command({"HGET", std::move(key), std::move(server)});
  if (reply.is_nil()) co_return std::nullopt;
  co_return read_definitions_seen(reply.str());
}

Task<TrustVerdict> RedisTrust::check(std::string server, DefinitionsSeen seen) {
  co_await redis_.command({"HSETNX", kTrusted, server, to_json_text(seen)});
  const auto trusted = co_await read(kTrusted, server);
  if (trusted && trusted->sha256 == seen.sha256) {
    // It is as it was again: nothing waits any more.
    co_await redis_.command({"HDEL", kChanged, server});
    co_return TrustVerdict{.trusted = true};
  }
  co_await redis_.command({"HSET", kChanged, server, to_json_text(seen)});
  // What stands there and cannot be read is trusted by nobody.
  co_return TrustVerdict{.changed = difference(trusted.value_or(DefinitionsSeen{}), seen)};
}

Task<std::vector<TrustStore::Waiting>> RedisTrust::waiting() {
  std::vector<Waiting> all;
  const auto reply = co_await redis_.command({"HGETALL", kChanged});
  const auto& fields = reply.array();
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    const auto server = fields[i].str();
    const auto changed = read_definitions_seen(fields[i + 1].str());
    const auto trusted = co_await read(kTrusted, server);
    if (changed) all.push_back({server, trusted.value_or(DefinitionsSeen{}), *changed});
  }
  co_return all;
}

Task<std::optional<TrustStore::Waiting>> RedisTrust::approve(std::string server) {
  const auto changed = co_await read(kChanged, server);
  if (!changed) co_return std::nullopt;
  const auto trusted = co_await read(kTrusted, server);
  co_await redis_.command({"HSET", kTrusted, server, to_json_text(*changed)});
  co_await redis_.command({"HDEL", kChanged, server});
  co_return Waiting{server, trusted.value_or(DefinitionsSeen{}), *changed};
}

}  // namespace botburrow::mcp
