#include "hub/api.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "hub/database_fault.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hub {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kIdempotencyKeyMax = 128;

ApiError unauthorized(std::string code, std::string detail) {
  return ApiError(401, std::move(code), std::move(detail)).header("WWW-Authenticate", "Bearer");
}

ApiError admin_unset() {
  return ApiError(501, "admin_key_unset",
                  "no admin key is configured; set BOTBURROW_ADMIN_API_KEY_HASH");
}

bool permitted(const Principal& who, Access access) {
  switch (access) {
    case Access::open:
    case Access::read:
      return true;
    case Access::any_key:
      return who.kind != PrincipalKind::none;
    case Access::scheduler:
      return who.acts_for_others();
    case Access::overview:
      return who.acts_for_others() || who.is_owner();
    case Access::owner:
      return who.is_owner();
    case Access::admin:
      return who.kind == PrincipalKind::admin;
  }
  return false;
}

// What is missing, and where it comes from; empty where nobody is refused.
std::string key_needed(Access access) {
  constexpr std::string_view kMake = "made with POST /api/v1/keys by a human's or the admin's key";
  switch (access) {
    case Access::any_key:
      return "send a key: Authorization: Bearer KEY";
    case Access::scheduler:
      return fmt::format("use a key of type service ({}) or the admin key", kMake);
    case Access::overview:
      return fmt::format("use a key of type service or human ({}) or the admin key", kMake);
    case Access::owner:
      return fmt::format("use a key of type human ({}) or the admin key", kMake);
    case Access::admin:
      return "use the admin key: X-Admin-Key: KEY";
    default:
      return "";
  }
}

void check_not_banned(const Agent& agent) {
  if (agent.status != AgentStatus::banned) return;
  throw forbidden(fmt::format("agent \"{}\" is banned{}{}", agent.id,
                              agent.ban_reason.empty() ? "" : ": ", agent.ban_reason),
                  "banned");
}

/// Who a request names as the one that acts; nothing for nobody.
std::optional<std::string> named_actor(Call& call) {
  if (const auto named = string_field(call.body(), "agent_id"); named && !named->empty())
    return named;
  if (call.body().contains("agent_id") && !call.body().at("agent_id").is_null() &&
      !call.body().at("agent_id").is_string()) {
    throw invalid_field("body", "agent_id", "a string is expected");
  }
  if (auto named = call.query().text("agent_id")) return named;
  const auto header = call.request().header("x-act-as").value_or("");
  if (!header.empty()) return valid_utf8(header);
  return std::nullopt;
}

}  // namespace

Reply reply(int status, const json::object& body) {
  return Reply::json(status, to_json(body));
}

Reply no_content() {
  Reply empty;
  empty.status = 204;
  return empty;
}

Reply reply_of(const WriteResult& result) {
  switch (result.kind) {
    case WriteKind::done:
    case WriteKind::replayed: {
      Reply answer = result.status == 204 ? no_content() : Reply::json(result.status, result.body);
      if (result.kind == WriteKind::replayed)
        answer.headers.emplace_back("Idempotent-Replay", "true");
      return answer;
    }
    case WriteKind::stale_fence:
      throw ApiError(412, "stale_fence",
                     result.what.empty()
                         ? "a later activation of this agent has begun; nothing was changed"
                         : result.what);
    case WriteKind::key_mismatch:
      throw ApiError(
          422, "idempotency_mismatch",
          result.what.empty() ? "this Idempotency-Key was used with another body" : result.what);
    case WriteKind::not_found:
      throw ApiError(404, "not_found", result.what);
    case WriteKind::locked:
      throw ApiError(409, "locked", result.what);
    case WriteKind::forbidden:
      throw forbidden(result.what);
    case WriteKind::invalid:
      throw invalid_field("body", result.field, result.what);
    case WriteKind::refused:
      break;
  }
  throw ApiError(429, "rate_limited", result.what);
}

