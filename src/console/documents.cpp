// Rules only.
#include "console/documents.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace botburrow::console {
namespace {

constexpr std::size_t kReasonBytes = 500;
constexpr std::size_t kRawBytes = 4000;

std::string cut(std::string_view text, std::size_t bytes) {
  const auto shown = utf8_prefix(text, bytes);
  if (shown.size() == text.size()) return valid_utf8(text);
  return valid_utf8(shown) + fmt::format(" [… {} bytes more]", text.size() - shown.size());
}

// Milliseconds are enough for people, and shorter.
double rounded(double seconds) {
  return std::round(seconds * 1000) / 1000;
}

json::object lane_document(std::string_view name, const queue::QueueSnapshot::Lane& lane) {
  return {{"name", name},
          {"depth", lane.length},
          {"oldest_age_seconds", rounded(lane.oldest_age_seconds)}};
}

json::value shortened(const json::value& value, std::size_t text_bytes) {
  if (value.is_string()) return json::value(cut(value.get_string(), text_bytes));
  if (value.is_array()) {
    json::array out;
    for (const auto& element : value.get_array())
      out.push_back(shortened(element, text_bytes));
    return out;
  }
  if (value.is_object()) {
    json::object out;
    for (const auto& [key, field] : value.get_object())
      out[key] = shortened(field, text_bytes);
    return out;
  }
  return value;
}

json::array history_document(const std::vector<queue::Crash>& history) {
  json::array out;
  for (const auto& crash : history) {
    out.push_back({{"activation_id", valid_utf8(crash.activation_id)},
                   {"runner_id", valid_utf8(crash.runner_id)},
                   {"at", valid_utf8(crash.at)},
                   {"reason", cut(crash.reason, kReasonBytes)}});
  }
  return out;
}

}  // namespace

json::object to_document(const queue::Heartbeat& beat, double now) {
  return {{"runner_id", beat.runner_id.str()},
          {"mode", beat.mode ? std::string(queue::name_of(*beat.mode)) : ""},
          {"status", queue::name_of(beat.status)},
          {"active", beat.active},
          {"capacity", beat.capacity},
          {"version", beat.version},
          {"heard_seconds_ago", rounded(std::max(0.0, now - to_unix(beat.timestamp)))}};
}

json::object to_document(const queue::ActiveActivation& a, const Progress* progress) {
  json::object out{{"agent_id", a.agent_id.str()},   {"agent_name", a.agent_name},
                   {"runner_id", a.runner_id.str()}, {"activation_id", a.activation_id.str()},
                   {"task_type", a.task_type},       {"started_at", a.started_at},
                   {"deadline", a.deadline}};
  out["steps"] = progress ? progress->steps() : 0;
  out["cost_usd"] = progress ? progress->cost_usd() : 0.0;
  out["doing"] = progress ? progress->doing() : "";
  out["doing_since"] = progress ? progress->since() : "";
  return out;
}

json::object to_document(const queue::ActivationResult& r) {
  return {{"agent_id", r.agent_id.str()},
          {"agent_name", r.agent_name},
          {"runner_id", r.runner_id.str()},
          {"activation_id", r.activation_id.str()},
          {"task_type", queue::name_of(r.task_type)},
          {"status", r.status},
          {"duration_seconds", rounded(r.duration_seconds)},
          {"tokens", r.tokens_used()},
          {"cost_usd", r.cost_usd},
          {"posts", r.posts_created},
          {"comments", r.comments_created},
          {"error", r.error ? json::value(cut(*r.error, kReasonBytes)) : json::value(nullptr)},
          {"timestamp", r.timestamp}};
}

json::object to_document(const queue::Waiting& entry, double now) {
  json::object out{
      {"queue", queue::name_of(entry.queue)},
      {"due_seconds", entry.due ? json::value(rounded(*entry.due - now)) : json::value(nullptr)}};
  if (!entry.item) {
    out["unreadable"] = cut(entry.element, kReasonBytes);
    return out;
  }
  const auto& item = *entry.item;
  out["agent_id"] = item.agent_id.str();
  out["agent_name"] = item.agent_name;
  out["task_type"] = queue::name_of(item.task_type);
  out["inbox_count"] = item.inbox_count;
  out["age_seconds"] = rounded(std::max(0.0, now - item.created_at));
  out["attempt"] = item.attempt;
  return out;
}

