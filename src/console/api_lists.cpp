// Lists in pages: what waits, runs, ended, died.
#include "base/error.hpp"
#include "base/json.hpp"
#include "console/core.hpp"
#include "console/documents.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::console {
namespace {

using net::ServerRequest;

/// How many results one request looks through for those that fit, and how many at once.
constexpr std::size_t kLookedMax = 10'000;
constexpr std::size_t kLookedAtOnce = 200;
constexpr std::size_t kSearchesMax = 2;

json::object page_document(const queue::PageAsk& ask, std::int64_t total, const char* name,
                           json::array rows) {
  return {{"offset", ask.offset}, {"limit", ask.limit}, {"total", total}, {name, std::move(rows)}};
}

std::int64_t lane_length(const queue::QueueSnapshot& s, std::string_view lane) {
  if (lane == "high") return s.high.length;
  if (lane == "normal") return s.normal.length;
  if (lane == "low") return s.low.length;
  return s.deferred;
}

Task<json::object> waiting(Core& core, const ServerRequest& request) {
  const auto ask = page_of(request);
  const auto lane = request.query_value("lane").value_or("high");
  if (lane != "high" && lane != "normal" && lane != "low" && lane != "deferred") {
    throw Error(errc::invalid_argument, fmt::format("lane=\"{}\": expected high, normal, low or "
                                                    "deferred",
                                                    valid_utf8(utf8_prefix(lane, 40))));
  }
  const auto snapshot = co_await core.view.snapshot();
  const auto entries = lane == "deferred"
                           ? co_await core.pages.deferred(ask)
                           : co_await core.pages.waiting(queue::parse_priority(lane), ask);
  json::array rows;
  for (const auto& entry : entries)
    rows.push_back(to_document(entry, snapshot.server_time));
  co_return page_document(ask, lane_length(snapshot, lane), "waiting", std::move(rows));
}

Task<json::object> running(Core& core, const ServerRequest& request) {
  const auto ask = page_of(request);
  const auto snapshot = co_await core.view.snapshot();
  std::vector<std::pair<std::string, std::string>> shown;
  std::size_t place = 0;
  for (const auto& [agent, runner] : snapshot.active) {
    if (place++ < ask.offset) continue;
    if (shown.size() == ask.limit) break;
    shown.emplace_back(agent, runner);
  }
  const auto activations = co_await core.pages.activations(std::move(shown));
  co_await core.runs.follow(activations);
  json::array rows;
  for (const auto& one : activations)
    rows.push_back(to_document(one, core.runs.find(one.activation_id.str())));
  if (sight_of(core, request) == Board::Sight::open) hide_doings(rows);
  co_return page_document(ask, static_cast<std::int64_t>(snapshot.active.size()), "running",
                          std::move(rows));
}

bool fits(const queue::ActivationResult& result, const std::string& status,
          const std::string& part) {
  return (status.empty() || result.status == status) &&
         (part.empty() || result.agent_id.str().find(part) != std::string::npos ||
          result.agent_name.find(part) != std::string::npos);
}

// With a filter, `offset` and `next` are places in the whole list, and a page may be short though
// more follows: one request looks through so many and no more.
Task<json::object> ended(Core& core, const ServerRequest& request) {
  const auto ask = page_of(request);
  const auto status = request.query_value("status").value_or("");
  const auto part = request.query_value("agent").value_or("");
  const bool all = status.empty() && part.empty();
  std::optional<Turn> turn;
  if (!all) turn.emplace(core.searches, kSearchesMax);
  json::array rows;
  std::size_t at = ask.offset;
  std::int64_t total = 0;
  bool more = true;
  while (more && rows.size() < ask.limit && at < ask.offset + kLookedMax) {
    const auto page =
        co_await core.pages.ended({.offset = at, .limit = all ? ask.limit : kLookedAtOnce});
    total = page.total;
    more = static_cast<std::int64_t>(at + page.read) < total && page.read > 0;
    if (all) {
      for (const auto& result : page.results)
        rows.push_back(to_document(result));
      at += page.read;
      break;
    }
    // Unreadable ones are left out, so a result's place is not known: the chunk is taken whole.
    for (const auto& result : page.results) {
      if (fits(result, status, part)) rows.push_back(to_document(result));
    }
    at += page.read;
  }
  auto document = page_document(ask, total, "ended", std::move(rows));
  document["next"] = more ? json::value(at) : json::value(nullptr);
  co_return document;
}

Task<json::object> dead(Core& core, const ServerRequest& request) {
  const auto ask = page_of(request);
  const auto snapshot = co_await core.view.snapshot();
  json::array rows;
  for (const auto& letter : co_await core.view.dead(ask.offset, ask.limit))
    rows.push_back(to_document(letter, false));
  co_return page_document(ask, snapshot.dead, "dead", std::move(rows));
}

Task<json::object> one_dead(Core& core, const ServerRequest& request) {
  const auto id = request.params.at("id");
  const auto letter = co_await core.view.find_dead(id);
  if (!letter) throw Error(errc::not_found, fmt::format("no dead letter \"{}\"", valid_utf8(id)));
  auto document = to_document(*letter, true);
  if (sight_of(core, request) == Board::Sight::open) hide_contents(document);
  co_return document;
}

}  // namespace

void add_list_routes(Routes& routes) {
  routes.look("/waiting", waiting);
  routes.look("/running", running);
  routes.look("/ended", ended);
  routes.look("/dead", dead);
  routes.look("/dead/:id", one_dead);
}

}  // namespace botburrow::console
