// What an agent is and may spend, what it spent, which data set lives.

#include "base/json.hpp"
#include "hubapi/answers.hpp"
#include "hubapi/client.hpp"
#include "hubapi/retry_rule.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hubapi {

Task<std::optional<Budget>> HubClient::budget(AgentId agent, Deadline deadline) {
  HubRequest call{.path = "/system/budget-health",
                  .query = {{"agent_id", agent.str()}},
                  .acting = agent.str(),
                  .endpoint = "budget"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  co_return read_budget(answer.body);
}

Task<std::optional<AgentInfo>> HubClient::agent(std::string name, Deadline deadline) {
  HubRequest call{.path = "/agents/" + net::url_encode(name), .endpoint = "agent"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  const auto text = [&](std::string_view key) {
    return string_field(answer.body, key).value_or("");
  };
  co_return AgentInfo{.id = AgentId(text("id")),
                      .name = text("name"),
                      .type = text("type"),
                      .status = text("status"),
                      .config_source = text("config_source"),
                      .config_path = text("config_path"),
                      .config_branch = text("config_branch"),
                      .last_activated_at = parse_rfc3339(text("last_activated_at"))};
}

Task<bool> HubClient::report(std::string agent_id, std::string path, std::string body,
                             std::string key, Deadline deadline) {
  auto parsed = try_parse_json(body);
  if (!parsed) co_return true;  // Nobody could ever send it.
  // Whether a second one would be noticed must be known before the first one leaves.
  const bool remembers = co_await remembers_keys(deadline);
  if (!remembers_keys_)
    throw Error(errc::http_unavailable, "POST " + path + ": the Hub cannot be asked now",
                Retry::after_backoff);
  HubAnswer answer;
  std::string lost;
  try {
    answer = co_await request({.method = "POST",
                               .path = path,
                               .body = std::move(*parsed),
                               .acting = std::move(agent_id),
                               .guard = {.idempotency_key = std::move(key)},
                               .endpoint = "consumption"},
                              deadline, true);
  } catch (const Error& error) {
    if (remembers || error.detail() != "maybe_sent") throw;
    lost = error.message();
  }
  if (!lost.empty()) {
    log_.warning(
        "metrics_report_failed",
        {{"error", lost}, {"msg", "it may have been counted; this Hub would count a second one"}});
    co_return true;
  }
  if (is_fine(answer.status)) co_return true;
  const auto code = string_field(answer.body, "code").value_or("");
  const bool heals =
      wait_before_retry({.status = answer.status, .code = code}, {.safe_to_repeat = remembers}, 1)
          .has_value();
  if (heals || answer.status == 401 || answer.status == 403) co_return false;
  log_.error("metrics_report_failed",
             {{"status", answer.status}, {"error", problem_text(answer.body)}});
  co_return true;
}

json::value HubClient::consumption_body(const Consumption& c) {
  return {{"agent_id", c.agent_id},
          {"tokens_input", c.tokens_input},
          {"tokens_output", c.tokens_output},
          {"cost_usd", c.cost_usd},
          {"activation_id", c.activation_id},
          {"model", c.model},
          {"tool_type", c.tool_type},
          {"task_type", c.task_type},
          {"duration_seconds", c.duration_seconds}};
}

Task<std::optional<Generation>> HubClient::generation(Deadline deadline) {
  HubRequest call{.path = "/system/generation", .endpoint = "generation"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) {
    remembers_keys_ = false;
    co_return std::nullopt;
  }
  if (!is_fine(answer.status)) throw status_error(call, answer);
  remembers_keys_ = true;
  co_return read_generation(answer.body);
}

Task<std::optional<Generation>> HubClient::change_generation(std::string new_dataset,
                                                             Generation seen, Deadline deadline) {
  json::value dataset = seen.dataset.empty() ? json::value(nullptr) : json::value(seen.dataset);
  HubRequest call{
      .method = "POST",
      .path = "/system/generation",
      .body =
          json::value{{"dataset", new_dataset},
                      {"seen", {{"dataset", std::move(dataset)}, {"generation", seen.generation}}}},
      .endpoint = "generation",
      .retry = false};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 412) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  auto changed = read_generation(answer.body);
  if (changed.dataset.empty())
    throw Error(errc::bad_input, "answer of POST /system/generation: no dataset in it",
                Retry::after_backoff);
  co_return changed;
}

Task<std::optional<RememberedAnswer>> HubClient::find_answer(AgentId agent, std::string key,
                                                             Deadline deadline) {
  HubRequest call{.path = "/idempotency/" + net::url_encode(key),
                  .query = {{"agent_id", agent.str()}},
                  .acting = agent.str(),
                  .endpoint = "idempotency"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  const auto* body = find_field(answer.body, "body");
  co_return RememberedAnswer{
      .status = static_cast<int>(int_field(answer.body, "status").value_or(0)),
      .id = body ? string_field(*body, "id").value_or("") : ""};
}

}  // namespace botburrow::hubapi