Page page_of(const Call& call, int otherwise, int max) {
  const QueryFields query = call.query();
  Page page;
  page.limit = static_cast<int>(query.clamped("limit", otherwise, 1, max));
  page.offset = query.clamped("offset", 0, 0, 1'000'000'000);
  page.cursor = query.text("cursor", 1000).value_or("");
  return page;
}

void add_rate_headers(Reply& answer, const std::vector<RateState>& rates) {
  if (rates.empty()) return;
  const auto tightest =
      std::min_element(rates.begin(), rates.end(), [](const RateState& a, const RateState& b) {
        return a.remaining * b.limit < b.remaining * a.limit;
      });
  answer.headers.emplace_back("X-RateLimit-Limit", std::to_string(tightest->limit));
  answer.headers.emplace_back("X-RateLimit-Remaining", std::to_string(tightest->remaining));
  answer.headers.emplace_back("X-RateLimit-Reset",
                              std::to_string((to_unix_ms(tightest->reset) + 999) / 1000));
}

std::string Call::param(const std::string& name) const {
  const auto found = request_.params.find(name);
  if (found == request_.params.end()) return {};
  const std::string& value = found->second;
  if (valid_utf8(value) != value || utf8_length(value) > 200 ||
      value.find('\0') != std::string::npos) {
    throw ApiError(404, "not_found", fmt::format("no such {}", name));
  }
  return value;
}

const json::object& Call::body() {
  if (!body_) body_ = parse_body(request_.body);
  return *body_;
}

void Api::route(std::string method, std::string path, Access access, Handler handler) {
  route_at(std::move(method), core.options.api_prefix + path, access, std::move(handler));
}

void Api::route_at(std::string method, std::string path, Access access, Handler handler) {
  auto shared = std::make_shared<const Handler>(std::move(handler));
  http.route(std::move(method), std::move(path),
             [this, access, shared](net::ServerRequest request) {
               return serve(access, shared, std::move(request));
             });
}

Task<Reply> Api::serve(Access access, std::shared_ptr<const Handler> handler,
                       net::ServerRequest request) {
  std::string id = request_id_of(request);
  Call call(std::move(request), std::move(id));
  Reply answered;
  std::exception_ptr failure;
  try {
    co_await admit(call, access);
    answered = co_await (*handler)(call);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    if (is_cancellation(failure)) std::rethrow_exception(failure);
    answered = answer(call, failure);
  }
  add_rate_headers(answered, call.rates);
  answered.headers.emplace_back("X-Request-Id", call.request_id());
  co_return answered;
}

std::string Api::request_id_of(const net::ServerRequest& request) {
  const auto given = request.header("x-request-id").value_or("");
  const bool usable = !given.empty() && given.size() <= 100 &&
                      std::all_of(given.begin(), given.end(), [](unsigned char c) {
                        return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
                      });
  return usable ? given : core.random.uuid4();
}

void Api::log_failure(const Call& call, const Error& error, const std::string& cause) {
  const auto unsaid = core.request_faults.admit(cause, core.clock.now());
  if (!unsaid) return;
  core.log.error("hub_request_failed", {{"endpoint", call.request().route},
                                        {"request_id", call.request_id()},
                                        {"error", error.message()},
                                        {"cause", cause},
                                        {"unsaid", *unsaid}});
}

Reply Api::answer(const Call& call, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const ApiError& error) {
    return error.response(call.request_id());
  } catch (const Error& error) {
    if (error.code() == errc::invalid_argument) {
      return ApiError(422, "validation", error.message()).response(call.request_id());
    }
    if (const auto* fault = find_database_fault(error.detail())) {
      log_failure(call, error, std::string(fault->cause));
      if (fault->stops_writing) core.note_database_state(failure);
      return unavailable(*fault).response(call.request_id());
    }
    if (error.retry() == Retry::after_backoff) {
      log_failure(call, error, std::string(name_of(error.code())));
      return unavailable("the database cannot be used now; try again").response(call.request_id());
    }
    core.log.error("hub_request_failed", {{"endpoint", call.request().route},
                                          {"request_id", call.request_id()},
                                          {"error", error.message()}});
  } catch (...) {
    core.log.error("hub_request_failed", {{"endpoint", call.request().route},
                                          {"request_id", call.request_id()},
                                          {"error", describe(failure)}});
  }
  return ApiError(500, "internal", "internal error; the log names it by request_id")
      .response(call.request_id());
}

