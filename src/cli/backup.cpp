// `backup FILE`: Redis and the Hub in one file, taken while they run.
#include "hub/backup.hpp"

#include "base/error.hpp"
#include "base/version.hpp"
#include "cli/backup_file.hpp"
#include "cli/backup_parts.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/hub_restore.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"
#include "queue/backup.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <filesystem>

namespace botburrow::cli {
namespace {

namespace fs = std::filesystem;

struct Sources {
  std::string redis_url, hub_database;
};

Sources sources_to_back_up(const Context& context, const LocateFlags& locate,
                           const BackupFlags& flags) {
  Sources sources;
  const auto system = locate_system(context, locate);
  if (wants(flags, "redis")) sources.redis_url = system.redis_url;
  if (!wants(flags, "hub")) return sources;
  sources.hub_database = flags.hub_database;
  if (sources.hub_database.empty() && system.pid != 0)
    sources.hub_database = data_folder_of(context, locate) + "/hub.db";
  if (sources.hub_database.empty()) sources.hub_database = database_of_settings(context);
  if (sources.hub_database.empty()) no_database("backup");
  if (!fs::exists(sources.hub_database))
    throw Error(errc::not_found, fmt::format("{}: no database is there; name the Hub's with "
                                             "--hub-database FILE",
                                             sources.hub_database));
  return sources;
}

// Made for them it would be on the disk below a volume that is not mounted.
void require_folder(const std::string& file) {
  const auto folder = fs::path(file).parent_path();
  std::error_code ignored;
  if (folder.empty() || fs::is_directory(folder, ignored)) return;
  throw Error(errc::not_found,
              fmt::format("{}: the folder {} is not there; make it, or mount its volume", file,
                          folder.string()));
}

Task<int> run_backup(const Context& context, Sources sources, const BackupFlags& flags) {
  // Redis first: what it says of notifications is then never ahead of the Hub's, so that none is
  // taken for answered whose answer the copy of the Hub does not hold.
  std::optional<queue::RedisDump> dump;
  Warnings warnings;
  if (!sources.redis_url.empty()) {
    dump = co_await with_redis(sources.redis_url, [](net::Redis& redis) {
      return queue::dump_keys(redis, Deadline::in(kBackupScriptTime));
    });
    // A count that is off spoils no item: better a backup with a warning than none.
    if (!dump->census.closes())
      warnings.push_back(
          fmt::format("the census of Redis does not close ({}); look with "
                      "`botburrow doctor`",
                      census_text(dump->census)));
  }
  const Scratch copy(fmt::format("{}.{}.hub.tmp", flags.file, ::getpid()));
  const bool with_hub = !sources.hub_database.empty();
  if (with_hub) hub::copy_database(sources.hub_database, copy.path());
  BackupHeader header{.program = std::string(version()),
                      .id = system_random().uuid4(),
                      .created_at = to_rfc3339(system_clock().wall()),
                      .redis = std::nullopt,
                      .hub = std::nullopt};
  write_backup(flags.file, header, dump, with_hub ? copy.path() : "");
  check_backup(flags.file);
  tell(Output(context.environment), flags, header,
       dump ? std::optional(dump->census) : std::nullopt, warnings,
       fmt::format("backup of {} is in {}", header.created_at, flags.file));
  co_return exit_code::kDone;
}

}  // namespace

void add_backup(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("backup", "Copy Redis and the Hub into one file, while they run");
  auto locate = add_locate_flags(*command);
  add_setting_flag(*command, locate->settings, "--redis-url", "REDIS_URL");
  auto flags = add_backup_flags(*command);
  command->add_flag("--force", flags->force, "Replace FILE");
  on_run(*command, context, [&context, locate, flags] {
    if (!flags->force && fs::exists(flags->file))
      throw Error(errc::already_exists,
                  fmt::format("{}: exists; name another file, or --force", flags->file));
    require_folder(flags->file);
    const auto sources = sources_to_back_up(context, *locate, *flags);
    return run_command([&] { return run_backup(context, sources, *flags); });
  });
}

}  // namespace botburrow::cli
