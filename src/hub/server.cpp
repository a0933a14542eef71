#include "hub/server.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/core.hpp"
#include "hub/names.hpp"
#include "net/service_routes.hpp"

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hub {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kOpenRetryFirst = 1s;
constexpr auto kOpenRetryMax = 8s;  // so that a database that is back is used within 10 s
constexpr auto kPingPeriod = 5s;
constexpr auto kPurgePeriod = 60s;
constexpr auto kPagesPeriod = 30s;  // of a damaged database: each page is read
constexpr auto kScanPeriod = 2s;    // leases end by time alone; nothing rings for them
constexpr std::size_t kBodyMax = 1u << 20;
constexpr std::size_t kConnectionsMax = 4096;

std::string method_label(const std::string& method) {
  for (const char* known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    if (method == known) return method;
  }
  return "OTHER";
}

StoreOptions store_options(const HubOptions& options) {
  StoreOptions store;
  store.path = options.database_path;
  store.poll_lease = options.poll_lease;
  store.max_agent_turns = options.max_agent_turns;
  store.auto_create_communities = options.auto_create_communities;
  store.notify_likes = options.notify_likes;
  store.default_daily_usd = options.default_daily_usd;
  store.default_monthly_usd = options.default_monthly_usd;
  store.agent_key_prefix = options.api_key_prefix;
  store.agent_key_bytes = options.api_key_bytes;
  return store;
}

net::HttpServer::Options http_options(const HubOptions& options) {
  net::HttpServer::Options http;
  http.host = options.host;
  http.port = options.port;
  http.connections_max = kConnectionsMax;
  http.body_bytes_max = kBodyMax;
  http.server_name = "botburrow-hub";
  return http;
}

bool origin_allowed(const HubOptions& options, const std::string& origin) {
  return std::find(options.cors_origins.begin(), options.cors_origins.end(), origin) !=
         options.cors_origins.end();
}

void add_cors(const HubOptions& options, const net::ServerRequest& request, Reply& answer) {
  const auto origin = request.header("origin");
  if (!origin || !origin_allowed(options, *origin)) return;
  if (request.method == "OPTIONS" && answer.status == 405) {
    answer = no_content();
    answer.headers.emplace_back("Access-Control-Allow-Methods",
                                "GET, HEAD, POST, PUT, PATCH, DELETE");
    answer.headers.emplace_back(
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, X-Act-As, X-Admin-Key, X-Request-Id");
    answer.headers.emplace_back("Access-Control-Max-Age", "600");
  }
  answer.headers.emplace_back("Access-Control-Allow-Origin", *origin);
  answer.headers.emplace_back(
      "Access-Control-Expose-Headers",
      "Idempotent-Replay, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
      "X-RateLimit-Reset, X-Request-Id, X-Hub-Notice");
  answer.headers.emplace_back("Vary", "Origin");
}

/// An Error that reaches the server below: only streams and the unforeseen do.
Reply answer_of(const Error& error, std::string_view request_id) {
  if (error.status() < 400) return ApiError(500, "internal", "internal error").response(request_id);
  ApiError shown(error.status(), error.detail(), error.message());
  if (error.status() == 401) shown.header("WWW-Authenticate", "Bearer");
  return shown.response(request_id);
}

}  // namespace

struct HubServer::Impl {
  Impl(asio::any_io_executor executor, HubOptions options, Clock& clock, Random& random, Log log,
       Metrics& metrics)
      : core(std::make_shared<Core>(executor, std::move(options), clock, random, log, metrics)),
        http(executor, http_options(core->options), log),
        api(*core, http),
        tasks(executor, [log](const std::string& name, std::exception_ptr failure) {
          log.error("hub_task_failed", {{"task", name}, {"error", describe(failure)}});
        }) {}

  void add_routes();
  void set_filters();
  Task<> open_database();
  Task<> keep_database();
  Task<> scan_for_work();
  Task<> until_ready();
  Task<> close_database();

  std::shared_ptr<Core> core;
  net::HttpServer http;
  Api api;
  bool started = false;
  bool stopped = false;
  TaskGroup tasks;  // last: its tasks use all of the above
};

void HubServer::Impl::add_routes() {
  add_system_routes(api);
  add_agent_routes(api);
  add_registration_routes(api);
  add_key_routes(api);
  add_post_routes(api);
  add_feed_routes(api);
  add_community_routes(api);
  add_moderation_routes(api);
  add_notification_routes(api);
  add_poll_routes(api);
  add_budget_routes(api);
  add_event_routes(api);
  add_page_routes(api);
}

void HubServer::Impl::set_filters() {
  http.before_large_body(
      [api = &api](const net::ServerRequest& request) { return api->refuse_unknown(request); });
  http.after([core = core, api = &api](const net::ServerRequest& request, Reply& answer) {
    if (answer.status >= 400) complete_error_body(answer, api->request_id_of(request));
    answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
    if (request.path.starts_with(core->options.api_prefix + "/"))
      answer.headers.emplace_back("Cache-Control", "no-store");
    add_cors(core->options, request, answer);
  });
  http.on_error([api = &api](const net::ServerRequest& request, const Error& error) {
    return answer_of(error, api->request_id_of(request));
  });
  http.observe([core = core](const net::ServerRequest& request, int status,
                             std::chrono::nanoseconds took) {
    const std::string method = method_label(request.method);
    const std::string endpoint = request.route.empty() ? "unmatched" : request.route;
    core->metrics.requests.with({method, endpoint, std::to_string(status)}).add();
    const double seconds = std::chrono::duration<double>(took).count();
    core->metrics.durations.with({method, endpoint}).observe(seconds);
    if (core->log.enabled(LogLevel::debug)) {
      core->log.debug(
          "hub_request",
          {{"method", method}, {"endpoint", endpoint}, {"status", status}, {"seconds", seconds}});
    }
  });
  net::add_connection_metrics(http, core->metrics_registry);
  core->metrics_registry.on_collect([weak = std::weak_ptr(core)] {
    const auto core = weak.lock();
    if (!core) return;
    core->metrics.longpoll_waiters.with({}).set(static_cast<double>(core->work.waiting()));
    core->metrics.database_up.with({}).set(core->store && core->database_up ? 1 : 0);
  });
}

Task<> HubServer::Impl::open_database() {
  std::chrono::nanoseconds wait = kOpenRetryFirst;
  for (;;) {
    std::exception_ptr failure;
    try {
      core->store = co_await core->database_thread.run(
          [c = core.get(), options = store_options(core->options)] {
            return std::shared_ptr<Store>(open_sqlite_store(options, c->clock, c->random));
          });
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) break;
    if (is_cancellation(failure)) std::rethrow_exception(failure);
    core->note_database_fault(failure);
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      // Neither heals by waiting: another kind of file, or another process that serves it.
      if (error.code() == errc::bad_settings || error.code() == errc::already_exists)
        core->fatal = failure;
    } catch (...) {
    }
    if (core->fatal) {
      core->log.error("hub_database_unusable", {{"error", core->database_fault}});
      core->readiness.ring();
      co_return;
    }
    core->log.warning("hub_database_unavailable",
                      {{"error", core->database_fault},
                       {"cause", core->database_cause},
                       {"retry_seconds", std::chrono::duration<double>(wait).count()}});
    co_await sleep_for(core->random.jitter(wait, 0.2));
    wait = std::min<std::chrono::nanoseconds>(wait * 2, kOpenRetryMax);
  }
  core->store->on_change(
      [executor = core->executor, weak = std::weak_ptr(core)](const std::vector<Change>& changes) {
        asio::post(executor, [weak, changes] {
          if (const auto core = weak.lock()) core->note(changes);
        });
      });
  core->note_database_fault(nullptr);
  core->database_up = true;
  core->log.info("hub_database_open", {{"path", core->options.database_path}});
  core->readiness.ring();
}

