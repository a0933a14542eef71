// `backup FILE` and `restore FILE`: Redis and the Hub in one file, taken while they run.
#include "hub/backup.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/version.hpp"
#include "cli/backup_file.hpp"
#include "cli/commands.hpp"
#include "cli/data_folder.hpp"
#include "cli/exit_code.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "cli/redis_process.hpp"
#include "cli/service.hpp"
#include "net/redis.hpp"
#include "queue/backup.hpp"
#include "queue/operator_view.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kConnectTime = 5s;
constexpr auto kScriptTime = 120s;
constexpr std::size_t kReplyMost = 2ull << 30;

struct Flags {
  std::string file, hub_database, only;
  bool force = false;
  bool json = false;
};

bool wants(const Flags& flags, std::string_view part) {
  return flags.only.empty() || flags.only == part;
}

std::string database_url(const Context& context) {
  const auto url = context.environment.variable("DATABASE_URL");
  const auto prefixed = context.environment.variable("BOTBURROW_DATABASE_URL");
  return prefixed.value_or(url.value_or(""));
}

/// DATABASE_URL where it names a file, as the Hub reads it.
std::string database_of_settings(const Context& context) {
  constexpr std::string_view kScheme = "sqlite:///";
  const auto text = database_url(context);
  return text.starts_with(kScheme) ? text.substr(kScheme.size()) : "";
}

std::string folder_of(const Context& context, const LocateFlags& flags) {
  return flags.data.empty() ? context.environment.default_data_folder() : flags.data;
}

[[noreturn]] void no_database(const char* command) {
  throw Error(errc::usage, fmt::format("{}: the Hub's database is not known here: give "
                                       "--hub-database FILE, or leave it out with --only redis",
                                       command));
}

/// Redis for the time of `work`.
template <class Work>
auto with_redis(const std::string& url, Work work) -> decltype(work(std::declval<net::Redis&>())) {
  net::Redis redis(
      co_await boost::asio::this_coro::executor, net::parse_redis_url(url),
      {.name = "botburrow-backup", .command_timeout = kScriptTime, .reply_bytes_max = kReplyMost},
      Log::none(), system_random());
  redis.start();
  const auto ready_then_work = [&]() -> decltype(work(redis)) {
    co_await redis.ready(Deadline::in(kConnectTime));
    co_return co_await work(redis);
  };
  co_return co_await with_cleanup(ready_then_work(), [&redis] { return redis.stop(); });
}

json::object census_json(const queue::Census& census) {
  return {{"enqueued", census.enqueued},
          {"waiting", census.waiting},
          {"leased", census.leased},
          {"dead", census.dead},
          {"done", census.done}};
}

std::string census_text(const queue::Census& census) {
  return fmt::format("enqueued {} = waiting {} + leased {} + dead {} + done {}", census.enqueued,
                     census.waiting, census.leased, census.dead, census.done);
}

/// What was done, but not quite as it should be.
using Warnings = std::vector<std::string>;