Task<> Api::admit(Call& call, Access access) {
  if (access == Access::open) co_return;
  call.principal = co_await authenticate(Credentials::of(call.request()), access);
  const Principal& who = call.principal;
  if (!permitted(who, access)) {
    if (access == Access::admin && !core.admin_key_set()) throw admin_unset();
    const auto needed = key_needed(access);
    throw forbidden(fmt::format("the key of \"{}\" may not do this; {}", who.label(), needed))
        .hint(needed);
  }
  if (who.kind != PrincipalKind::agent) co_return;
  // Only an agent's own key: a shared one would let all agents starve each other.
  Limit& limit = core.limits.all;
  const std::string& id = who.agent->id;
  const bool admitted = limit.bucket.take(id, core.clock.now());
  if (auto state = limit.bucket.state(id, core.clock.now(), core.clock.wall()))
    call.rates.push_back(*state);
  if (!admitted) refuse(call, limit, id);
}

Task<std::optional<Reply>> Api::refuse_unknown(const net::ServerRequest& request) {
  std::exception_ptr failure;
  try {
    co_await authenticate(Credentials::of(request), Access::any_key);
    co_return std::nullopt;
  } catch (...) {
    failure = std::current_exception();
  }
  if (is_cancellation(failure)) std::rethrow_exception(failure);
  co_return answer(Call(request, request_id_of(request)), failure);
}

Task<Principal> Api::authenticate(Credentials credentials, Access access) {
  if (!core.store) throw core.no_database();
  Principal admin;
  admin.kind = PrincipalKind::admin;
  if (credentials.admin_key &&
      (core.admin_key_set() || !credentials.bearer || access == Access::admin)) {
    if (!core.admin_key_set()) throw admin_unset();
    const bool good =
        equal_in_constant_time(sha256_hex(*credentials.admin_key), core.admin_key_hash);
    core.metrics.auth_attempts.with({good ? "true" : "false"}).add();
    if (!good) throw forbidden("the admin key is wrong", "admin_key_wrong");
    co_return admin;
  }
  if (credentials.bearer) {
    std::string hash = sha256_hex(*credentials.bearer);
    if (core.admin_key_set() && equal_in_constant_time(hash, core.admin_key_hash)) {
      core.metrics.auth_attempts.with({"true"}).add();
      co_return admin;
    }
    co_return co_await principal_of_key(std::move(hash), access);
  }
  Principal nobody;
  if (core.options.auth_mode == AuthMode::open) {
    // Any page in the developer's browser could otherwise act as the service.
    if (credentials.foreign_page)
      throw forbidden("without a key only this Hub's own address and page may call",
                      "foreign_origin");
    nobody.kind = PrincipalKind::service;
    co_return nobody;
  }
  if (access == Access::read && core.options.public_read) co_return nobody;
  throw unauthorized("key_missing", "no key: send Authorization: Bearer <key>");
}

Task<Principal> Api::principal_of_key(std::string key_hash, Access access) {
  const Agent* known = core.keys.find(key_hash, core.clock.now());
  KeyLookup found;
  if (known != nullptr) {
    found = KeyLookup{KeyState::valid, *known};
    if (known->api_key_expires_at && *known->api_key_expires_at <= core.clock.wall())
      found.state = KeyState::expired;
  } else {
    found = co_await core.with_store([key_hash](Store& store) { return store.find_key(key_hash); });
  }
  const bool good = found.state == KeyState::valid && found.agent;
  core.metrics.auth_attempts.with({good ? "true" : "false"}).add();
  if (found.state == KeyState::expired) {
    throw unauthorized("key_expired", "this key has expired; ask for a new one");
  }
  if (!good) {
    if (access == Access::admin) {
      if (!core.admin_key_set()) throw admin_unset();
      throw forbidden("the admin key is wrong", "admin_key_wrong");
    }
    throw unauthorized("key_unknown", "this key is unknown or was revoked");
  }
  check_not_banned(*found.agent);
  if (known == nullptr) core.keys.put(key_hash, *found.agent, core.clock.now());
  co_return principal_of(std::move(*found.agent), std::move(key_hash));
}

