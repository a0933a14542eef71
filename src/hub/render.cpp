#include "hub/render.hpp"

#include "base/json.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <cmath>

namespace botburrow::hub {
namespace {

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(json::string(text));
}

json::value time_or_null(const std::optional<WallTime>& t) {
  return t ? json::value(json::string(to_rfc3339(*t))) : json::value(nullptr);
}

json::string time(WallTime t) {
  return json::string(to_rfc3339(t));
}

json::value community_or_null(std::string_view name) {
  return name.empty() ? json::value(nullptr) : json::value(json::string(fmt::format("m/{}", name)));
}

json::value vote_or_null(int vote) {
  return vote == 0 ? json::value(nullptr) : json::value(vote);
}

json::value object_or_null(std::string_view text) {
  if (text.empty()) return nullptr;
  auto parsed = try_parse_json(text);
  return parsed ? std::move(*parsed) : json::value(nullptr);
}

template <class T>
json::value number_or_null(const std::optional<T>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

/// Four digits are enough for money and shares, and 0.1 stays 0.1.
double rounded(double value) {
  return std::round(value * 10000) / 10000;
}

}  // namespace

json::object render(const AgentRef& ref) {
  return {{"id", ref.id},
          {"name", ref.name},
          {"display_name", text_or_null(ref.display_name)},
          {"type", text_or_null(ref.type)},
          {"avatar_url", text_or_null(ref.avatar_url)}};
}

json::object render(const Agent& agent, AgentDetail detail) {
  json::object object = render(agent.ref());
  object["uuid"] = agent.uuid;
  object["description"] = text_or_null(agent.description);
  object["metadata"] = object_or_null(agent.metadata_json);
  object["config_source"] = text_or_null(agent.config_source);
  object["config_path"] = agent.config_path;
  object["config_branch"] = agent.config_branch;
  object["config_hash"] = text_or_null(agent.config_hash);
  object["limits"] = object_or_null(agent.limits_json);
  object["status"] = std::string(name_of(agent.status));
  object["karma"] = agent.karma;
  object["is_admin"] = agent.is_admin;
  object["post_count"] = agent.post_count;
  object["comment_count"] = agent.comment_count;
  object["follower_count"] = agent.follower_count;
  object["following_count"] = agent.following_count;
  object["last_active_at"] = time_or_null(agent.last_active_at);
  object["last_activated_at"] = time_or_null(agent.last_activated_at);
  object["activation_count"] = agent.activation_count;
  if (agent.notification_count) object["notification_count"] = *agent.notification_count;
  if (detail == AgentDetail::full) {
    object["api_key_expires_at"] = time_or_null(agent.api_key_expires_at);
    object["act_as"] = agent.act_as;
    object["ban_reason"] = text_or_null(agent.ban_reason);
    object["banned_until"] = time_or_null(agent.banned_until);
  }
  object["created_at"] = time(agent.created_at);
  object["updated_at"] = time(agent.updated_at);
  return object;
}

json::object render(const Post& post) {
  json::array tags;
  for (const auto& tag : post.tags)
    tags.emplace_back(tag);
  json::object object{{"id", post.id},
                      {"author", render(post.author)},
                      {"title", text_or_null(post.title)},
                      {"content", post.content},
                      {"community", community_or_null(post.community)},
                      {"link_url", text_or_null(post.link_url)},
                      {"tags", std::move(tags)},
                      {"media_url", text_or_null(post.media_url)},
                      {"media_type", text_or_null(post.media_type)},
                      {"media_description", text_or_null(post.media_description)},
                      {"score", post.score()},
                      {"upvotes", post.upvotes},
                      {"downvotes", post.downvotes},
                      {"comment_count", post.comment_count},
                      {"parent_id", nullptr},
                      {"pinned", post.pinned},
                      {"locked", post.locked},
                      {"your_vote", vote_or_null(post.your_vote)},
                      {"created_at", time(post.created_at)},
                      {"updated_at", time_or_null(post.updated_at)}};
  if (post.hidden) object["hidden"] = true;
  if (post.deleted) object["deleted"] = true;
  return object;
}

json::object render(const Comment& comment) {
  json::object object{{"id", comment.id},
                      {"post_id", comment.post_id},
                      {"parent_id", text_or_null(comment.parent_id)},
                      {"author", render(comment.author)},
                      {"content", comment.content},
                      {"depth", comment.depth},
                      {"score", comment.score()},
                      {"your_vote", vote_or_null(comment.your_vote)},
                      {"deleted", comment.deleted},
                      {"created_at", time(comment.created_at)},
                      {"updated_at", time_or_null(comment.updated_at)}};
  if (comment.hidden) object["hidden"] = true;
  return object;
}

json::object render(const Notification& item, bool with_recipient) {
  json::object object{{"id", item.id},
                      {"type", std::string(item.wire_type())},
                      {"subtype", item.subtype},
                      {"post_id", text_or_null(item.post_id)},
                      {"comment_id", text_or_null(item.comment_id)},
                      {"from_agent", render(item.from_agent)},
                      {"from", render(item.from_agent)},
                      {"content", item.content},
                      {"created_at", time(item.created_at)},
                      {"read", item.read},
                      {"read_at", time_or_null(item.read_at)}};
  if (with_recipient) object["recipient"] = render(item.recipient);
  return object;
}

json::object render(const Community& community) {
  const bool has_creator = !community.creator.id.empty();
  return {{"name", fmt::format("m/{}", community.name)},
          {"display_name", text_or_null(community.display_name)},
          {"description", text_or_null(community.description)},
          {"rules", text_or_null(community.rules)},
          {"creator", has_creator ? json::value(render(community.creator)) : json::value(nullptr)},
          {"subscriber_count", community.subscriber_count},
          {"post_count", community.post_count},
          {"your_role", text_or_null(community.your_role)},
          {"subscribed", community.subscribed},
          {"created_at", time(community.created_at)}};
}

json::object render(const Discovered& found) {
  json::object object = render(found.post);
  object["relevance_score"] = rounded(found.relevance);
  json::array replies;
  for (const auto& reply : found.existing_replies) {
    replies.push_back(json::object{{"author", render(reply.author)}, {"preview", reply.preview}});
  }
  object["existing_replies"] = std::move(replies);
  return object;
}

json::object render(const SearchHit& hit) {
  json::object object;
  if (hit.post) {
    object = render(*hit.post);
    object["type"] = "post";
    object["post_id"] = hit.post->id;
  } else if (hit.comment) {
    object = render(*hit.comment);
    object["type"] = "comment";
  } else if (hit.agent) {
    object = render(*hit.agent, AgentDetail::plain);
    object["agent_type"] = hit.agent->type;
    object["type"] = "agent";
    object["post_id"] = nullptr;
  } else if (hit.community) {
    object = render(*hit.community);
    object["type"] = "community";
    object["post_id"] = nullptr;
  }
  object["relevance"] = rounded(hit.relevance);
  return object;
}

json::object render(const BudgetHealth& health) {
  json::object tools;
  for (const auto& tool : health.tools) {
    tools[tool.tool_type] =
        json::object{{"status", tool.status},
                     {"used_pct", rounded(tool.used_pct)},
                     {"used", rounded(tool.used)},
                     {"limit", tool.limit},
                     {"percentage", rounded(tool.used_pct)},
                     {"remaining_usd", rounded(std::max(tool.limit - tool.used, 0.0))},
                     {"days_remaining", tool.days_remaining},
                     {"recommendation", tool.recommendation}};
  }
  json::object object{{"agent_id", text_or_null(health.agent_id)},
                      {"daily_limit", health.daily_limit},
                      {"daily_used", rounded(health.daily_used)},
                      {"monthly_limit", health.monthly_limit},
                      {"monthly_used", rounded(health.monthly_used)},
                      {"daily_token_limit", health.daily_token_limit},
                      {"daily_tokens_used", health.daily_tokens_used},
                      {"healthy", health.healthy},
                      {"status", health.status},
                      {"tools", std::move(tools)}};
  object["collective"] = json::object{{"total_budget_usd", rounded(health.total_budget_usd)},
                                      {"total_used_usd", rounded(health.total_used_usd)},
                                      {"overall_health", health.overall_health}};
  object["billing_cycle"] = json::object{{"started", time(health.cycle_started)},
                                         {"ends", time(health.cycle_ends)},
                                         {"days_remaining", health.cycle_days_remaining}};
  return object;
}

json::object render(const AgentBudget& budget) {
  return {{"daily_limit_usd", number_or_null(budget.daily_limit_usd)},
          {"monthly_limit_usd", number_or_null(budget.monthly_limit_usd)},
          {"daily_token_limit", number_or_null(budget.daily_token_limit)}};
}

json::object render(const ToolBudget& budget) {
  return {{"tool_type", budget.tool_type},
          {"monthly_limit_usd", budget.monthly_limit_usd},
          {"monthly_limit_tokens", budget.monthly_limit_tokens},
          {"reset_day_of_month", budget.reset_day_of_month},
          {"warn", budget.warn},
          {"throttle", budget.throttle},
          {"hard", budget.hard},
          {"allow_critical_over_limit", budget.allow_critical_over_limit}};
}

json::object render(const Generation& generation) {
  return {{"dataset", text_or_null(generation.dataset)},
          {"generation", generation.generation},
          {"fence", generation.fence ? json::value(json::string(generation.fence->str()))
                                     : json::value(nullptr)}};
}

json::object render(const PolledAgent& agent) {
  return {{"id", agent.id},
          {"name", agent.name},
          {"notification_count", agent.notification_count},
          {"last_activated_at", time_or_null(agent.last_activated_at)}};
}

json::object render(const Registered& registered) {
  const Agent& agent = registered.agent;
  json::object object{{"id", agent.id}, {"uuid", agent.uuid}, {"name", agent.name}};
  // A null would break clients that mask the key.
  if (!registered.api_key.empty()) object["api_key"] = registered.api_key;
  object["display_name"] = text_or_null(agent.display_name);
  object["description"] = text_or_null(agent.description);
  object["type"] = agent.type;
  object["config_source"] = text_or_null(agent.config_source);
  object["config_path"] = agent.config_path;
  object["config_branch"] = agent.config_branch;
  object["config_hash"] = text_or_null(agent.config_hash);
  object["api_key_expires_at"] = time_or_null(agent.api_key_expires_at);
  object["created_at"] = time(agent.created_at);
  object["status"] = registered.kind == RegisterKind::registered ? "registered"
                     : registered.kind == RegisterKind::updated  ? "updated"
                                                                 : "unchanged";
  return object;
}

}  // namespace botburrow::hub
