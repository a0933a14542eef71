#include "hubapi/wire.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hubapi {
namespace {

std::string text(const json::value& object, std::string_view key) {
  return string_field(object, key).value_or("");
}

std::optional<std::string> id_of(const json::value& object) {
  if (auto id = string_field(object, "id")) return id;
  if (const auto number = int_field(object, "id")) return fmt::format("{}", *number);
  return std::nullopt;
}

std::optional<WallTime> time_of(const json::value& object, std::string_view key) {
  const auto written = string_field(object, key);
  return written ? parse_rfc3339(*written) : std::nullopt;
}

AgentRef read_author(const json::value& object, std::string_view key) {
  AgentRef ref;
  const auto* found = find_field(object, key);
  if (!found) return ref;
  if (found->is_string()) {
    ref.id = ref.name = text(object, key);
    return ref;
  }
  ref.id = id_of(*found).value_or("");
  ref.name = text(*found, "name");
  ref.type = text(*found, "type");
  if (ref.name.empty()) ref.name = ref.id;
  if (ref.id.empty()) ref.id = ref.name;
  return ref;
}

BudgetStatus worse(BudgetStatus a, BudgetStatus b) {
  return std::max(a, b);
}

// Nothing for a word that we do not know: then the figures decide.
std::optional<BudgetStatus> status_named(std::string_view name) {
  if (name == "critical" || name == "exceeded") return BudgetStatus::critical;
  if (name == "throttle" || name == "throttled") return BudgetStatus::throttle;
  if (name == "warning") return BudgetStatus::warning;
  if (name == "healthy" || name == "ok" || name == "good") return BudgetStatus::healthy;
  return std::nullopt;
}

// 80 / 90 / 100 %.
BudgetStatus status_of_percentage(double percentage) {
  if (percentage >= 100) return BudgetStatus::critical;
  if (percentage >= 90) return BudgetStatus::throttle;
  if (percentage >= 80) return BudgetStatus::warning;
  return BudgetStatus::healthy;
}

BudgetStatus status_of_limit(double used, double limit) {
  return limit > 0 ? status_of_percentage(used / limit * 100) : BudgetStatus::healthy;
}

BudgetStatus status_of_tool(const json::value& tool) {
  if (const auto named = status_named(text(tool, "status"))) return *named;
  for (const auto* key : {"used_pct", "percentage"}) {
    if (const auto percentage = number_field(tool, key)) return status_of_percentage(*percentage);
  }
  return status_of_limit(number_field(tool, "used").value_or(0),
                         number_field(tool, "limit").value_or(0));
}

BudgetStatus status_of_collective(const json::value& all) {
  if (const auto named = status_named(text(all, "overall_health"))) return *named;
  return status_of_limit(number_field(all, "total_used_usd").value_or(0),
                         number_field(all, "total_budget_usd").value_or(0));
}

}  // namespace

std::optional<Comment> read_comment(const json::value& value) {
  const auto id = id_of(value);
  if (!id) return std::nullopt;
  return Comment{.id = *id,
                 .parent_id = text(value, "parent_id"),
                 .author = read_author(value, "author"),
                 .content = text(value, "content"),
                 .created_at = time_of(value, "created_at")};
}

std::optional<Post> read_post(const json::value& value) {
  const auto id = id_of(value);
  if (!id) return std::nullopt;
  Post post{.id = *id,
            .author = read_author(value, "author"),
            .title = text(value, "title"),
            .content = text(value, "content"),
            .community = text(value, "community"),
            .created_at = time_of(value, "created_at")};
  post.comments = read_list<Comment>(value, "comments", read_comment);
  const auto total = int_field(value, "comment_count").value_or(0);
  post.comments_total =
      std::max(post.comments.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, total)));
  for (const auto& reply : array_field(value, "existing_replies")) {
    post.existing_replies.push_back(read_author(reply, "author"));
  }
  return post;
}

std::optional<Notification> read_notification(const json::value& value) {
  const auto id = id_of(value);
  if (!id) return std::nullopt;
  return Notification{
      .id = *id,
      .type = text(value, "type"),
      .subtype = text(value, "subtype"),
      .post_id = string_field(value, "post_id"),
      .comment_id = string_field(value, "comment_id"),
      .from = read_author(value, find_field(value, "from_agent") ? "from_agent" : "from"),
      .content = text(value, "content"),
      .created_at = time_of(value, "created_at"),
      .read = bool_field(value, "read").value_or(false)};
}

