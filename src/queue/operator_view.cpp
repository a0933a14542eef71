#include "queue/operator_view.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "net/redis.hpp"
#include "queue/activation_record.hpp"
#include "queue/scripts.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace botburrow::queue {

using net::Redis;
using net::RedisReply;

namespace {

constexpr std::chrono::seconds kCallTimeout{5};
constexpr std::size_t kResultsMax = 1000;
constexpr std::int64_t kPageSize = 1000;
/// Elements looked through to tell an agent's place in its queue.
constexpr std::int64_t kPlaceMax = 100'000;

Deadline soon() {
  return Deadline::in(kCallTimeout);
}

const RedisReply& checked(const RedisReply& reply) {
  if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value)) {
    throw Error(errc::redis_error, "Redis: " + failure->text);
  }
  return reply;
}

Redis::Args range_from_right(Priority queue, std::int64_t skip, std::int64_t count) {
  return {"LRANGE", queue_key(queue), fmt::to_string(-skip - count), fmt::to_string(-skip - 1)};
}

Waiting waiting_of(Priority queue, const std::string& element) {
  return {.queue = queue, .element = element, .item = decode_item(element), .due = std::nullopt};
}

double created_at(const RedisReply& element, double now) {
  if (element.is_nil()) return now;
  const auto item = decode_item(element.str());
  return item && item->created_at > 0 ? item->created_at : now;
}

template <class Value, class Read>
std::map<std::string, Value> map_of(const RedisReply& reply, Read read) {
  std::map<std::string, Value> values;
  const auto& fields = reply.array();
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    values.insert_or_assign(fields[i].str(), read(fields[i + 1].str()));
  }
  return values;
}

DeadLetter dead_letter_of(const std::string& json) {
  DeadLetter letter{.json = json};
  const auto parsed = try_parse_json(json);
  if (!parsed || !parsed->is_object()) {
    letter.kind = "unreadable";
    letter.raw = json;
    return letter;
  }
  const auto text = [&parsed](std::string_view key) {
    return string_field(*parsed, key).value_or("");
  };
  letter.id = text("id");
  letter.kind = text("kind");
  letter.agent_id = text("agent_id");
  letter.notification_id = text("notification_id");
  letter.reason = text("reason");
  letter.at = text("at");
  letter.attempts = int_field(*parsed, "attempts").value_or(0);
  if (const json::value* item = find_field(*parsed, "item"))
    letter.item = decode_item(to_json(*item));
  for (const json::value& crash : array_field(*parsed, "history")) {
    letter.history.push_back({.activation_id = string_field(crash, "activation_id").value_or(""),
                              .runner_id = string_field(crash, "runner_id").value_or(""),
                              .at = string_field(crash, "at").value_or(""),
                              .reason = string_field(crash, "reason").value_or("")});
  }
  if (letter.kind == "unreadable") letter.raw = base64_decode(text("raw_base64")).value_or("");
  return letter;
}

RetryResult retry_result_of(std::string_view answer) {
  if (answer == "QUEUED") return RetryResult::queued;
  if (answer == "DUP_QUEUED") return RetryResult::dup_queued;
  if (answer == "DUP_ACTIVE") return RetryResult::dup_active;
  if (answer == "UNREADABLE") return RetryResult::unreadable;
  return RetryResult::not_found;
}

}  // namespace

