// `restore FILE`: what `backup` took goes back into Redis and the Hub's database.
#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "cli/backup_file.hpp"
#include "cli/backup_parts.hpp"
#include "cli/commands.hpp"
#include "cli/data_folder.hpp"
#include "cli/exit_code.hpp"
#include "cli/hub_restore.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "cli/redis_process.hpp"
#include "cli/service.hpp"
#include "queue/backup.hpp"
#include "queue/operator_view.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

struct Target {
  std::string folder;  ///< of an `up` that does not run; empty: services apart
  std::string redis_url, hub_database;
  std::string program_path;  ///< PATH, where a redis-server is looked for
};

Target target_of(const Context& context, const LocateFlags& locate, const BackupFlags& flags,
                 const BackupHeader& header) {
  Target target{.program_path = context.environment.variable("PATH").value_or("")};
  const auto settings = load_settings(context.environment, "client", *locate.settings);
  if (!locate.data.empty() &&
      (!flags.hub_database.empty() || settings.source("REDIS_URL").starts_with("--")))
    throw Error(errc::usage,
                "restore: --data names a whole system: give it, or --redis-url and "
                "--hub-database of services apart, not both");
  // Whoever names one part of a system apart does not mean the folder of `up`.
  const bool apart =
      locate.data.empty() && (settings.is_set("REDIS_URL") || !flags.hub_database.empty() ||
                              !database_url(context).empty());
  if (!apart) {
    target.folder = data_folder_of(context, locate);
    target.hub_database = target.folder + "/hub.db";
  } else {
    if (settings.is_set("REDIS_URL")) target.redis_url = settings.text("REDIS_URL");
    target.hub_database =
        flags.hub_database.empty() ? database_of_settings(context) : flags.hub_database;
  }
  for (const auto* part : {"redis", "hub"}) {
    const bool there =
        part == std::string_view("redis") ? header.redis.has_value() : header.hub.has_value();
    if (flags.only == part && !there)
      throw Error(errc::bad_input, fmt::format("{}: it holds no {}", flags.file, part));
  }
  if (!header.hub || !wants(flags, "hub"))
    target.hub_database.clear();
  else if (target.hub_database.empty())
    no_database("restore");
  if (apart && target.redis_url.empty() && header.redis && wants(flags, "redis"))
    throw Error(errc::usage,
                "restore: the Redis is not known here: give --redis-url URL, or leave "
                "it out with --only hub");
  return target;
}

Task<> put_keys(net::Redis& redis, const BackupFlags& flags, const BackupHeader& header) {
  auto dump = read_redis_part(flags.file, header);
  auto id = header.id + "/" + system_random().uuid4();
  const auto answer = co_await queue::restore_keys(redis, std::move(dump), std::move(id),
                                                   flags.force, Deadline::in(kBackupScriptTime));
  if (answer.result == queue::RestoreResult::not_empty) {
    throw Error(errc::already_exists, fmt::format("Redis holds keys of ours ({}); --force replaces "
                                                  "them",
                                                  answer.detail));
  }
  if (answer.result == queue::RestoreResult::refused) {
    throw Error(errc::bad_input,
                fmt::format("this Redis cannot read the backup ({}): use a server as new as the "
                            "one it was taken from; nothing was changed",
                            answer.detail));
  }
}

/// What was leased waits again; nothing else may differ. Of services that go on meanwhile the
/// numbers have moved already: `alone` says that there are none.
Warnings compare(const queue::Census& before, const queue::Census& now, bool alone) {
  const queue::Census expected{.enqueued = before.enqueued,
                               .waiting = before.waiting + before.leased,
                               .leased = 0,
                               .dead = before.dead,
                               .done = before.done};
  if (alone && now != expected)
    return {fmt::format("the census after restoring is not the backup's: {}, expected {}",
                        census_text(now), census_text(expected))};
  if (!now.closes())
    return {
        fmt::format("the census does not close after restoring: {}; look with `botburrow "
                    "doctor`",
                    census_text(now))};
  return {};
}

/// What was restored, beside the Hub.
struct Restored {
  std::optional<queue::Census> census;
  Warnings warnings;
};