Task<> HubServer::Impl::keep_database() {
  co_await open_database();
  if (core->fatal) co_return;
  auto purge_at = Deadline::in(kPurgePeriod);
  auto pages_at = Deadline::in(kPagesPeriod);
  for (;;) {
    co_await sleep_for(kPingPeriod);
    std::exception_ptr failure;
    // What failed to write must be seen to write before anybody is sent here again. An idle Hub
    // leaves its disk alone.
    const bool was_down = !core->database_up;
    // One page that can be written says nothing about the damaged ones; reading all takes long.
    const bool damaged = was_down && core->database_damaged();
    if (damaged && !pages_at.passed()) continue;
    try {
      const bool purge = purge_at.passed();
      co_await core->with_store([purge, was_down, damaged](Store& store) {
        if (damaged) store.check_pages();
        was_down ? store.try_write() : store.ping();
        if (purge) store.purge_expired();
      });
      if (purge) purge_at = Deadline::in(kPurgePeriod);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure && is_cancellation(failure)) std::rethrow_exception(failure);
    if (damaged) pages_at = Deadline::in(kPagesPeriod);
    // A request that failed meanwhile knows more than a ping that was good.
    if (failure || was_down || core->database_up) core->note_database_state(failure);
  }
}

Task<> HubServer::Impl::scan_for_work() {
  for (;;) {
    co_await sleep_for(kScanPeriod);
    core->work.ring_one();
  }
}