Task<QueueSnapshot> OperatorView::snapshot() {
  const auto r = co_await redis_.pipeline({{"LLEN", "work:queue:high"},
                                           {"LLEN", "work:queue:normal"},
                                           {"LLEN", "work:queue:low"},
                                           {"LINDEX", "work:queue:high", "-1"},
                                           {"LINDEX", "work:queue:normal", "-1"},
                                           {"LINDEX", "work:queue:low", "-1"},
                                           {"ZCARD", "work:deferred"},
                                           {"LLEN", "work:dead"},
                                           {"HLEN", "work:outbox"},
                                           {"HGETALL", "work:active"},
                                           {"HGETALL", "work:backoff"},
                                           {"HGETALL", "work:failures"},
                                           {"SMEMBERS", "work:paused"},
                                           {"HMGET", "work:stats", "enqueued", "done"},
                                           {"GET", "work:generation"},
                                           {"GET", "coordinator:epoch"},
                                           {"GET", "coordinator:leader"},
                                           {"TIME"}},
                                          soon());
  for (const RedisReply& reply : r)
    checked(reply);
  const auto& time = r.at(17).array();
  QueueSnapshot snapshot{.deferred = r.at(6).integer(),
                         .dead = r.at(7).integer(),
                         .outbox = r.at(8).integer(),
                         .enqueued_total = number_of(r.at(13).array().at(0)),
                         .done_total = number_of(r.at(13).array().at(1)),
                         .generation = text_of_reply(r.at(14)),
                         .epoch = number_of(r.at(15)),
                         .leader = text_of_reply(r.at(16)),
                         .server_time = static_cast<double>(number_of(time.at(0))) +
                                        static_cast<double>(number_of(time.at(1))) / 1e6};
  const double now = snapshot.server_time;
  QueueSnapshot::Lane* lanes[] = {&snapshot.high, &snapshot.normal, &snapshot.low};
  for (std::size_t i = 0; i < 3; ++i) {
    lanes[i]->length = r.at(i).integer();
    lanes[i]->oldest_age_seconds = std::max(0.0, now - created_at(r.at(3 + i), now));
  }
  snapshot.active = map_of<std::string>(r.at(9), [](const std::string& runner) { return runner; });
  snapshot.backoff =
      map_of<double>(r.at(10), [now](const std::string& end) { return decimal_of(end) - now; });
  std::erase_if(snapshot.backoff, [](const auto& entry) { return entry.second <= 0; });
  snapshot.failures = map_of<std::int64_t>(
      r.at(11), [](const std::string& n) { return static_cast<std::int64_t>(decimal_of(n)); });
  for (const RedisReply& agent : r.at(12).array())
    snapshot.paused.push_back(agent.str());
  std::ranges::sort(snapshot.paused);
  co_return snapshot;
}

Task<Census> OperatorView::census() {
  const auto reply = co_await run_script(redis_, scripts().census, {}, {}, soon());
  co_return census_of(reply);
}

Task<std::vector<Waiting>> OperatorView::waiting(std::optional<Priority> only, std::size_t limit) {
  std::vector<Waiting> all;
  for (const auto queue : {Priority::high, Priority::normal, Priority::low}) {
    if ((only && *only != queue) || limit == 0) continue;
    const auto reply = co_await redis_.command(
        range_from_right(queue, 0, static_cast<std::int64_t>(limit)), soon());
    const auto& elements = reply.array();
    for (auto element = elements.rbegin(); element != elements.rend(); ++element) {
      all.push_back(waiting_of(queue, element->str()));
    }
  }
  co_return all;
}

Task<std::vector<Waiting>> OperatorView::deferred(std::size_t limit) {
  if (limit == 0) co_return std::vector<Waiting>{};
  co_return co_await deferred_page(0, static_cast<std::int64_t>(limit));
}

Task<std::vector<Waiting>> OperatorView::deferred_page(std::int64_t first, std::int64_t count) {
  std::vector<Waiting> all;
  const auto reply = co_await redis_.command({"ZRANGE", "work:deferred", fmt::to_string(first),
                                              fmt::to_string(first + count - 1), "WITHSCORES"},
                                             soon());
  const auto& fields = reply.array();
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    Waiting entry = waiting_of(Priority::normal, fields[i].str());
    if (entry.item) entry.queue = entry.item->priority;
    entry.due = decimal_of(fields[i + 1].str());
    all.push_back(std::move(entry));
  }
  co_return all;
}

Task<std::vector<ActiveActivation>> OperatorView::activations() {
  const auto active = co_await redis_.command({"HGETALL", "work:active"}, soon());
  const auto& fields = active.array();
  std::vector<ActiveActivation> all;
  if (fields.empty()) co_return all;
  Redis::Args args{"MGET"};
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    args.push_back("agent:activation:" + fields[i].str());
  }
  const auto records = co_await redis_.command(std::move(args), soon());
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    all.push_back(activation_of(fields[i].str(), fields[i + 1].str(),
                                text_of_reply(records.array().at(i / 2))));
  }
  std::ranges::sort(all, {}, [](const ActiveActivation& a) { return a.agent_id.str(); });
  co_return all;
}

Task<std::optional<WorkId>> OperatorView::find_work(ActivationId activation) {
  const auto running = co_await redis_.command({"HVALS", "work:processing"}, soon());
  for (const auto& line : running.array()) {
    // "<fence> <attempt> <queue> <runner> <activation> <work>", LF, the element.
    const auto head = text_of_reply(line);
    std::istringstream words(head.substr(0, head.find('\n')));
    const std::vector<std::string> all{std::istream_iterator<std::string>(words), {}};
    if (all.size() == 6 && all[4] == activation.str()) co_return WorkId(all[5]);
  }
  for (const auto& result : co_await results(kResultsMax)) {
    if (result.activation_id == activation && !result.work_id.empty()) co_return result.work_id;
  }
  const auto letter = co_await find_dead(activation.str());
  if (letter && letter->item && !letter->item->work_id.empty()) co_return letter->item->work_id;
  co_return std::nullopt;
}

