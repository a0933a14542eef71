#include "queue/redis_agent_state.hpp"

#include "base/json.hpp"
#include "net/redis.hpp"
#include "queue/metrics.hpp"
#include "queue/scripts.hpp"

#include <fmt/format.h>

namespace botburrow::queue {

using net::Redis;

namespace {

constexpr std::chrono::seconds kCallTimeout{5};
constexpr std::string_view kNotificationTtl = "604800";

Deadline soon() {
  return Deadline::in(kCallTimeout);
}

std::string tries_key(const AgentId& agent, const std::string& notification) {
  return fmt::format("agent:tries:{}:{}", agent.str(), notification);
}

std::string handled_key(const AgentId& agent, const std::string& notification) {
  return fmt::format("agent:handled:{}:{}", agent.str(), notification);
}

std::string limit_text(const std::optional<std::int64_t>& limit) {
  return limit ? fmt::to_string(*limit) : "";
}

Usage usage_at(const net::RedisReply::Array& fields, std::size_t first) {
  return {.posts = number_of(fields.at(first)),
          .comments = number_of(fields.at(first + 1)),
          .tokens = number_of(fields.at(first + 2)),
          .cost_micros = number_of(fields.at(first + 3))};
}

}  // namespace

RedisAgentState::RedisAgentState(net::Redis& redis, Log log, Metrics* metrics)
    : redis_(redis), log_(std::move(log)) {
  if (metrics) dead_ = &QueueMetrics(*metrics).dead.with({});
}

Task<UsageAnswer> RedisAgentState::charge(AgentId agent, Usage amount, UsageLimits limits,
                                          WallTime at) {
  const std::string prefix = fmt::format("agent:usage:{}:", agent.str());
  Redis::Args args;
  for (const auto value : {amount.posts, amount.comments, amount.tokens, amount.cost_micros}) {
    args.push_back(fmt::to_string(value));
  }
  for (const auto& limit :
       {limits.daily_posts, limits.daily_comments, limits.daily_tokens, limits.daily_cost_micros,
        limits.monthly_tokens, limits.monthly_cost_micros}) {
    args.push_back(limit_text(limit));
  }
  // Not through run_script: a repeat would charge twice.
  co_await redis_.ready(soon());
  const auto reply =
      co_await redis_.eval(scripts().charge.on(redis_),
                           {prefix + utc_day(at), prefix + utc_month(at)}, std::move(args), soon());
  const auto& fields = reply.array();
  co_return UsageAnswer{.refused_by = static_cast<UsageLimit>(number_of(fields.at(0))),
                        .day = usage_at(fields, 1),
                        .month = usage_at(fields, 5)};
}

Task<UsageAnswer> RedisAgentState::usage(AgentId agent, WallTime at) {
  co_return co_await charge(std::move(agent), {}, {}, at);
}

Task<std::chrono::milliseconds> RedisAgentState::take_action_slot(AgentId agent,
                                                                  std::chrono::seconds min_interval,
                                                                  WallTime at) {
  if (min_interval.count() <= 0) co_return std::chrono::milliseconds(0);
  const auto reply = co_await redis_.command(
      {"SET", "agent:last_action:" + agent.str(), fmt::to_string(to_unix_ms(at)), "NX", "PX",
       fmt::to_string(std::chrono::milliseconds(min_interval).count())},
      soon());
  if (!reply.is_nil()) co_return std::chrono::milliseconds(0);
  const auto wait = co_await action_wait(agent);
  // It ended between the two commands: the caller asks again in a moment.
  co_return std::max(wait, std::chrono::milliseconds(1));
}

Task<std::chrono::milliseconds> RedisAgentState::action_wait(AgentId agent) {
  const auto reply = co_await redis_.command({"PTTL", "agent:last_action:" + agent.str()}, soon());
  co_return std::chrono::milliseconds(std::max<std::int64_t>(0, number_of(reply)));
}

Task<> RedisAgentState::release_action_slot(AgentId agent) {
  co_await redis_.command({"DEL", "agent:last_action:" + agent.str()}, soon());
}

Task<std::int64_t> RedisAgentState::begin_notification(AgentId agent, std::string notification_id) {
  const std::string key = tries_key(agent, notification_id);
  const auto replies = co_await redis_.pipeline(
      {{"INCR", key}, {"EXPIRE", key, std::string(kNotificationTtl)}}, soon());
  co_return replies.at(0).integer();
}

Task<> RedisAgentState::forget_tries(AgentId agent, std::string notification_id) {
  co_await redis_.command({"DEL", tries_key(agent, notification_id)}, soon());
}

Task<std::optional<std::string>> RedisAgentState::find_handled(AgentId agent,
                                                               std::string notification_id) {
  const auto reply = co_await redis_.command({"GET", handled_key(agent, notification_id)}, soon());
  if (reply.is_nil()) co_return std::nullopt;
  co_return reply.str();
}

Task<> RedisAgentState::set_handled(AgentId agent, std::string notification_id,
                                    std::string comment_id) {
  co_await redis_.command({"SET", handled_key(agent, notification_id), std::move(comment_id), "EX",
                           std::string(kNotificationTtl)},
                          soon());
}

Task<std::optional<WallTime>> RedisAgentState::last_discovery(AgentId agent) {
  const auto reply = co_await redis_.command({"GET", "agent:discovery:" + agent.str()}, soon());
  const std::int64_t milliseconds = number_of(reply);
  if (milliseconds <= 0) co_return std::nullopt;
  co_return WallTime(std::chrono::milliseconds(milliseconds));
}

Task<> RedisAgentState::set_last_discovery(AgentId agent, WallTime at) {
  co_await redis_.command({"SET", "agent:discovery:" + agent.str(), fmt::to_string(to_unix_ms(at))},
                          soon());
}

Task<> RedisAgentState::bury_notification(AgentId agent, std::string agent_name,
                                          std::string notification_id, std::string reason,
                                          std::int64_t tries) {
  const auto reply = co_await run_script(
      redis_, scripts().bury_notification, {},
      {agent.str(), agent_name, notification_id, valid_utf8(reason), fmt::to_string(tries)},
      soon());
  const auto& fields = reply.array();
  if (number_of(fields.at(0)) == 1) {
    if (dead_) dead_->add();
    log_.error("notification_poisoned", {{"agent_id", agent.str()},
                                         {"notification_id", notification_id},
                                         {"tries", tries},
                                         {"reason", utf8_prefix(reason, 200)},
                                         {"dead_letter", text_of_reply(fields.at(1))}});
  }
  for (const auto& entry : fields.at(2).array()) {
    log_.error("work_dead_dropped", {{"entry", text_of_reply(entry)}});
  }
}

}  // namespace botburrow::queue
