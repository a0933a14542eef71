#include "mcp/redis_trust.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

namespace botburrow::mcp {
namespace {

const std::string kTrusted = "mcp:tools";
const std::string kChanged = "mcp:tools:changed";
/// A runner that sees it meanwhile writes when it did so.
constexpr int kRoundsMax = 20;

/// approve: what was looked at becomes what is trusted, if it still waits.
/// KEYS 1 trusted  2 changed   ARGV 1 server  2 the entry that was looked at   Reply 1 | 0
const std::string kApproveScript = R"(
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1)";

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

Task<TrustStore::Approval> RedisTrust::approve(std::string server, std::string sha256) {
  for (int round = 0; round < kRoundsMax; ++round) {
    const auto reply = co_await redis_.command({"HGET", kChanged, server});
    const auto text = reply.is_nil() ? std::string() : std::string(reply.str());
    const auto changed = read_definitions_seen(text);
    if (!changed) co_return Approval{};
    const auto trusted = co_await read(kTrusted, server);
    Waiting waiting{server, trusted.value_or(DefinitionsSeen{}), *changed};
    if (!changed->sha256.starts_with(sha256))
      co_return Approval{Approval::Outcome::others_wait, std::move(waiting)};
    const auto set =
        co_await redis_.command({"EVAL", kApproveScript, "2", kTrusted, kChanged, server, text});
    if (set.integer() == 1) co_return Approval{Approval::Outcome::approved, std::move(waiting)};
  }
  throw Error(errc::redis_unavailable,
              fmt::format("the tools of the MCP server {} change all the time; nothing is approved",
                          server),
              Retry::after_backoff);
}

}  // namespace botburrow::mcp
