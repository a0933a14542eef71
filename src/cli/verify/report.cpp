#include "cli/verify/report.hpp"

#include "base/json.hpp"
#include "base/version.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli::verify {
namespace {

constexpr std::string_view kCluster = "needs a cluster: --kubernetes NAMESPACE";
constexpr std::string_view kNode = "needs nodes that run pods";

/// Cells of a table hold neither bars nor line ends.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|')
      out += "\\|";
    else
      out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

}  // namespace

std::string_view name_of(Result result) {
  switch (result) {
    case Result::pass:
      return "pass";
    case Result::fail:
      return "fail";
    case Result::skip:
      return "skip";
  }
  return "";
}

Outcome passed(std::string evidence) {
  return {Result::pass, std::move(evidence)};
}
Outcome failed(std::string evidence) {
  return {Result::fail, std::move(evidence)};
}
Outcome skipped(std::string why) {
  return {Result::skip, std::move(why)};
}

const std::vector<PlanItem>& plan() {
  static const std::vector<PlanItem> items = {
      {"A1", "The guide's steps apply to an empty cluster", kCluster},
      {"A2", "Valkey becomes ready", kCluster},
      {"A3", "All pods run, none restarts", kCluster},
      {"A4", "Two coordinator pods, by either label", kCluster},
      {"A5", "Coordinators log JSON lines, coordinator_started among them", ""},
      {"A6", "Exactly one coordinator has became_leader", ""},
      {"A7", "The leader can be found in the logs later, too", ""},
      {"A8", "The leader polls, the other says not_leader_skipping_poll", ""},
      {"A9", "botburrow_coordinator_is_leader sums to 1", ""},
      {"A10", "LLEN of the three queues are integers", ""},
      {"A11", "A dead leader is replaced within 30 s, one that ends within 10 s", ""},
      {"A12", "While Redis is frozen nobody leads and nobody restarts; it goes on alone", ""},
      {"A13", "Five failures open the breaker for 60 s", ""},
      {"A14", "While it is open nothing is enqueued", ""},
      {"A15", "DEL work:backoff lets the agent be enqueued", ""},
      {"A16", "An agent waits once, however often it is looked at", ""},
      {"A17", "Under load every mention is answered once", ""},
      {"A18", "Work of a killed runner is taken over, and answered once", ""},
      {"A19", "A runner that is told to stop finishes or hands back, and exits 0", ""},
      {"A20", "Work waits for a runner of its mode", ""},
      {"A21", "printenv in a runner pod shows RUNNER_MODE", kCluster},
      {"A22", "High before normal before low, first in first out", ""},
      {"A23", "redis-cli in a coordinator pod reaches Redis", kCluster},
      {"A24", "curl and nslookup in a coordinator pod reach the Hub", kCluster},
      {"A25", "The Hub answers /health, /api/v1/health and /", ""},
      {"A26", "The Hub lists notifications", ""},
      {"A27", "A wrong HUB_API_KEY is said, and the services stay up", ""},
      {"A28", "Without HUB_URL a service exits 78 with one line", ""},
      {"A29", "A wrong REDIS_URL is said; /ready is 503, and the service stays up", ""},
      {"A30", "An agent without definition fails by name", ""},
      {"A31", "An agent without its MCP credential goes on without the server", ""},
      {"A32", "A refused model key: Invalid API key, notification unread", ""},
      {"A33", "A missing executor is said, other agents go on", ""},
      {"A34", "respond_to_mentions: false marks read without a model call", ""},
      {"A35", "SKIP posts nothing and marks read", ""},
      {"A36", "An agent without hub:write posts nothing", ""},
      {"A37", "An activation ends at its time-out", ""},
      {"A38", "A looping agent ends at its iterations", ""},
      {"A39", "Deleting activation:ID stops it within 5 s", ""},
      {"A40", "MAX_CONCURRENT_ACTIVATIONS=2 runs two at once", ""},
      {"A41", "The logs hold what operators grep for", ""},
      {"A42", "LOG_LEVEL=DEBUG shows poll_timeout", ""},
      {"A43", "Runner metrics are there under their names", ""},
      {"A44", "Prometheus loads the alert rules, and none fires in health", ""},
      {"A45", "Scaled runners claim", kNode},
      {"A46", "Rollout and undo lose nothing", kNode},
      {"A47", "A restart picks up changed settings", ""},
      {"A48", "A changed definition is used after an invalidation", ""},
      {"A49", "Backup and restore keep the queue", ""},
      {"A50", "The namespace can be deleted and deployed again", kCluster},
      {"A51", "Service, ConfigMap and Secret exist under their names", kCluster},
      {"A52", "An agent over its budget is passed over, without a failure", ""},
      {"A53", "After an activation the Hub's last_activated_at has moved", ""},
      {"A54", "The Hub's consumption equals the model's numbers, once", ""},
      {"A55", "A reset after an accepted comment leaves one comment", ""},
      {"A56", "A Hub without polls is asked by its lists", ""},
      {"A57", "Memory stays flat for a day", "needs a day"},
      {"A58", "No secret stands in logs, command lines, files, or environments of programs", ""},
      {"A59", "redis-cli reaches Redis, and its latency is low", ""},
      {"A60", "Hub, GitHub and models are reached through a proxy", ""}};
  return items;
}

std::vector<std::pair<const PlanItem*, Outcome>> rows_of(const Outcomes& outcomes,
                                                         const std::string& otherwise) {
  std::vector<std::pair<const PlanItem*, Outcome>> rows;
  for (const auto& item : plan()) {
    const auto at = outcomes.find(item.id);
    if (at != outcomes.end())
      rows.emplace_back(&item, at->second);
    else
      rows.emplace_back(&item,
                        skipped(item.not_local.empty() ? otherwise : std::string(item.not_local)));
  }
  return rows;
}

bool any_failed(const Outcomes& outcomes) {
  return std::ranges::any_of(outcomes,
                             [](const auto& one) { return one.second.result == Result::fail; });
}

void note_end(Outcomes& outcomes, bool local, const std::string& why) {
  for (const auto& item : plan()) {
    if (outcomes.contains(item.id) || (local && !item.not_local.empty())) continue;
    outcomes.emplace(item.id, failed("the run ended here: " + why));
    return;
  }
}

json::value to_document(const Outcomes& outcomes, const std::string& otherwise) {
  json::array items;
  for (const auto& [item, outcome] : rows_of(outcomes, otherwise)) {
    items.push_back({{"id", item->id},
                     {"title", item->title},
                     {"result", name_of(outcome.result)},
                     {"evidence", outcome.evidence}});
  }
  return json::object{{"items", std::move(items)}};
}

std::string to_markdown(const Outcomes& outcomes, const std::string& otherwise,
                        const std::string& what, const std::string& when) {
  std::string table;
  std::map<Result, int> counts;
  for (const auto& [item, outcome] : rows_of(outcomes, otherwise)) {
    ++counts[outcome.result];
    table += fmt::format("| {} | {} | {} | {} |\n", item->id, item->title, name_of(outcome.result),
                         cell(outcome.evidence));
  }
  return fmt::format(
      "# Verification\n\nbotburrow {} ({}), {}, {}: {} pass, {} fail, {} skip.\n\n"
      "| item | | result | evidence |\n|---|---|---|---|\n{}",
      version(), commit(), what, when, counts[Result::pass], counts[Result::fail],
      counts[Result::skip], table);
}

}  // namespace botburrow::cli::verify