/// Redis first, as when backing up. Everything that can be refused is refused before anything
/// changes; once Redis has changed, the Hub follows, whatever the numbers say.
Task<Restored> put_all(net::Redis& redis, HubRestore* hub, const BackupFlags& flags,
                       const BackupHeader& header, bool alone) {
  const auto reached =
      co_await queue::find_generation_number(redis, Deadline::in(kBackupScriptTime));
  if (hub != nullptr) hub->prepare(flags.file, header, reached);
  co_await put_keys(redis, flags, header);
  if (hub != nullptr) hub->put();
  Restored restored;
  try {
    restored.census = co_await queue::OperatorView(redis, Log::none()).census();
    restored.warnings = compare(header.redis->census, *restored.census, alone);
  } catch (const Error& error) {
    restored.warnings = {"the census could not be read after restoring: " + error.message()};
  }
  co_return restored;
}

Task<Restored> put_all_at(std::string url, HubRestore* hub, const BackupFlags& flags,
                          const BackupHeader& header, bool alone) {
  const auto work = [&](net::Redis& redis) { return put_all(redis, hub, flags, header, alone); };
  co_return co_await with_redis(url, work);
}

Task<Restored> put_all_into_folder(const Target& target, HubRestore* hub, const BackupFlags& flags,
                                   const BackupHeader& header) {
  RedisProcess server(co_await boost::asio::this_coro::executor, target.folder, system_random(),
                      Log::none(), {.path = target.program_path});
  co_await server.start();
  co_return co_await with_cleanup(put_all_at(server.url(), hub, flags, header, true),
                                  [&server] { return server.stop(); });
}

/// Of a Redis that stays as it is. One that is away does not hold the Hub's restore up.
Task<std::optional<std::int64_t>> generation_at(std::string url) {
  const auto work = [](net::Redis& redis) {
    return queue::find_generation_number(redis, Deadline::in(kBackupConnectTime));
  };
  try {
    co_return co_await with_redis(url, work);
  } catch (const Error&) {
    // The database that is replaced knows it, or the clock does.
  }
  co_return std::nullopt;
}

Task<Restored> restore_into(const Target& target, HubRestore* hub, const BackupFlags& flags,
                            const BackupHeader& header) {
  if (header.redis && wants(flags, "redis")) {
    if (target.folder.empty())
      co_return co_await put_all_at(target.redis_url, hub, flags, header, false);
    co_return co_await put_all_into_folder(target, hub, flags, header);
  }
  if (hub != nullptr) {
    std::optional<std::int64_t> reached;
    if (!target.redis_url.empty()) reached = co_await generation_at(target.redis_url);
    hub->prepare(flags.file, header, reached);
    hub->put();
  }
  co_return Restored{};
}

Task<int> run_restore(const Context& context, Target target, const BackupFlags& flags,
                      const BackupHeader& header) {
  std::optional<DataFolderLock> lock;
  if (!target.folder.empty()) {
    refuse_folder_of_others(target.folder);
    lock.emplace(target.folder);
  }
  std::optional<HubRestore> hub;
  if (!target.hub_database.empty()) hub.emplace(target.hub_database, flags.force);
  const auto restored = co_await restore_into(target, hub ? &*hub : nullptr, flags, header);
  tell(Output(context.environment), flags, header, restored.census, restored.warnings,
       target.folder.empty()
           ? std::string(
                 "restored; the leader compares Redis with the Hub before anything is claimed")
           : fmt::format("restored; start it with: botburrow up --data {}", target.folder));
  co_return exit_code::kDone;
}

}  // namespace

void add_restore(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "restore",
      "Put a backup back: into the folder of an `up` that does not run, or into Redis "
      "and the database of a Hub that does not run");
  auto locate = add_locate_flags(*command);
  add_setting_flag(*command, locate->settings, "--redis-url", "REDIS_URL");
  auto flags = add_backup_flags(*command);
  command->add_flag("--force", flags->force, "Replace what is there");
  on_run(*command, context, [&context, locate, flags] {
    const auto header = check_backup(flags->file);
    const auto target = target_of(context, *locate, *flags, header);
    return run_command([&] { return run_restore(context, target, *flags, header); });
  });
}

}  // namespace botburrow::cli
