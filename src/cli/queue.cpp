#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"
#include "queue/redis_work_queue.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

json::value to_document(const queue::Waiting& entry, double now) {
  json::object out{
      {"queue", std::string(queue::name_of(entry.queue))},
      {"due_seconds", entry.due ? json::value(*entry.due - now) : json::value(nullptr)}};
  if (!entry.item) {
    out["unreadable"] = valid_utf8(entry.element);
    return out;
  }
  const auto& item = *entry.item;
  out["agent_id"] = item.agent_id.str();
  out["agent_name"] = item.agent_name;
  out["task_type"] = std::string(queue::name_of(item.task_type));
  out["inbox_count"] = item.inbox_count;
  out["created_at"] = item.created_at;
  out["attempt"] = item.attempt;
  out["work_id"] = item.work_id.str();
  return out;
}

std::vector<std::string> to_row(const queue::Waiting& entry, double now) {
  const std::string lane = entry.due
                               ? fmt::format("deferred, due in {}", span_text(*entry.due - now))
                               : std::string(queue::name_of(entry.queue));
  if (!entry.item) return {lane, "?", "unreadable", "", ""};
  const auto& item = *entry.item;
  return {lane, item.agent_id.str(), std::string(queue::name_of(item.task_type)),
          span_text(now - item.created_at), fmt::format("{}", item.attempt)};
}

Task<int> list(OperatorTools& tools, std::size_t limit) {
  const auto counts = co_await tools.view.snapshot();
  auto all = co_await tools.view.waiting(std::nullopt, limit);
  for (auto& entry : co_await tools.view.deferred(limit))
    all.push_back(std::move(entry));
  const double now = counts.server_time;
  if (tools.json) {
    json::array items;
    for (const auto& entry : all)
      items.push_back(to_document(entry, now));
    tools.out.json({{"high", counts.high.length},
                    {"normal", counts.normal.length},
                    {"low", counts.low.length},
                    {"deferred", counts.deferred},
                    {"items", std::move(items)}});
    co_return exit_code::kDone;
  }
  tools.out.line(fmt::format("high {} · normal {} · low {} · deferred {}", counts.high.length,
                             counts.normal.length, counts.low.length, counts.deferred));
  std::vector<std::vector<std::string>> rows;
  for (const auto& entry : all)
    rows.push_back(to_row(entry, now));
  if (!rows.empty()) tools.out.table({"queue", "agent", "task", "waits for", "attempts"}, rows);
  co_return exit_code::kDone;
}

struct AddFlags {
  std::string agent;
  std::string priority = "high";
  std::string task = "inbox";
  bool force = false;
  bool unchecked = false;
};

std::string to_sentence(const std::string& agent, queue::EnqueueResult result) {
  switch (result) {
    case queue::EnqueueResult::enqueued:
      return agent + " is queued.";
    case queue::EnqueueResult::upgraded:
      return agent + " waited in a lower queue and was moved up.";
    case queue::EnqueueResult::dup_active:
      return agent + " is running now; nothing was queued.";
    case queue::EnqueueResult::dup_queued:
      return agent + " waits already; nothing was queued.";
    case queue::EnqueueResult::backoff:
      return agent +
             " is held off; nothing was queued (--force passes over it, `backoff clear` "
             "ends it).";
    case queue::EnqueueResult::paused:
      return agent +
             " is paused; nothing was queued (--force passes over it, `agents resume` ends "
             "it).";
    case queue::EnqueueResult::stale_leader:
      break;
  }
  return agent + " was not queued.";
}

Task<int> add(OperatorTools& tools, const AddFlags& flags) {
  const AgentId agent = agent_argument(flags.agent);
  if (!flags.unchecked) co_await require_known_agent(tools, agent);
  // It only enqueues: nothing waits on the second connection.
  queue::RedisWorkQueue work(tools.redis, tools.redis, system_clock(), Log::none(), nullptr, {});
  std::vector<queue::WorkItem> items{{.agent_id = agent,
                                      .agent_name = flags.agent,
                                      .task_type = *queue::parse_task_type(flags.task),
                                      .priority = queue::parse_priority(flags.priority)}};
  const auto results = co_await work.enqueue(std::move(items), {.force = flags.force});
  const auto result = results.at(0);
  if (tools.json)
    tools.out.json({{"agent_id", flags.agent}, {"result", std::string(queue::name_of(result))}});
  else
    tools.out.line(to_sentence(printable(flags.agent), result));
  const bool waits = result == queue::EnqueueResult::enqueued ||
                     result == queue::EnqueueResult::upgraded ||
                     result == queue::EnqueueResult::dup_queued;
  co_return waits ? exit_code::kDone : exit_code::kFailed;
}

Task<int> drop(OperatorTools& tools, const std::string& agent) {
  const bool dropped = co_await tools.view.drop_waiting(agent_argument(agent));
  if (tools.json)
    tools.out.json({{"agent_id", agent}, {"dropped", dropped}});
  else
    tools.out.line(printable(agent) + (dropped ? ": its waiting item is gone; unread notifications "
                                                 "bring it back."
                                               : " does not wait."));
  co_return dropped ? exit_code::kDone : exit_code::kFailed;
}

void add_add(CLI::App& queue, Context& context) {
  auto* command = queue.add_subcommand("add", "Queue an agent by hand");
  auto flags = std::make_shared<AddFlags>();
  command->add_option("agent", flags->agent, "The agent's id")->required()->type_name("AGENT");
  command->add_option("--priority", flags->priority, "high, normal or low (default high)")
      ->type_name("QUEUE")
      ->check(CLI::IsMember({"high", "normal", "low"}));
  command
      ->add_option("--task", flags->task,
                   "inbox: answer what is unread; discovery: explore (default inbox)")
      ->type_name("TASK")
      ->check(CLI::IsMember({"inbox", "discovery"}));
  command->add_flag("--force", flags->force, "Also while it is paused or held off");
  add_unchecked(*command, flags->unchecked);
  command->footer(
      "Exit code 1 when nothing waits afterwards.\n"
      "Example:\n  botburrow queue add scribe --task discovery --priority low");
  add_operator_command(*command, context,
                       [flags](OperatorTools& tools) { return add(tools, *flags); });
}

void add_drop(CLI::App& queue, Context& context) {
  auto* command = queue.add_subcommand("drop", "Take an agent's waiting item out of the queues");
  auto agent = std::make_shared<std::string>();
  command->add_option("agent", *agent, "The agent's id")->required()->type_name("AGENT");
  add_operator_command(*command, context,
                       [agent](OperatorTools& tools) { return drop(tools, *agent); });
}

}  // namespace

void add_queue(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("queue", "What waits for a runner; add or drop by hand");
  command->require_subcommand(0, 1);
  add_add(*command, context);
  add_drop(*command, context);
  auto limit = std::make_shared<std::size_t>(50);
  command->add_option("--limit", *limit, "At most this many of each queue (default 50)")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000));
  add_operator_command(*command, context,
                       [limit](OperatorTools& tools) { return list(tools, *limit); });
}

}  // namespace botburrow::cli
