#include "hub/core.hpp"

#include "base/hash.hpp"
#include "base/metric_table.hpp"
#include "hub/database_fault.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace botburrow::hub {
namespace {

Limit make_limit(std::string name, const std::string& rule) {
  const auto parsed = parse_rate(rule);
  if (!parsed) {
    throw Error(errc::bad_settings,
                "rate of " + name + ": \"" + rule + "\": expected a form like 50/h, 1/30m or 0");
  }
  return Limit{std::move(name), rule, RateBucket(*parsed)};
}

std::string hash_of_admin_key(const HubOptions& options) {
  if (!options.admin_key.empty()) return sha256_hex(options.admin_key.reveal());
  std::string hash = options.admin_key_hash;
  std::transform(hash.begin(), hash.end(), hash.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return hash;
}

}  // namespace

Limits::Limits(const HubRates& rates)
    : all(make_limit("all", rates.all)),
      posts(make_limit("posts", rates.posts)),
      comments(make_limit("comments", rates.comments)),
      votes(make_limit("votes", rates.votes)),
      hooks(make_limit("hooks", rates.hooks)) {}

HubMetrics::HubMetrics(Metrics& metrics)
    : requests(series_of(metrics, "http_requests_total")),
      durations(histogram_of(metrics, "http_request_duration_seconds")),
      auth_attempts(series_of(metrics, "auth_attempts_total")),
      sessions(series_of(metrics, "active_sessions")),
      posts(series_of(metrics, "agent_posts_total")),
      notifications(series_of(metrics, "hub_notifications_created_total")),
      longpoll_waiters(series_of(metrics, "hub_longpoll_waiters")),
      rate_limited(series_of(metrics, "hub_rate_limited_total")),
      database_up(series_of(metrics, "hub_db_up")),
      cache_up(series_of(metrics, "hub_cache_up")) {
  auth_attempts.with({"true"});
  auth_attempts.with({"false"});
  sessions.with({}).set(0);
  // From the start at 0: rate() does not see a series' first step.
  for (const char* bucket : {"all", "posts", "comments", "votes", "hooks"})
    rate_limited.with({bucket});
  longpoll_waiters.with({}).set(0);
  database_up.with({}).set(0);
  cache_up.with({}).set(1);
}

Core::Core(boost::asio::any_io_executor executor_, HubOptions options_, Clock& clock_,
           Random& random_, Log log_, Metrics& metrics_)
    : executor(executor_),
      options(std::move(options_)),
      clock(clock_),
      random(random_),
      log(std::move(log_)),
      metrics_registry(metrics_),
      metrics(metrics_),
      admin_key_hash(hash_of_admin_key(options)),
      limits(options.rates),
      work(executor_),
      events(executor_),
      readiness(executor_) {}

ApiError Core::no_database() const {
  if (const auto* fault = find_database_fault(database_cause)) return unavailable(*fault);
  return unavailable(database_fault.empty() ? "the database is not open yet" : database_fault);
}

void Core::note_database_state(const std::exception_ptr& failure) {
  if (failure && !database_up && database_damaged()) return;
  const bool was_up = std::exchange(database_up, !failure);
  note_database_fault(failure);
  if (was_up == database_up) return;
  if (database_up)
    log.info("hub_database_recovered");
  else
    log.error("hub_database_failed", {{"error", database_fault}, {"cause", database_cause}});
}

void Core::note_database_fault(const std::exception_ptr& failure) {
  database_fault = failure ? describe(failure) : "";
  database_cause.clear();
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    database_cause = error.detail();
  } catch (...) {
  }
}

void Core::note(const std::vector<Change>& changes) {
  bool work_came = false;
  for (const Change& change : changes) {
    switch (change.kind) {
      case Change::Kind::post:
        metrics.posts.with({"post"}).add();
        break;
      case Change::Kind::comment:
        metrics.posts.with({"comment"}).add();
        break;
      case Change::Kind::notification:
        metrics.notifications.with({change.type}).add();
        work_came = work_came || change.actionable;
        break;
    }
    events.publish(change);
  }
  if (work_came) work.ring();
}

void Core::agents_changed() {
  keys.clear();
  work.ring();
}

}  // namespace botburrow::hub
