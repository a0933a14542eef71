// Who has something to do, and what: polls, lists of agents, notifications.

#include "base/json.hpp"
#include "hubapi/answers.hpp"
#include "hubapi/client.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace botburrow::hubapi {
namespace {

constexpr std::size_t kAgentsMax = 10'000;
constexpr std::size_t kUnreadMax = 1'000;
constexpr std::size_t kPageSize = 100;

}  // namespace

std::function<void(std::size_t)> HubClient::warn_of_unreadable(std::string what) const {
  return [log = log_, what = std::move(what)](std::size_t count) {
    log.warning("hub_items_unreadable",
                {{"list", what}, {"count", count}, {"msg", "without an id; passed over"}});
  };
}

Task<PollAnswer> HubClient::poll(std::chrono::seconds timeout, int batch, Deadline deadline) {
  HubRequest call{.path = "/notifications/poll",
                  .query = {{"timeout", fmt::format("{}", timeout.count())},
                            {"batch_size", fmt::format("{}", batch)}},
                  .endpoint = "poll",
                  .wait_on_429 = false,
                  .retry = false,
                  .timeout = timeout + std::chrono::seconds(10)};
  const auto answer = co_await request(call, deadline, true);
  if (is_unknown_call(answer.status)) co_return PollAnswer{.supported = false};
  if (!is_fine(answer.status)) throw status_error(call, answer);
  co_return PollAnswer{.agents = read_list<WaitingAgent>(answer.body, "agents", read_waiting_agent,
                                                         warn_of_unreadable("agents"))};
}

Task<std::vector<WaitingAgent>> HubClient::agent_pages(Query query, std::string endpoint,
                                                       Deadline deadline) {
  std::vector<WaitingAgent> all;
  std::set<AgentId> known;
  NextPage next;
  do {
    const auto answer = co_await request({.path = "/agents",
                                          .query = next.added_to(query),
                                          .endpoint = endpoint,
                                          .wait_on_429 = false},
                                         deadline);
    const auto before = all.size();
    for (auto& agent : read_list<WaitingAgent>(answer.body, "agents", read_waiting_agent,
                                               warn_of_unreadable("agents"))) {
      if (known.insert(agent.id).second) all.push_back(std::move(agent));
    }
    // A Hub that answers the same page again and again has no more pages.
    if (all.size() == before) break;
    next.after(answer.body, array_field(answer.body, "agents").size());
  } while (next.more && all.size() < kAgentsMax);
  co_return all;
}

Task<std::vector<WaitingAgent>> HubClient::with_notifications(Deadline deadline) {
  auto agents =
      co_await agent_pages({{"has_notifications", "true"}}, "agents_with_notifications", deadline);
  std::stable_sort(agents.begin(), agents.end(), [](const auto& a, const auto& b) {
    return a.notification_count > b.notification_count;
  });
  co_return agents;
}

Task<std::vector<WaitingAgent>> HubClient::stale(std::chrono::seconds min_staleness,
                                                 Deadline deadline) {
  auto agents = co_await agent_pages(
      {{"stale", "true"}, {"min_staleness", fmt::format("{}", min_staleness.count())}},
      "agents_stale", deadline);
  // Never activated first, then the oldest: an absent time sorts before any other.
  std::stable_sort(agents.begin(), agents.end(), [](const auto& a, const auto& b) {
    return a.last_activated_at < b.last_activated_at;
  });
  co_return agents;
}

Task<> HubClient::activated(AgentId agent, Deadline deadline) {
  co_await request({.method = "POST",
                    .path = "/agents/" + net::url_encode(agent.str()) + "/activated",
                    .acting = agent.str(),
                    .endpoint = "activated",
                    .repeatable = true},
                   deadline);
}

Task<std::vector<Notification>> HubClient::unread(AgentId agent, int limit, Deadline deadline) {
  const Query query{
      {"agent_id", agent.str()}, {"unread", "true"}, {"limit", fmt::format("{}", limit)}};
  const auto older = [](const auto& a, const auto& b) { return a.created_at < b.created_at; };
  std::vector<Notification> list;
  std::set<std::string> known;
  NextPage next;
  do {
    const auto answer = co_await request({.path = "/notifications",
                                          .query = next.added_to(query),
                                          .acting = agent.str(),
                                          .endpoint = "notifications"},
                                         deadline);
    const auto before = known.size();
    for (auto& one : read_list<Notification>(answer.body, "notifications", read_notification,
                                             warn_of_unreadable("notifications"))) {
      if (known.insert(one.id).second && !one.read) list.push_back(std::move(one));
    }
    if (known.size() == before) break;
    next.after(answer.body, array_field(answer.body, "notifications").size());
    // The oldest are wanted. A Hub that sends them first need not send the rest.
    const bool enough = list.size() >= static_cast<std::size_t>(limit) &&
                        std::is_sorted(list.begin(), list.end(), older);
    if (enough) break;
  } while (next.more && list.size() < kUnreadMax);
  std::stable_sort(list.begin(), list.end(), older);
  if (list.size() > static_cast<std::size_t>(limit)) list.resize(static_cast<std::size_t>(limit));
  co_return list;
}

Task<> HubClient::mark_read(AgentId agent, std::vector<std::string> ids, std::string fence,
                            Deadline deadline) {
  for (std::size_t at = 0; at < ids.size(); at += kPageSize) {
    json::array page;
    for (std::size_t i = at; i < std::min(ids.size(), at + kPageSize); ++i)
      page.emplace_back(ids[i]);
    co_await request(
        {.method = "POST",
         .path = "/notifications/read",
         .body = json::value{{"agent_id", agent.str()}, {"notification_ids", std::move(page)}},
         .acting = agent.str(),
         .guard = {.fence = fence},
         .endpoint = "notifications_read",
         .repeatable = true},
        deadline);
  }
  log_.debug("marked_notifications_read", {{"count", ids.size()}});
}

}  // namespace botburrow::hubapi
