#include "queue/heartbeats.hpp"

#include "base/json.hpp"
#include "net/redis.hpp"
#include "queue/item_text.hpp"
#include "queue/scripts.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace botburrow::queue {

namespace {
constexpr std::chrono::seconds kCallTimeout{5};

std::string key_of(const RunnerId& runner) {
  return "runner:heartbeat:" + runner.str();
}
}  // namespace

std::string encode(const Heartbeat& heartbeat) {
  return ObjectText()
      .add("runner_id", heartbeat.runner_id.str())
      .add("status", name_of(heartbeat.status))
      .add("timestamp", to_rfc3339(heartbeat.timestamp))
      .add("mode", heartbeat.mode ? name_of(*heartbeat.mode) : "")
      .add("version", heartbeat.version)
      .add_raw("active", fmt::to_string(heartbeat.active))
      .add_raw("capacity", fmt::to_string(heartbeat.capacity))
      .add("incarnation", heartbeat.incarnation)
      .add("sandbox", heartbeat.sandbox)
      .add("sandbox_reason", heartbeat.sandbox_reason)
      .add_raw("executors",
               to_json(json::array(heartbeat.executors.begin(), heartbeat.executors.end())))
      .done();
}

std::optional<Heartbeat> decode_heartbeat(std::string_view text) {
  const auto parsed = try_parse_json(text);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto runner = string_field(*parsed, "runner_id");
  const auto at = parse_rfc3339(string_field(*parsed, "timestamp").value_or(""));
  if (!runner || runner->empty() || !at) return std::nullopt;
  const std::string status = string_field(*parsed, "status").value_or("");
  Heartbeat heartbeat{.runner_id = RunnerId(*runner),
                      .status = RunnerStatus::other,
                      .timestamp = *at,
                      .mode = parse_runner_mode(string_field(*parsed, "mode").value_or("")),
                      .version = string_field(*parsed, "version").value_or(""),
                      .active = int_field(*parsed, "active").value_or(0),
                      .capacity = int_field(*parsed, "capacity").value_or(0),
                      .incarnation = string_field(*parsed, "incarnation").value_or(""),
                      .sandbox = string_field(*parsed, "sandbox").value_or(""),
                      .sandbox_reason = string_field(*parsed, "sandbox_reason").value_or("")};
  for (const auto& name : array_field(*parsed, "executors"))
    if (name.is_string()) heartbeat.executors.emplace_back(name.get_string());
  for (const auto known : {RunnerStatus::idle, RunnerStatus::busy, RunnerStatus::draining}) {
    if (name_of(known) == status) heartbeat.status = known;
  }
  return heartbeat;
}

Task<std::optional<Heartbeat>> Heartbeats::beat(Heartbeat heartbeat) {
  const auto reply = co_await run_script(redis_, scripts().heartbeat, {key_of(heartbeat.runner_id)},
                                         {encode(heartbeat), fmt::to_string(kHeartbeatTtl.count())},
                                         Deadline::in(kCallTimeout));
  if (reply.is_nil()) co_return std::nullopt;
  auto before = decode_heartbeat(reply.str());
  if (before && (before->incarnation.empty() || before->incarnation == heartbeat.incarnation)) {
    before.reset();
  }
  co_return before;
}

Task<> Heartbeats::remove(RunnerId runner_id, std::string incarnation) {
  const auto reply =
      co_await redis_.command({"GET", key_of(runner_id)}, Deadline::in(std::chrono::seconds(1)));
  if (reply.is_nil()) co_return;
  const auto before = decode_heartbeat(reply.str());
  if (before && before->incarnation != incarnation) co_return;
  co_await redis_.command({"DEL", key_of(runner_id)}, Deadline::in(std::chrono::seconds(1)));
}

Task<std::vector<Heartbeat>> Heartbeats::live() {
  const Deadline deadline = Deadline::in(kCallTimeout);
  std::set<std::string> keys;
  std::string cursor = "0";
  do {
    const auto reply = co_await redis_.command(
        {"SCAN", cursor, "MATCH", "runner:heartbeat:*", "COUNT", "100"}, deadline);
    cursor = reply.array().at(0).str();
    for (const auto& key : reply.array().at(1).array())
      keys.insert(key.str());
  } while (cursor != "0");
  std::vector<Heartbeat> runners;
  if (keys.empty()) co_return runners;
  net::Redis::Args args{"MGET"};
  args.insert(args.end(), keys.begin(), keys.end());
  const auto values = co_await redis_.command(std::move(args), deadline);
  for (const auto& value : values.array()) {
    if (value.is_nil()) continue;
    if (auto heartbeat = decode_heartbeat(value.str())) runners.push_back(std::move(*heartbeat));
  }
  std::ranges::sort(runners, {}, [](const Heartbeat& h) { return h.runner_id.str(); });
  co_return runners;
}

}  // namespace botburrow::queue