json::value to_json_value(const Notification& notification) {
  json::object out{{"id", notification.id},
                   {"type", notification.type},
                   {"from",
                    {{"id", notification.from.id},
                     {"name", notification.from.name},
                     {"type", notification.from.type}}},
                   {"content", notification.content},
                   {"read", notification.read}};
  if (!notification.subtype.empty()) out["subtype"] = notification.subtype;
  if (notification.post_id) out["post_id"] = *notification.post_id;
  if (notification.comment_id) out["comment_id"] = *notification.comment_id;
  if (notification.created_at) out["created_at"] = to_rfc3339(*notification.created_at);
  return out;
}

std::optional<WaitingAgent> read_waiting_agent(const json::value& value) {
  const auto id = id_of(value);
  if (!id) return std::nullopt;
  const auto count = int_field(value, "notification_count").value_or(0);
  return WaitingAgent{
      .id = AgentId(*id),
      .name = string_field(value, "name").value_or(*id),
      .notification_count = static_cast<int>(std::clamp<std::int64_t>(count, 0, 1'000'000)),
      .last_activated_at = time_of(value, "last_activated_at")};
}

Budget read_budget(const json::value& value) {
  Budget budget;
  budget.daily_limit = number_field(value, "daily_limit").value_or(0);
  budget.daily_used = number_field(value, "daily_used").value_or(0);
  budget.monthly_limit = number_field(value, "monthly_limit").value_or(0);
  budget.monthly_used = number_field(value, "monthly_used").value_or(0);
  budget.status = worse(status_of_limit(budget.daily_used, budget.daily_limit),
                        status_of_limit(budget.monthly_used, budget.monthly_limit));
  if (bool_field(value, "healthy") == false) budget.status = BudgetStatus::critical;
  if (const auto named = status_named(text(value, "status")))
    budget.status = worse(budget.status, *named);
  // Per-tool figures speak for the whole fleet; ours also sends the agent's own, which decide
  // alone.
  const bool flat = find_field(value, "daily_limit") || find_field(value, "healthy");
  if (const auto* tools = find_field(value, "tools"); tools && tools->is_object() && !flat) {
    for (const auto& [name, tool] : tools->get_object())
      budget.status = worse(budget.status, status_of_tool(tool));
  }
  if (const auto* all = find_field(value, "collective"); all && !flat) {
    budget.status = worse(budget.status, status_of_collective(*all));
  }
  return budget;
}

Generation read_generation(const json::value& value) {
  return {.dataset = text(value, "dataset"),
          .generation = int_field(value, "generation").value_or(0),
          .fence = text(value, "fence")};
}

template <class T>
std::vector<T> read_list(const json::value& object, std::string_view key,
                         std::optional<T> (*read)(const json::value&),
                         const std::function<void(std::size_t)>& skipped) {
  std::vector<T> list;
  std::size_t unreadable = 0;
  for (const auto& element : array_field(object, key)) {
    auto item = read(element);
    if (item)
      list.push_back(std::move(*item));
    else
      ++unreadable;
  }
  if (unreadable > 0 && skipped) skipped(unreadable);
  return list;
}

template std::vector<Post> read_list(const json::value&, std::string_view,
                                     std::optional<Post> (*)(const json::value&),
                                     const std::function<void(std::size_t)>&);
template std::vector<Comment> read_list(const json::value&, std::string_view,
                                        std::optional<Comment> (*)(const json::value&),
                                        const std::function<void(std::size_t)>&);
template std::vector<Notification> read_list(const json::value&, std::string_view,
                                             std::optional<Notification> (*)(const json::value&),
                                             const std::function<void(std::size_t)>&);
template std::vector<WaitingAgent> read_list(const json::value&, std::string_view,
                                             std::optional<WaitingAgent> (*)(const json::value&),
                                             const std::function<void(std::size_t)>&);

std::string Budget::reason() const {
  if (daily_limit > 0 && daily_used >= daily_limit) return "Daily budget exceeded";
  if (monthly_limit > 0 && monthly_used >= monthly_limit) return "Monthly budget exceeded";
  return status >= BudgetStatus::throttle ? "Budget unhealthy" : "Budget OK";
}

std::string effect_key(const AgentId& agent, const std::string& scope, const std::string& slot) {
  return sha256_hex(agent.str() + "\n" + scope + "\n" + slot);
}

}  // namespace botburrow::hubapi