Task<> HubServer::Impl::until_ready() {
  while (!core->store) {
    if (core->fatal) std::rethrow_exception(core->fatal);
    if (core->stopping)
      throw Error(errc::cancelled_by_owner, "hub: stopped before its database opened");
    const auto seen = core->readiness.rings();
    co_await core->readiness.wait(seen, Deadline::in(1h));
  }
}

Task<> HubServer::Impl::close_database() {
  if (!core->store) co_return;
  co_await core->search_thread.run([core = core.get()] { core->search_store.reset(); });
  // Closed on the thread that used it; the checkpoint may take a moment.
  co_await core->database_thread.run([store = std::move(core->store)]() mutable { store.reset(); });
}

HubServer::HubServer(asio::any_io_executor executor, HubOptions options, Clock& clock,
                     Random& random, Log log, Metrics& metrics) {
  if (const auto faults = check_options(options); !faults.empty()) {
    throw Error(errc::bad_settings, fmt::format("{}", fmt::join(faults, "; ")));
  }
  impl_ =
      std::make_shared<Impl>(executor, std::move(options), clock, random, std::move(log), metrics);
  impl_->add_routes();
  impl_->set_filters();
}

HubServer::~HubServer() = default;

void HubServer::start() {
  impl_->http.start();
  impl_->started = true;
  impl_->tasks.spawn("hub-database", [impl = impl_.get()] { return impl->keep_database(); });
  impl_->tasks.spawn("hub-scan", [impl = impl_.get()] { return impl->scan_for_work(); });
  impl_->core->log.info("hub_started", {{"url", impl_->http.url()}});
}

int HubServer::port() const {
  return impl_->http.port();
}

std::string HubServer::url() const {
  std::string host = impl_->core->options.host;
  if (host == "0.0.0.0" || host.empty()) host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos && !host.starts_with('[')) host = "[" + host + "]";
  return fmt::format("http://{}:{}", host, port());
}

bool HubServer::ready() const {
  return impl_->core->ready();
}

Task<> HubServer::until_ready() {
  const auto impl = impl_;
  co_await impl->until_ready();
}

Task<> HubServer::stop(std::chrono::nanoseconds grace) {
  const auto impl = impl_;
  if (!impl->started || impl->stopped) co_return;
  impl->core->stopping = true;
  impl->core->work.ring();
  impl->core->events.bell().ring();
  impl->core->readiness.ring();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await impl->http.stop(grace);
  co_await impl->tasks.stop();
  co_await impl->close_database();
  if (!impl->stopped) impl->core->log.info("hub_stopped");
  impl->stopped = true;
}

Task<std::string> HubServer::ensure_key(std::string name, std::string type, std::string key) {
  const auto impl = impl_;
  co_await impl->until_ready();
  if (!is_agent_slug(name) || is_reserved_agent_name(name)) {
    throw Error(errc::invalid_argument,
                fmt::format("key for \"{}\": 3 to 50 of a-z, 0-9 and -, no reserved word", name));
  }
  NewKey wanted;
  wanted.name = name;
  wanted.type = type;
  wanted.act_as = type == "service";
  wanted.key = key;
  const auto issued = co_await impl->core->with_store([wanted](Store& store) {
    if (const auto known = store.find_agent(wanted.name); known && known->type != wanted.type) {
      throw Error(errc::already_exists,
                  fmt::format("\"{}\" exists on the Hub with type {}, not {}; choose another name",
                              known->name, known->type, wanted.type));
    }
    return store.create_key(wanted);
  });
  impl->core->agents_changed();
  co_return issued.api_key;
}

Task<std::optional<std::string>> HubServer::register_agent(AgentRegistration registration) {
  const auto impl = impl_;
  co_await impl->until_ready();
  json::object body{{"name", registration.name},
                    {"display_name", registration.display_name},
                    {"description", registration.description},
                    {"type", registration.type},
                    {"config_path", registration.config_path},
                    {"config_branch", registration.config_branch},
                    {"config_hash", registration.config_hash}};
  if (registration.config_source) body["config_source"] = *registration.config_source;
  Registration wanted;
  std::string refused;
  try {
    wanted = read_registration(body, impl->core->options);
  } catch (const ApiError& error) {
    refused = error.what();
  }
  if (!refused.empty()) throw Error(errc::invalid_argument, "registering: " + refused);
  const auto result = co_await impl->core->with_store(
      [wanted](Store& store) { return store.register_agent(wanted); });
  impl->core->agents_changed();
  if (result.kind == RegisterKind::name_taken) {
    throw Error(errc::already_exists, fmt::format("agent \"{}\" is registered from {}",
                                                  result.agent.name, result.agent.config_source));
  }
  co_return result.api_key.empty() ? std::nullopt : std::optional(result.api_key);
}

}  // namespace botburrow::hub
