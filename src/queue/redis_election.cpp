#include "net/redis.hpp"
#include "queue/election.hpp"
#include "queue/scripts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::queue {

namespace {
constexpr std::chrono::seconds kCallTimeout{5};
constexpr const char* kHub = "coordinator:hub";
constexpr const char* kCandidate = "coordinator:candidate";

net::Redis::Args keys() {
  return {"coordinator:epoch", "coordinator:term", "coordinator:leader"};
}
}  // namespace

RedisElection::RedisElection(net::Redis& redis, std::string incarnation, std::string instance_id,
                             std::chrono::milliseconds lease)
    : redis_(redis),
      incarnation_(std::move(incarnation)),
      instance_id_(std::move(instance_id)),
      lease_(lease) {}

Task<LeaderSeen> RedisElection::observe() {
  const auto reply =
      co_await run_script(redis_, scripts().leader_observe, keys(), {}, Deadline::in(kCallTimeout));
  const auto& fields = reply.array();
  co_return LeaderSeen{.epoch = number_of(fields.at(0)),
                       .holder = text_of_reply(fields.at(1)),
                       .seq = number_of(fields.at(2)),
                       .instance_id = text_of_reply(fields.at(3)),
                       .lease = std::chrono::milliseconds(number_of(fields.at(4)))};
}

Task<std::optional<std::int64_t>> RedisElection::take(LeaderSeen seen) {
  const auto reply =
      co_await run_script(redis_, scripts().leader_take, keys(),
                          {fmt::to_string(seen.epoch), fmt::to_string(seen.seq), seen.holder,
                           incarnation_, instance_id_, fmt::to_string(lease_.count())},
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

Task<> RedisElection::offer(std::chrono::milliseconds kept) {
  co_await redis_.command({"SET", kCandidate, instance_id_, "PX",
                           fmt::to_string(std::max<std::int64_t>(kept.count(), 1))},
                          Deadline::in(kCallTimeout));
}

Task<std::string> RedisElection::offered(Deadline deadline) {
  const auto reply = co_await redis_.command({"GET", kCandidate}, deadline);
  co_return text_of_reply(reply);
}

Task<> RedisElection::announce_hub(std::string dataset, Deadline deadline) {
  co_await redis_.command({"SET", kHub, std::move(dataset), "EX", "30"}, deadline);
}

Task<std::optional<std::string>> RedisElection::announced_hub() {
  const auto reply = co_await redis_.command({"GET", kHub}, Deadline::in(kCallTimeout));
  if (reply.is_nil()) co_return std::nullopt;
  co_return text_of_reply(reply);
}

}  // namespace botburrow::queue