Task<std::optional<Agent>> Api::actor_if_named(Call& call) {
  auto named = named_actor(call);
  const Principal& who = call.principal;
  if (who.is_self()) {
    if (named && !names_agent(*named, *who.agent)) {
      throw forbidden(fmt::format("the key of \"{}\" may not act for \"{}\"", who.agent->id,
                                  utf8_prefix(*named, 100)),
                      "not_yourself");
    }
    co_return who.agent;
  }
  if (!named || !who.acts_for_others()) co_return std::nullopt;
  Agent found = co_await agent(std::move(*named));
  if (found.type == "system") throw forbidden(fmt::format("nobody may act for \"{}\"", found.id));
  check_not_banned(found);
  co_return found;
}

Task<Agent> Api::actor(Call& call) {
  auto found = co_await actor_if_named(call);
  if (found) co_return std::move(*found);
  if (call.principal.kind == PrincipalKind::none)
    throw unauthorized("key_missing", "no key: send Authorization: Bearer <key>");
  throw invalid_field("body", "agent_id",
                      "field required: a service key must name the agent it acts for");
}

Task<Viewer> Api::viewer(Call& call) {
  auto found = co_await actor_if_named(call);
  Viewer viewer;
  if (found) viewer.agent_id = found->id;
  viewer.privileged = call.principal.is_owner();
  co_return viewer;
}

Task<Agent> Api::agent(std::string reference) {
  auto found =
      co_await core.with_store([reference](Store& store) { return store.find_agent(reference); });
  if (!found) throw not_found("agent", reference);
  co_return std::move(*found);
}

WriteGuard Api::guard_of(const Call& call) {
  const net::ServerRequest& request = call.request();
  WriteGuard guard;
  if (const auto text = request.header("botburrow-fence")) {
    guard.fence = Fence::parse(*text);
    if (!guard.fence)
      throw invalid_field("header", "Botburrow-Fence",
                          "<generation>.<counter> is expected, two whole numbers");
  }
  guard.by_service =
      call.principal.kind == PrincipalKind::service || call.principal.kind == PrincipalKind::admin;
  guard.idempotency_key = request.header("idempotency-key").value_or("");
  if (guard.idempotency_key.size() > kIdempotencyKeyMax) {
    throw invalid_field("header", "Idempotency-Key",
                        fmt::format("at most {} characters allowed", kIdempotencyKeyMax));
  }
  if (valid_utf8(guard.idempotency_key) != guard.idempotency_key) {
    throw invalid_field("header", "Idempotency-Key", "UTF-8 is expected");
  }
  guard.request_hash =
      sha256_hex(fmt::format("{}\n{}\n{}", request.method, request.path, request.body));
  return guard;
}

Task<Reply> Api::write(Call& call, Limit* limit, std::string actor, Action action) {
  // Given back unless the write really happened, on every way out.
  struct Taken {
    RateBucket* bucket = nullptr;
    const std::string& actor;
    Clock& clock;
    ~Taken() {
      if (bucket != nullptr) bucket->give_back(actor, clock.now());
    }
  };
  WriteGuard guard = guard_of(call);
  if (limit != nullptr) guard.admitted = limit->bucket.take(actor, core.clock.now());
  WriteResult result;
  {
    Taken taken{limit != nullptr && guard.admitted ? &limit->bucket : nullptr, actor, core.clock};
    // The peer may go while the database works; what happened must still be counted.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    result =
        co_await core.with_store([action, guard](Store& store) { return action(store, guard); });
    if (result.kind == WriteKind::done) taken.bucket = nullptr;
  }
  if (limit != nullptr) {
    if (auto state = limit->bucket.state(actor, core.clock.now(), core.clock.wall()))
      call.rates.push_back(*state);
  }
  if (result.kind == WriteKind::refused && limit != nullptr) refuse(call, *limit, actor);
  co_return reply_of(result);
}

void Api::refuse(Call& call, const Limit& limit, const std::string& actor) {
  core.metrics.rate_limited.with({limit.name}).add();
  const auto state = limit.bucket.state(actor, core.clock.now(), core.clock.wall());
  const std::chrono::seconds wait = state ? state->retry_after : std::chrono::seconds(1);
  auto error = ApiError(429, "rate_limited",
                        fmt::format("rate limit of {}: {} for \"{}\"; try again in {} s",
                                    limit.name, limit.rule_text, actor, wait.count()))
                   .retry_after(wait);
  if (limit.name == "posts")
    error.extra("retry_after_minutes", std::to_string((wait.count() + 59) / 60));
  throw error;
}

}  // namespace botburrow::hub
