#include "hub/sqlite_store.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "hub/backup.hpp"
#include "hub/database_fault.hpp"
#include "hub/sqlite_schema.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hub {
namespace {

constexpr std::chrono::minutes kContentKept{10};
constexpr std::chrono::hours kAuditKept{24 * 90};
const DatabaseFault& kDamaged = *find_database_fault(kDatabaseDamaged);
constexpr std::size_t kRoomWanted = 256 * 1024;  // a few of the largest writes

}  // namespace

const std::string& SqliteStore::locked_path(Role role) {
  if (role == Role::reader) return options_.path;
  // The file must be there before its name can be followed.
  ensure_database_file(options_.path);
  lock_.emplace(lock_path(options_.path),
                FileLock::Words{.what = "hub database " + options_.path,
                                .cure = "choose another place with --data DIR or DATABASE_URL"});
  return options_.path;
}

std::unique_ptr<Store> open_sqlite_store(StoreOptions options, Clock& clock, Random& random) {
  return std::make_unique<SqliteStore>(std::move(options), clock, random);
}

std::unique_ptr<Store> open_sqlite_reader(std::string path, Clock& clock, Random& random) {
  StoreOptions options;
  options.path = std::move(path);
  return std::make_unique<SqliteStore>(std::move(options), clock, random,
                                       SqliteStore::Role::reader);
}

SqliteStore::SqliteStore(StoreOptions options, Clock& clock, Random& random, Role role)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      db_(locked_path(role),
          role == Role::writer ? Database::Opening::create : Database::Opening::existing) {
  if (role == Role::writer)
    migrate(db_, now());
  else
    db_.execute("PRAGMA query_only=ON");
}

void SqliteStore::ping() {
  db_.require_in_place();
  Sql(db_, "SELECT one FROM dataset").run();
  require_room(db_.path(), kRoomWanted);
}

void SqliteStore::try_write() {
  ping();
  Transaction transaction(db_);
  Sql(db_, "UPDATE dataset SET generation = generation").run();
  transaction.commit();
}

void SqliteStore::check_pages() {
  ping();
  Sql check(db_, "PRAGMA quick_check(1)");
  check.row();
  const auto found = check.text();
  if (found == "ok") return;
  throw Error(errc::io, fmt::format("hub database {}: {}; {}", db_.path(), found, kDamaged.fix),
              Retry::never)
      .with_detail(std::string(kDamaged.cause));
}

void SqliteStore::purge_expired() {
  Transaction transaction(db_);
  purge_keys();
  Sql(db_, "DELETE FROM recent_writes WHERE created_at < ?1", now() - kContentKept).run();
  Sql(db_, "DELETE FROM api_key_history WHERE expires_at < ?1", now()).run();
  Sql(db_, "DELETE FROM consumption_events WHERE timestamp < ?1", now() - kAuditKept).run();
  Sql(db_, "DELETE FROM audit_log WHERE created_at < ?1", now() - kAuditKept).run();
  transaction.commit();
  std::erase_if(leases_,
                [at = clock_.now()](const auto& lease) { return lease.second.until <= at; });
}

void SqliteStore::announce() {
  if (listener_ && !changes_.empty()) listener_(changes_);
  changes_.clear();
}

WallTime SqliteStore::now() const {
  return clock_.wall();
}
std::int64_t SqliteStore::now_ms() const {
  return to_unix_ms(clock_.wall());
}
std::string SqliteStore::uuid() {
  return random_.uuid4();
}

WriteResult refusal(WriteKind kind, std::string what, std::string field) {
  WriteResult result;
  result.kind = kind;
  result.what = std::move(what);
  result.field = std::move(field);
  return result;
}

WriteResult done(int status, const json::object& body) {
  WriteResult result;
  result.status = status;
  result.body = to_json(body);
  return result;
}

std::string tags_to_text(const std::vector<std::string>& tags) {
  json::array array;
  for (const auto& tag : tags)
    array.emplace_back(tag);
  return array.empty() ? std::string() : to_json(array);
}

std::vector<std::string> tags_from_text(std::string_view text) {
  std::vector<std::string> tags;
  if (text.empty()) return tags;
  const auto parsed = try_parse_json(text);
  if (!parsed || !parsed->is_array()) return tags;
  for (const auto& tag : parsed->get_array()) {
    if (tag.is_string()) tags.emplace_back(tag.get_string());
  }
  return tags;
}

int page_limit(const Page& page) {
  return std::clamp(page.limit, 1, 500);
}

}  // namespace botburrow::hub