json::object to_document(const queue::DeadLetter& letter, bool whole) {
  json::object out{{"id", valid_utf8(letter.id)},
                   {"kind", valid_utf8(letter.kind)},
                   {"agent_id", valid_utf8(letter.agent_id)},
                   {"reason", cut(letter.reason, kReasonBytes)},
                   {"at", valid_utf8(letter.at)},
                   {"attempts", letter.attempts}};
  if (!whole) return out;
  out["notification_id"] = valid_utf8(letter.notification_id);
  out["history"] = history_document(letter.history);
  out["raw"] = cut(letter.raw, kRawBytes);
  out["item"] = letter.item ? json::value{{"task_type", queue::name_of(letter.item->task_type)},
                                          {"priority", queue::name_of(letter.item->priority)},
                                          {"work_id", letter.item->work_id.str()}}
                            : json::value(nullptr);
  return out;
}

void hide_contents(json::object& letter) {
  for (const char* key : {"history", "raw"})
    letter.erase(key);
}

void hide_doings(json::array& running) {
  for (auto& row : running) {
    for (const char* key : {"doing", "doing_since"})
      row.as_object().erase(key);
  }
}

json::object to_document(const queue::Usage& usage) {
  return {{"posts", usage.posts},
          {"comments", usage.comments},
          {"tokens", usage.tokens},
          {"cost_usd", static_cast<double>(usage.cost_micros) / 1e6}};
}

json::object to_document(const std::vector<Sample>& points) {
  json::object out;
  const auto column = [&](const char* name, auto value) {
    json::array values;
    for (const auto& point : points)
      values.push_back(point.known ? json::value(value(point)) : json::value(nullptr));
    out[name] = std::move(values);
  };
  json::array at;
  for (const auto& point : points)
    at.push_back(std::round(point.at));
  out["at"] = std::move(at);
  const char* lanes[] = {"high", "normal", "low"};
  for (std::size_t i = 0; i < 3; ++i) {
    column(lanes[i], [i](const Sample& p) { return p.depth[i]; });
    column((std::string("oldest_") + lanes[i]).c_str(),
           [i](const Sample& p) { return std::round(p.oldest[i] * 10) / 10; });
  }
  column("running", [](const Sample& p) { return p.running; });
  column("held_off", [](const Sample& p) { return p.held_off; });
  column("dead", [](const Sample& p) { return p.dead; });
  return out;
}

json::object to_document(const queue::JournalLine& line, std::size_t text_bytes) {
  json::object out{{"n", line.n},
                   {"at", line.at},
                   {"activation_id", line.activation_id.str()},
                   {"kind", queue::name_of(line.kind)}};
  for (const auto& [key, value] : line.fields)
    out.insert_or_assign(key, shortened(value, text_bytes));
  return out;
}

json::object counts_document(const queue::QueueSnapshot& s) {
  return {{"leader", s.leader},
          {"epoch", s.epoch},
          {"generation", s.generation},
          {"queues", json::array{lane_document("high", s.high), lane_document("normal", s.normal),
                                 lane_document("low", s.low)}},
          {"deferred", s.deferred},
          {"running_total", s.active.size()},
          {"held_off", s.backoff.size()},
          {"failing", s.failures.size()},
          {"paused", std::ranges::count_if(s.paused, [](const auto& who) { return who != "*"; })},
          {"fleet_paused", std::ranges::find(s.paused, "*") != s.paused.end()},
          {"dead", s.dead},
          {"outbox", s.outbox},
          {"enqueued_total", s.enqueued_total},
          {"done_total", s.done_total},
          {"server_time", rounded(s.server_time)}};
}

}  // namespace botburrow::console