Task<std::vector<ActivationResult>> OperatorView::results(std::size_t limit) {
  std::vector<ActivationResult> all;
  if (limit == 0) co_return all;
  const auto reply = co_await redis_.command(
      {"LRANGE", "activation:results", "0", fmt::to_string(std::min(limit, kResultsMax) - 1)},
      soon());
  for (const RedisReply& element : reply.array()) {
    if (auto result = decode_result(element.str())) all.push_back(std::move(*result));
  }
  co_return all;
}

Task<AgentFacts> OperatorView::why(AgentId agent) {
  const std::string& id = agent.str();
  const auto r = co_await redis_.pipeline({{"SISMEMBER", "work:paused", id},
                                           {"SISMEMBER", "work:paused", "*"},
                                           {"GET", "work:generation"},
                                           {"HGET", "work:queued", id},
                                           {"HGET", "work:backoff", id},
                                           {"HGET", "work:failures", id},
                                           {"HGET", "work:why", id},
                                           {"HGET", "work:active", id},
                                           {"GET", "agent:activation:" + id},
                                           {"HEXISTS", "work:dirty", id},
                                           {"TIME"},
                                           {"EXISTS", "coordinator:leader"},
                                           {"LLEN", "work:queue:high"},
                                           {"LLEN", "work:queue:normal"}},
                                          soon());
  for (const RedisReply& reply : r)
    checked(reply);
  AgentFacts facts{.agent_id = agent,
                   .paused = r.at(0).integer() == 1,
                   .fleet_paused = r.at(1).integer() == 1,
                   .generation_missing = r.at(2).is_nil(),
                   .led = r.at(11).integer() == 1,
                   .failures = number_of(r.at(5)),
                   .follow_up = r.at(9).integer() == 1,
                   .server_time = static_cast<double>(number_of(r.at(10).array().at(0)))};
  const double now = facts.server_time;
  if (!r.at(4).is_nil()) facts.backoff_seconds = std::max(0.0, decimal_of(r.at(4).str()) - now);
  if (!r.at(6).is_nil()) {
    if (const auto why = try_parse_json(r.at(6).str())) {
      facts.last_at = string_field(*why, "at");
      facts.last_outcome = string_field(*why, "outcome");
      facts.last_reason = string_field(*why, "reason");
    }
  }
  if (!r.at(7).is_nil()) facts.active = activation_of(id, r.at(7).str(), text_of_reply(r.at(8)));
  if (r.at(3).is_nil()) co_return facts;

  const std::string queued = r.at(3).str();
  const Priority queue = parse_priority(queued.substr(0, queued.find(':')));
  if (auto place = co_await place_of(agent, queue)) {
    facts.waiting = std::move(place->waiting);
    facts.ahead = place->before;
    if (queue != Priority::high) facts.ahead += r.at(12).integer();
    if (queue == Priority::low) facts.ahead += r.at(13).integer();
  } else {
    facts.waiting = co_await find_deferred(agent);
  }
  co_return facts;
}

Task<std::optional<OperatorView::Place>> OperatorView::place_of(AgentId agent, Priority queue) {
  for (std::int64_t skip = 0; skip < kPlaceMax; skip += kPageSize) {
    const auto page = co_await redis_.command(range_from_right(queue, skip, kPageSize), soon());
    const auto& elements = page.array();
    for (std::size_t i = elements.size(); i-- > 0;) {
      Waiting entry = waiting_of(queue, elements[i].str());
      if (!entry.item || entry.item->agent_id != agent) continue;
      co_return Place{.waiting = std::move(entry),
                      .before = skip + static_cast<std::int64_t>(elements.size() - 1 - i)};
    }
    if (elements.size() < static_cast<std::size_t>(kPageSize)) break;
  }
  co_return std::nullopt;
}

Task<std::optional<Waiting>> OperatorView::find_deferred(AgentId agent) {
  for (std::int64_t first = 0; first < kPlaceMax; first += kPageSize) {
    auto page = co_await deferred_page(first, kPageSize);
    for (Waiting& entry : page) {
      if (entry.item && entry.item->agent_id == agent) co_return std::move(entry);
    }
    if (page.size() < static_cast<std::size_t>(kPageSize)) break;
  }
  co_return std::nullopt;
}