void tell(const Output& out, const Flags& flags, const BackupHeader& header,
          const std::optional<queue::Census>& census, const Warnings& warnings,
          const std::string& closing) {
  for (const auto& warning : warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (flags.json) {
    json::object document = {{"file", flags.file},
                             {"id", header.id},
                             {"created_at", header.created_at},
                             {"redis", nullptr},
                             {"hub", nullptr},
                             {"warnings", json::array(warnings.begin(), warnings.end())}};
    if (census)
      document["redis"] = json::object{{"keys", header.redis->keys},
                                       {"bytes", header.redis->bytes},
                                       {"census", census_json(*census)}};
    if (header.hub && wants(flags, "hub"))
      document["hub"] = json::object{{"bytes", header.hub->bytes}};
    out.json(document);
    return;
  }
  if (census)
    out.line(fmt::format("Redis     {} keys, {}", header.redis->keys, census_text(*census)));
  if (header.hub && wants(flags, "hub"))
    out.line(fmt::format("Hub       {} bytes", header.hub->bytes));
  out.line(closing);
}

// ---- backup ------------------------------------------------------------------------------------

struct Sources {
  std::string redis_url, hub_database;
};

Sources sources_to_back_up(const Context& context, const LocateFlags& locate, const Flags& flags) {
  Sources sources;
  const auto system = locate_system(context, locate);
  if (wants(flags, "redis")) sources.redis_url = system.redis_url;
  if (!wants(flags, "hub")) return sources;
  sources.hub_database = flags.hub_database;
  if (sources.hub_database.empty() && system.pid != 0)
    sources.hub_database = folder_of(context, locate) + "/hub.db";
  if (sources.hub_database.empty()) sources.hub_database = database_of_settings(context);
  if (sources.hub_database.empty()) no_database("backup");
  if (!fs::exists(sources.hub_database))
    throw Error(errc::not_found, fmt::format("{}: no database is there; name the Hub's with "
                                             "--hub-database FILE",
                                             sources.hub_database));
  return sources;
}

/// The copy of the Hub's database on its way into the backup.
class Scratch {
 public:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  ~Scratch() {
    for (const auto* end : {"", "-journal", "-wal", "-shm"})
      ::unlink((path_ + end).c_str());
  }
  Scratch(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Task<int> run_backup(const Context& context, Sources sources, const Flags& flags) {
  // Redis first: what it says of notifications is then never ahead of the Hub's, so that none is
  // taken for answered whose answer the copy of the Hub does not hold.
  std::optional<queue::RedisDump> dump;
  Warnings warnings;
  if (!sources.redis_url.empty()) {
    dump = co_await with_redis(sources.redis_url, [](net::Redis& redis) {
      return queue::dump_keys(redis, Deadline::in(kScriptTime));
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

// ---- restore -----------------------------------------------------------------------------------

struct Target {
  std::string folder;  ///< of an `up` that does not run; empty: services apart
  std::string redis_url, hub_database;
};

Target target_of(const Context& context, const LocateFlags& locate, const Flags& flags,
                 const BackupHeader& header) {
  Target target;
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
    target.folder = folder_of(context, locate);
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

/// Who owns a file or folder that is there.
struct Owner {
  uid_t user = 0;
  gid_t group = 0;
};
std::optional<Owner> owner_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return Owner{.user = info.st_uid, .group = info.st_gid};
}

/// The Redis of `up` writes its files as who runs it; a folder of somebody else's must not get
/// files that its owner cannot read.
void refuse_folder_of_others(const std::string& folder) {
  for (const auto* name : {"/hub.db", "/keys.json"}) {
    const auto owner = owner_of(folder + name);
    if (owner && owner->user != ::geteuid())
      throw Error(errc::bad_input,
                  fmt::format("{}{} belongs to user {}: run restore as that user (sudo -u '#{}')",
                              folder, name, owner->user, owner->user));
  }
}

/// A Hub's database takes its place whole or not at all, and only where no Hub works on it.
class HubRestore {
 public:
  HubRestore(const std::string& path, bool force) : path_(hub::real_path(path)) {
    const auto folder = folder_of_file();
    std::error_code error;
    fs::create_directories(folder, error);
    if (!force && fs::exists(path_))
      throw Error(errc::already_exists,
                  fmt::format("{}: a Hub's database is there; --force replaces it", path_));
    replaced_ = owner_of(path_);
    const auto lock = hub::lock_path(path_);
    const bool locked_before = fs::exists(lock);
    lock_.emplace(lock, FileLock::Words{.what = "hub database " + path_,
                                        .cure = "name another with --hub-database FILE"});
    if (!locked_before) give(lock);
  }
  /// Unpacks and checks it beside its place. `redis`: the generation that Redis holds.
  void prepare(const std::string& backup, const BackupHeader& header,
               std::optional<std::int64_t> redis) {
    extract_hub_part(backup, header, scratch_.path());
    hub::prepare_restored(scratch_.path(), reached(redis));
    give(scratch_.path());
  }
  void put() {
    for (const auto* end : {"-wal", "-shm", "-journal"})
      ::unlink((path_ + end).c_str());
    if (::rename(scratch_.path().c_str(), path_.c_str()) != 0)
      throw Error(errc::io, fmt::format("{}: cannot be replaced: {}", path_, std::strerror(errno)));
    // The name is on the disk only with its folder.
    const int folder = ::open(folder_of_file().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);
    ::close(folder);
  }

 private:
  std::string folder_of_file() const {
    const auto folder = fs::path(path_).parent_path().string();
    return folder.empty() ? "." : folder;
  }
  /// What the system is known to have come to. Where nobody can say, no Hub has counted up to the
  /// seconds since 1970.
  std::int64_t reached(std::optional<std::int64_t> redis) const {
    const auto hub = hub::find_generation(path_);
    if (!hub && !redis) return to_unix_ms(system_clock().wall()) / 1000;
    return std::max(hub.value_or(0), redis.value_or(0));
  }
  /// The Hub reads it as the user that it was of. A new one made by root is the folder's owner's.
  void give(const std::string& path) const {
    auto owner = replaced_;
    if (!owner && ::geteuid() == 0) owner = owner_of(folder_of_file());
    if (!owner || owner->user == ::geteuid()) return;
    if (::lchown(path.c_str(), owner->user, owner->group) != 0)
      throw Error(errc::io, fmt::format("{} belongs to user {}, and its replacement cannot: {}; "
                                        "run restore as that user, or as root",
                                        path_, owner->user, std::strerror(errno)));
  }

  std::string path_;
  Scratch scratch_{path_ + ".restoring"};
  std::optional<Owner> replaced_;
  std::optional<FileLock> lock_;
};

Task<> put_keys(net::Redis& redis, const Flags& flags, const BackupHeader& header) {
  auto dump = read_redis_part(flags.file, header);
  auto id = header.id + "/" + system_random().uuid4();
  const auto answer = co_await queue::restore_keys(redis, std::move(dump), std::move(id),
                                                   flags.force, Deadline::in(kScriptTime));
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
Task<Restored> put_all(net::Redis& redis, HubRestore* hub, const Flags& flags,
                       const BackupHeader& header, bool alone) {
  const auto reached = co_await queue::find_generation_number(redis, Deadline::in(kScriptTime));
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

Task<Restored> put_all_at(std::string url, HubRestore* hub, const Flags& flags,
                          const BackupHeader& header, bool alone) {
  const auto work = [&](net::Redis& redis) { return put_all(redis, hub, flags, header, alone); };
  co_return co_await with_redis(url, work);
}

Task<Restored> put_all_into_folder(const std::string& folder, HubRestore* hub, const Flags& flags,
                                   const BackupHeader& header) {
  RedisProcess server(co_await boost::asio::this_coro::executor, folder, system_random(),
                      Log::none());
  co_await server.start();
  co_return co_await with_cleanup(put_all_at(server.url(), hub, flags, header, true),
                                  [&server] { return server.stop(); });
}

/// Of a Redis that stays as it is. One that is away does not hold the Hub's restore up.
Task<std::optional<std::int64_t>> generation_at(std::string url) {
  const auto work = [](net::Redis& redis) {
    return queue::find_generation_number(redis, Deadline::in(kConnectTime));
  };
  try {
    co_return co_await with_redis(url, work);
  } catch (const Error&) {
    // The database that is replaced knows it, or the clock does.
  }
  co_return std::nullopt;
}

Task<Restored> restore_into(const Target& target, HubRestore* hub, const Flags& flags,
                            const BackupHeader& header) {
  if (header.redis && wants(flags, "redis")) {
    if (target.folder.empty())
      co_return co_await put_all_at(target.redis_url, hub, flags, header, false);
    co_return co_await put_all_into_folder(target.folder, hub, flags, header);
  }
  if (hub != nullptr) {
    std::optional<std::int64_t> reached;
    if (!target.redis_url.empty()) reached = co_await generation_at(target.redis_url);
    hub->prepare(flags.file, header, reached);
    hub->put();
  }
  co_return Restored{};
}

Task<int> run_restore(const Context& context, Target target, const Flags& flags,
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

std::shared_ptr<Flags> add_flags(CLI::App& command) {
  auto flags = std::make_shared<Flags>();
  command.add_option("file", flags->file, "The backup")->required()->type_name("FILE");
  command
      .add_option("--hub-database", flags->hub_database,
                  "The Hub's SQLite file (default hub.db in the data folder, or DATABASE_URL)")
      ->type_name("PATH");
  command.add_option("--only", flags->only, "One part alone")
      ->type_name("redis|hub")
      ->check(CLI::IsMember({"redis", "hub"}));
  command.add_flag("--json", flags->json, "Print what was done as JSON");
  return flags;
}

}  // namespace

void add_backup(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("backup", "Copy Redis and the Hub into one file, while they run");
  auto locate = add_locate_flags(*command);
  add_setting_flag(*command, locate->settings, "--redis-url", "REDIS_URL");
  auto flags = add_flags(*command);
  command->add_flag("--force", flags->force, "Replace FILE");
  on_run(*command, context, [&context, locate, flags] {
    if (!flags->force && fs::exists(flags->file))
      throw Error(errc::already_exists,
                  fmt::format("{}: exists; name another file, or --force", flags->file));
    const auto sources = sources_to_back_up(context, *locate, *flags);
    return run_command([&] { return run_backup(context, sources, *flags); });
  });
}

void add_restore(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "restore",
      "Put a backup back: into the folder of an `up` that does not run, or into Redis "
      "and the database of a Hub that does not run");
  auto locate = add_locate_flags(*command);
  add_setting_flag(*command, locate->settings, "--redis-url", "REDIS_URL");
  auto flags = add_flags(*command);
  command->add_flag("--force", flags->force, "Replace what is there");
  on_run(*command, context, [&context, locate, flags] {
    const auto header = check_backup(flags->file);
    const auto target = target_of(context, *locate, *flags, header);
    return run_command([&] { return run_restore(context, target, *flags, header); });
  });
}

}  // namespace botburrow::cli
