#include "net/redis.hpp"
#include "queue/election.hpp"
#include "queue/scripts.hpp"

#include <fmt/format.h>

namespace botburrow::queue {

namespace {
constexpr std::chrono::seconds kCallTimeout{5};

net::Redis::Args keys() {
  return {"coordinator:epoch", "coordinator:term", "coordinator:leader"};
}
}  // namespace

RedisElection::RedisElection(net::Redis& redis, std::string incarnation, std::string instance_id)
    : redis_(redis), incarnation_(std::move(incarnation)), instance_id_(std::move(instance_id)) {}

Task<LeaderSeen> RedisElection::observe() {
  const auto reply =
      co_await run_script(redis_, scripts().leader_observe, keys(), {}, Deadline::in(kCallTimeout));
  const auto& fields = reply.array();
  co_return LeaderSeen{.epoch = number_of(fields.at(0)),
                       .holder = text_of_reply(fields.at(1)),
                       .seq = number_of(fields.at(2)),
                       .instance_id = text_of_reply(fields.at(3))};
}

Task<std::optional<std::int64_t>> RedisElection::take(LeaderSeen seen) {
  const auto reply = co_await run_script(redis_, scripts().leader_take, keys(),
                                         {fmt::to_string(seen.epoch), fmt::to_string(seen.seq),
                                          seen.holder, incarnation_, instance_id_},
                                         Deadline::in(kCallTimeout));
  if (reply.is_nil()) co_return std::nullopt;
  co_return number_of(reply);
}

Task<bool> RedisElection::renew(std::int64_t epoch, Deadline deadline) {
  const auto reply =
      co_await run_script(redis_, scripts().leader_renew, keys(),
                          {fmt::to_string(epoch), incarnation_, instance_id_}, deadline);
  co_return reply.str() == "OK";
}

Task<bool> RedisElection::release(std::int64_t epoch) {
  const auto reply = co_await run_script(redis_, scripts().leader_release, keys(),
                                         {fmt::to_string(epoch), incarnation_},
                                         Deadline::in(std::chrono::seconds(1)));
  co_return number_of(reply) == 1;
}

}  // namespace botburrow::queue