Task<bool> OperatorView::stop_activation(ActivationId id) {
  // `activation:results` is no activation.
  if (id.empty() || id.str() == "results") co_return false;
  const auto reply = co_await redis_.command({"DEL", "activation:" + id.str()}, soon());
  co_return reply.integer() == 1;
}

Task<std::int64_t> OperatorView::clear_backoff(AgentId agent) {
  const auto r = co_await redis_.pipeline({{"HDEL", "work:backoff", agent.str()},
                                           {"HDEL", "work:failures", agent.str()},
                                           {"HDEL", "work:why", agent.str()}},
                                          soon());
  const std::int64_t cleared = checked(r.at(0)).integer() + checked(r.at(1)).integer();
  if (cleared > 0) log_.info("backoff_cleared", {{"agent_id", agent.str()}});
  co_return cleared > 0 ? 1 : 0;
}

Task<std::int64_t> OperatorView::clear_all_backoffs() {
  const auto r = co_await redis_.pipeline({{"HKEYS", "work:backoff"},
                                           {"HKEYS", "work:failures"},
                                           {"DEL", "work:backoff", "work:failures", "work:why"}},
                                          soon());
  std::map<std::string, bool> agents;
  for (std::size_t i = 0; i < 2; ++i) {
    for (const RedisReply& agent : checked(r.at(i)).array())
      agents[agent.str()] = true;
  }
  if (!agents.empty()) log_.info("backoff_cleared", {{"agents", agents.size()}});
  co_return static_cast<std::int64_t>(agents.size());
}

Task<bool> OperatorView::pause(AgentId agent) {
  const auto reply = co_await redis_.command({"SADD", "work:paused", agent.str()}, soon());
  co_return reply.integer() == 1;
}

Task<bool> OperatorView::resume(AgentId agent) {
  // Rings, because idle runners would notice only at the end of their wait.
  const auto r = co_await redis_.pipeline({{"SREM", "work:paused", agent.str()},
                                           {"LPUSH", "work:bell:inbox", "1"},
                                           {"LPUSH", "work:bell:discovery", "1"},
                                           {"LTRIM", "work:bell:inbox", "0", "63"},
                                           {"LTRIM", "work:bell:discovery", "0", "63"}},
                                          soon());
  co_return checked(r.at(0)).integer() == 1;
}

Task<bool> OperatorView::drop_waiting(AgentId agent) {
  const auto reply = co_await run_script(redis_, scripts().drop_waiting, {}, {agent.str()}, soon());
  co_return number_of(reply) > 0;
}

Task<std::vector<DeadLetter>> OperatorView::dead(std::size_t offset, std::size_t limit) {
  std::vector<DeadLetter> letters;
  if (limit == 0) co_return letters;
  const auto reply = co_await redis_.command(
      {"LRANGE", "work:dead", fmt::to_string(offset), fmt::to_string(offset + limit - 1)}, soon());
  for (const RedisReply& entry : reply.array())
    letters.push_back(dead_letter_of(entry.str()));
  co_return letters;
}

Task<std::optional<DeadLetter>> OperatorView::find_dead(std::string id) {
  std::string start = "{\"id\": ";
  append_json_string(start, id);
  for (std::int64_t first = 0;; first += kPageSize) {
    const auto reply = co_await redis_.command(
        {"LRANGE", "work:dead", fmt::to_string(first), fmt::to_string(first + kPageSize - 1)},
        soon());
    for (const RedisReply& entry : reply.array()) {
      if (entry.str().starts_with(start)) co_return dead_letter_of(entry.str());
    }
    if (reply.array().size() < static_cast<std::size_t>(kPageSize)) co_return std::nullopt;
  }
}

Task<RetryResult> OperatorView::retry_dead(std::string id) {
  const auto reply =
      co_await run_script(redis_, scripts().dead_act, {}, {"retry", valid_utf8(id)}, soon());
  co_return retry_result_of(text_of_reply(reply));
}

Task<bool> OperatorView::clear_dead(std::string id) {
  if (id == "*") co_return false;
  const auto reply =
      co_await run_script(redis_, scripts().dead_act, {}, {"clear", valid_utf8(id)}, soon());
  co_return number_of(reply) > 0;
}

Task<std::int64_t> OperatorView::clear_all_dead() {
  co_return number_of(co_await run_script(redis_, scripts().dead_act, {}, {"clear", "*"}, soon()));
}

}  // namespace botburrow::queue
