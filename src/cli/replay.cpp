#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"
#include "cli/replay_text.hpp"
#include "queue/redis_journal.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <limits>

namespace botburrow::cli {
namespace {

constexpr std::size_t kTextBytes = 400;

Task<int> replay(OperatorTools& tools, std::string id, bool full) {
  const auto work = co_await tools.view.find_work(ActivationId(id));
  queue::RedisJournal journal(tools.redis);
  const auto read = co_await journal.load(work.value_or(WorkId(id)));
  if (read.lines.empty()) {
    const std::string why =
        work ? "it did nothing that is written down, or ended over a day ago"
             : "see `botburrow activations`; journals are kept for JOURNAL_KEPT (a day)";
    throw Error(errc::not_found, fmt::format("no journal of \"{}\": {}", printable(id), why));
  }
  if (tools.json) {
    json::array lines;
    for (const auto& line : read.lines)
      lines.push_back(to_document(line));
    tools.out.json({{"work_id", work.value_or(WorkId(id)).str()}, {"lines", std::move(lines)}});
    co_return exit_code::kDone;
  }
  const auto bytes = full ? std::numeric_limits<std::size_t>::max() : kTextBytes;
  for (const auto& line : transcript_of(read.lines, bytes))
    tools.out.line(line);
  co_return exit_code::kDone;
}

}  // namespace

void add_replay(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("replay", "What an activation was shown, said and did, from its journal");
  auto id = std::make_shared<std::string>();
  command->add_option("id", *id, "An activation's id, a dead letter's, or that of the work")
      ->required()
      ->type_name("ID");
  auto full = std::make_shared<bool>(false);
  command->add_flag("--full", *full, "Whole texts, not their beginnings");
  add_operator_command(*command, context,
                       [id, full](OperatorTools& tools) { return replay(tools, *id, *full); });
}

}  // namespace botburrow::cli
