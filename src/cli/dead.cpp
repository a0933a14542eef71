#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

json::value to_document(const queue::DeadLetter& letter) {
  auto parsed = try_parse_json(letter.json);
  return parsed ? std::move(*parsed) : json::value{{"kind", letter.kind}, {"raw", letter.json}};
}

Task<int> list(OperatorTools& tools, std::size_t limit) {
  const auto letters = co_await tools.view.dead(0, limit);
  if (tools.json) {
    json::array all;
    for (const auto& letter : letters)
      all.push_back(to_document(letter));
    tools.out.json({{"dead", std::move(all)}});
    co_return exit_code::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& letter : letters)
    rows.push_back({letter.id, letter.kind, letter.agent_id, since_text(letter.at) + " ago",
                    fmt::format("{}", letter.attempts), letter.reason});
  if (rows.empty())
    tools.out.line("no dead letters");
  else
    tools.out.table({"id", "kind", "agent", "when", "attempts", "reason"}, rows);
  co_return exit_code::kDone;
}

[[noreturn]] void not_there(const std::string& id) {
  throw Error(errc::not_found,
              fmt::format("no dead letter \"{}\"; see `botburrow dead`", printable(id)));
}

Task<int> show(OperatorTools& tools, std::string id) {
  const auto letter = co_await tools.view.find_dead(id);
  if (!letter) not_there(id);
  if (tools.json) {
    tools.out.json(to_document(*letter));
    co_return exit_code::kDone;
  }
  const auto& out = tools.out;
  out.line(fmt::format("{}  {} of {}", letter->id, letter->kind, printable(letter->agent_id)));
  out.line(fmt::format("reason    {}", printable(letter->reason)));
  out.line(fmt::format("at        {} ({} ago)", printable(letter->at), since_text(letter->at)));
  out.line(fmt::format("attempts  {}", letter->attempts));
  if (!letter->notification_id.empty())
    out.line(fmt::format("notification {}", printable(letter->notification_id)));
  if (letter->item)
    out.line(fmt::format("item      {} work of priority {}",
                         queue::name_of(letter->item->task_type),
                         queue::name_of(letter->item->priority)));
  if (!letter->raw.empty()) out.line(fmt::format("bytes     {}", printable(letter->raw)));
  for (const auto& crash : letter->history)
    out.line(printable(fmt::format("crash     {} on {}: {} (activation {})", crash.at,
                                   crash.runner_id, crash.reason, crash.activation_id)));
  co_return exit_code::kDone;
}

std::string to_sentence(queue::RetryResult result) {
  switch (result) {
    case queue::RetryResult::queued:
      return "it waits at the head of its queue, with no attempts counted";
    case queue::RetryResult::dup_queued:
      return "its agent waits already; the dead letter stays, try again when that is done";
    case queue::RetryResult::dup_active:
      return "its agent is running; the dead letter stays, try again when that is done";
    case queue::RetryResult::unreadable:
      return "its bytes are no work item; only `dead clear` helps";
    case queue::RetryResult::not_found:
      break;
  }
  return "it is not there";
}

std::string_view word_of(queue::RetryResult result) {
  switch (result) {
    case queue::RetryResult::queued:
      return "queued";
    case queue::RetryResult::dup_queued:
      return "dup_queued";
    case queue::RetryResult::dup_active:
      return "dup_active";
    case queue::RetryResult::unreadable:
      return "unreadable";
    case queue::RetryResult::not_found:
      break;
  }
  return "not_found";
}

Task<int> retry(OperatorTools& tools, std::string id) {
  const auto result = co_await tools.view.retry_dead(id);
  if (result == queue::RetryResult::not_found) not_there(id);
  if (tools.json)
    tools.out.json({{"id", id}, {"result", std::string(word_of(result))}});
  else
    tools.out.line(fmt::format("{}: {}", printable(id), to_sentence(result)));
  co_return result == queue::RetryResult::queued ? exit_code::kDone : exit_code::kFailed;
}

Task<int> clear(OperatorTools& tools, std::string id, bool all) {
  if (id.empty() != all) throw Error(errc::usage, "dead clear: name one ID, or give --all");
  std::int64_t cleared = 0;
  if (all)
    cleared = co_await tools.view.clear_all_dead();
  else if (co_await tools.view.clear_dead(id))
    cleared = 1;
  else
    not_there(id);
  if (tools.json)
    tools.out.json({{"cleared", cleared}});
  else
    tools.out.line(fmt::format("cleared {}", cleared));
  co_return exit_code::kDone;
}

std::shared_ptr<std::string> add_id(CLI::App& command, bool required) {
  auto id = std::make_shared<std::string>();
  command.add_option("id", *id, "The dead letter's id")->required(required)->type_name("ID");
  return id;
}

}  // namespace

void add_dead(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("dead", "Work that was given up; show, retry or clear it");
  command->require_subcommand(0, 1);

  auto* showing = command->add_subcommand("show", "One dead letter with its history");
  auto shown = add_id(*showing, true);
  add_operator_command(*showing, context,
                       [shown](OperatorTools& tools) { return show(tools, *shown); });

  auto* retrying = command->add_subcommand("retry", "Queue it again with a fresh start");
  auto retried = add_id(*retrying, true);
  add_operator_command(*retrying, context,
                       [retried](OperatorTools& tools) { return retry(tools, *retried); });

  auto* clearing = command->add_subcommand("clear", "Remove it for good");
  auto cleared = add_id(*clearing, false);
  auto all = std::make_shared<bool>(false);
  clearing->add_flag("--all", *all, "Every dead letter");
  add_operator_command(*clearing, context, [cleared, all](OperatorTools& tools) {
    return clear(tools, *cleared, *all);
  });

  auto limit = std::make_shared<std::size_t>(50);
  command->add_option("--limit", *limit, "At most this many, newest first (default 50)")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000));
  add_operator_command(*command, context,
                       [limit](OperatorTools& tools) { return list(tools, *limit); });
}

}  // namespace botburrow::cli
