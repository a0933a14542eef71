#include "hubapi/client.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "hubapi/retry_rule.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace botburrow::hubapi {
namespace {

constexpr std::size_t kAgentsMax = 10'000;
constexpr std::size_t kUnreadMax = 1'000;
constexpr std::size_t kPageSize = 100;

std::optional<double> retry_after_of(const net::HttpResponse& response) {
  const auto header = response.header("retry-after");
  return header ? read_retry_after(*header, std::chrono::system_clock::now()) : std::nullopt;
}

// Reads an answer's body. A write that was answered 2xx has happened: a body that cannot be read
// must not make it look as if it had not.
json::value read_body(const HubRequest& request, const net::HttpResponse& response, bool is_read,
                      const Log& log) {
  if (response.body.empty()) return nullptr;
  if (!response.ok() || !is_read) {
    auto parsed = try_parse_json(response.body);
    if (!parsed && response.ok()) {
      log.warning("hub_answer_unreadable",
                  {{"call", fmt::format("{} {}", request.method, request.path)},
                   {"first_bytes", valid_utf8(utf8_prefix(response.body, 200))}});
    }
    return parsed.value_or(nullptr);
  }
  return parse_json(response.body, fmt::format("answer of {} {}", request.method, request.path));
}

bool is_read(const HubRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

bool is_fine(int status) {
  return status >= 200 && status <= 299;
}

std::string problem_text(const json::value& body) {
  for (const auto* key : {"detail", "error", "message"}) {
    if (const auto text = string_field(body, key)) return valid_utf8(utf8_prefix(*text, 300));
  }
  return "";
}

Error status_error(const HubRequest& request, const HubAnswer& answer) {
  const auto text = problem_text(answer.body);
  const auto detail = string_field(answer.body, "code").value_or("");
  const auto where = fmt::format("{} {}", request.method, request.path);
  auto make = [&](errc code, std::string message, Retry retry) {
    Error error(code, std::move(message), retry);
    error.with_status(answer.status).with_detail(detail);
    if (answer.retry_after) error.with_retry_after(*answer.retry_after);
    return error;
  };
  const auto suffix = text.empty() ? std::string() : ": " + text;
  switch (answer.status) {
    case 401:
      return make(
          errc::hub_auth,
          fmt::format("{}: 401 Unauthorized from Hub API{}; check HUB_API_KEY", where, suffix),
          Retry::after_backoff);
    case 403:
      return make(errc::hub_auth, fmt::format("{}: 403 Forbidden{}", where, suffix), Retry::never);
    case 412:
      return make(errc::stale_fence, fmt::format("{}: 412 stale fence{}", where, suffix),
                  Retry::never);
    default:
      break;
  }
  const bool heals = answer.status >= 500 || answer.status == 429 || answer.status == 408;
  return make(errc::http_status, fmt::format("{}: {} from Hub API{}", where, answer.status, suffix),
              heals ? Retry::after_backoff : Retry::never);
}

// Where a list goes on: by the Hub's cursor, or by counting.
struct NextPage {
  bool more = false;
  std::string cursor;
  std::size_t seen = 0;

  void after(const json::value& answer, std::size_t count) {
    seen += count;
    cursor = string_field(answer, "next_cursor").value_or("");
    more = count > 0 && (!cursor.empty() ||
                         int_field(answer, "total").value_or(0) > static_cast<std::int64_t>(seen));
  }
  Query added_to(Query query) const {
    if (!more) return query;
    if (!cursor.empty())
      query.emplace_back("cursor", cursor);
    else
      query.emplace_back("offset", fmt::format("{}", seen));
    return query;
  }
};

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ","));
}

}  // namespace

HubClient::HubClient(net::HttpClient& http, Options options, Random& random, Log log,
                     Metrics& metrics)
    : http_(http),
      options_(std::move(options)),
      random_(random),
      log_(std::move(log)),
      requests_(metrics.counter("botburrow_hub_requests_total",
                                "Calls of the Hub by endpoint and status code.",
                                {"endpoint", "code"})),
      durations_(metrics.histogram(
          "botburrow_hub_request_duration_seconds", "Time of one Hub call.",
          {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}, {"endpoint"})) {
  while (options_.url.ends_with('/'))
    options_.url.pop_back();
}

net::HttpRequest HubClient::encode(const HubRequest& request) const {
  net::HttpRequest out;
  out.method = request.method;
  out.url = options_.url + "/api/v1" + request.path + net::query_string(request.query);
  out.total_timeout = request.timeout;
  out.headers = {{"Accept", "application/json"}};
  const auto& key = key_for(request.acting);
  if (!key.empty()) out.headers.emplace_back("Authorization", "Bearer " + key.reveal());
  if (request.body) {
    out.headers.emplace_back("Content-Type", "application/json");
    out.body = to_json(*request.body);
  }
  if (!request.guard.fence.empty())
    out.headers.emplace_back("Botburrow-Fence", request.guard.fence);
  if (!request.guard.idempotency_key.empty()) {
    out.headers.emplace_back("Idempotency-Key", request.guard.idempotency_key);
  }
  return out;
}

void HubClient::count(const std::string& endpoint, const std::string& code,
                      std::chrono::nanoseconds took) {
  requests_.with({endpoint, code}).add();
  durations_.with({endpoint}).observe(std::chrono::duration<double>(took).count());
}

void HubClient::introduce(const AgentId& agent, const std::string& name) {
  if (agent.str() != name && options_.agent_keys.contains(name)) names_[agent.str()] = name;
}

const Secret& HubClient::key_for(const std::string& acting) const {
  const auto name = names_.find(acting);
  const auto own = options_.agent_keys.find(name != names_.end() ? name->second : acting);
  return own != options_.agent_keys.end() ? own->second : options_.service_key;
}

std::function<void(std::size_t)> HubClient::warn_of_unreadable(std::string what) const {
  return [log = log_, what = std::move(what)](std::size_t count) {
    log.warning("hub_items_unreadable",
                {{"list", what}, {"count", count}, {"msg", "without an id; passed over"}});
  };
}

void HubClient::note_auth_error(const Error& error) {
  if (auth_trouble_.allow(BootClock::now()))
    log_.error("hub_auth_error", {{"error", error.message()}});
}

Task<HubAnswer> HubClient::send_once(HubRequest request, std::string request_id,
                                     Deadline deadline) {
  auto out = encode(request);
  out.headers.emplace_back("X-Request-Id", std::move(request_id));
  const auto begun = BootClock::now();
  std::exception_ptr failure;
  HubAnswer answer;
  try {
    const auto response = co_await http_.send(std::move(out), deadline);
    answer = {.status = response.status,
              .replayed = response.header("idempotent-replay").value_or("") == "true",
              .retry_after = retry_after_of(response)};
    count(request.endpoint, fmt::format("{}", response.status), BootClock::now() - begun);
    const bool with_service_key = &key_for(request.acting) == &options_.service_key;
    if (response.status == 401 && with_service_key) key_standing_ = KeyStanding::refused;
    answer.body = read_body(request, response, is_read(request), log_);
    co_return answer;
  } catch (const Error& error) {
    if (error.code() == errc::bad_input) throw;
    failure =
        std::make_exception_ptr(in(fmt::format("{} {}", request.method, request.path), error));
  }
  count(request.endpoint, "error", BootClock::now() - begun);
  std::rethrow_exception(failure);
}

Task<HubAnswer> HubClient::request(HubRequest request, Deadline deadline, bool any_status) {
  if (request.endpoint.empty()) request.endpoint = "other";
  const std::string request_id = random_.uuid4();
  const bool repeatable = is_read(request) || request.repeatable;
  for (int tried = 1;; ++tried) {
    TryResult result;
    std::exception_ptr failure;
    HubAnswer answer;
    try {
      answer = co_await send_once(request, request_id, deadline);
    } catch (const Error& error) {
      if (error.code() != errc::http_unavailable && error.code() != errc::timeout) throw;
      result.kind =
          error.detail() == "not_sent" ? TryResult::Kind::not_sent : TryResult::Kind::maybe_sent;
      failure = std::current_exception();
    }
    if (!failure && is_fine(answer.status)) co_return answer;
    if (answer.status == 401 || answer.status == 403)
      note_auth_error(status_error(request, answer));
    const auto code = string_field(answer.body, "code").value_or("");
    if (!failure)
      result = {.status = answer.status, .code = code, .retry_after = answer.retry_after};

    CallKind call{.safe_to_repeat = true, .wait_on_429 = request.wait_on_429};
    auto wait = request.retry ? wait_before_retry(result, call, tried) : std::nullopt;
    if (wait && !repeatable) {
      // A write goes again only if the first one cannot have happened, or the Hub will notice.
      const bool keyed = !request.guard.idempotency_key.empty();
      call.safe_to_repeat = keyed && co_await remembers_keys(deadline);
      wait = wait_before_retry(result, call, tried);
    }
    // Never before the moment that the Hub named.
    const auto pause = !wait                ? std::chrono::nanoseconds(0)
                       : answer.retry_after ? *wait + random_.jitter(*wait, 1.0) / 10
                                            : random_.jitter(*wait, 0.2);
    if (!wait || deadline.left() <= pause) {
      if (failure) std::rethrow_exception(failure);
      if (any_status) co_return answer;
      throw status_error(request, answer);
    }
    co_await sleep_for(pause);
  }
}

Task<bool> HubClient::remembers_keys(Deadline deadline) {
  if (!remembers_keys_) {
    try {
      const auto answer = co_await request(
          {.path = "/system/generation", .endpoint = "generation", .retry = false}, deadline, true);
      note_generation_status(answer.status);
    } catch (const Error&) {
      // Not reachable now: say no, and ask again at the next occasion.
    }
  }
  co_return remembers_keys_.value_or(false);
}

// 403: the call exists, and is not for this key.
void HubClient::note_generation_status(int status) {
  if (status == 200 || status == 403) remembers_keys_ = true;
  if (status == 404 || status == 405 || status == 501) remembers_keys_ = false;
}

Task<KeyAnswer> HubClient::check_key_of(std::string acting, Deadline deadline) {
  const HubRequest call{
      .path = "/system/generation", .acting = std::move(acting), .endpoint = "generation"};
  HubAnswer answer;
  try {
    answer = co_await send_once(call, random_.uuid4(), deadline);
  } catch (const Error& error) {
    // An answer that is not JSON came from somebody who let the key pass.
    if (error.code() == errc::bad_input) co_return KeyAnswer{.standing = KeyStanding::accepted};
    co_return KeyAnswer{.reason = error.message()};
  }
  note_generation_status(answer.status);
  if (answer.status == 401)
    co_return KeyAnswer{.standing = KeyStanding::refused,
                        .reason = status_error(call, answer).message()};
  // Whoever is overloaded or broken has not looked at the key.
  if (answer.status >= 500 && answer.status != 501)
    co_return KeyAnswer{.reason = status_error(call, answer).message()};
  if (answer.status == 408 || answer.status == 429)
    co_return KeyAnswer{.reason = status_error(call, answer).message()};
  KeyAnswer accepted{.standing = KeyStanding::accepted};
  if (answer.status == 403) accepted.reason = status_error(call, answer).message();
  co_return accepted;
}

Task<KeyAnswer> HubClient::check_key(Deadline deadline) {
  KeyAnswer answer;
  if (!options_.service_key.empty() || options_.agent_keys.empty()) {
    answer = co_await check_key_of("", deadline);
  } else {
    for (const auto& [agent, key] : options_.agent_keys) {
      answer = co_await check_key_of(agent, deadline);
      if (answer.standing != KeyStanding::refused) break;
    }
  }
  // Silence is no new word.
  if (answer.standing != KeyStanding::unknown) key_standing_ = answer.standing;
  co_return answer;
}

Task<PollAnswer> HubClient::poll(std::chrono::seconds timeout, int batch, Deadline deadline) {
  HubRequest call{.path = "/notifications/poll",
                  .query = {{"timeout", fmt::format("{}", timeout.count())},
                            {"batch_size", fmt::format("{}", batch)}},
                  .endpoint = "poll",
                  .wait_on_429 = false,
                  .retry = false,
                  .timeout = timeout + std::chrono::seconds(10)};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404 || answer.status == 405 || answer.status == 501)
    co_return PollAnswer{.supported = false};
  if (!is_fine(answer.status)) throw status_error(call, answer);
  co_return PollAnswer{.agents = read_list<WaitingAgent>(answer.body, "agents", read_waiting_agent,
                                                         warn_of_unreadable("agents"))};
}

Task<std::vector<WaitingAgent>> HubClient::agent_pages(Query query, std::string endpoint,
                                                       Deadline deadline) {
  std::vector<WaitingAgent> all;
  std::set<AgentId> known;
  NextPage next;
  do {
    const auto answer = co_await request({.path = "/agents",
                                          .query = next.added_to(query),
                                          .endpoint = endpoint,
                                          .wait_on_429 = false},
                                         deadline);
    const auto before = all.size();
    for (auto& agent : read_list<WaitingAgent>(answer.body, "agents", read_waiting_agent,
                                               warn_of_unreadable("agents"))) {
      if (known.insert(agent.id).second) all.push_back(std::move(agent));
    }
    // A Hub that answers the same page again and again has no more pages.
    if (all.size() == before) break;
    next.after(answer.body, array_field(answer.body, "agents").size());
  } while (next.more && all.size() < kAgentsMax);
  co_return all;
}

Task<std::vector<WaitingAgent>> HubClient::with_notifications(Deadline deadline) {
  auto agents =
      co_await agent_pages({{"has_notifications", "true"}}, "agents_with_notifications", deadline);
  std::stable_sort(agents.begin(), agents.end(), [](const auto& a, const auto& b) {
    return a.notification_count > b.notification_count;
  });
  co_return agents;
}

Task<std::vector<WaitingAgent>> HubClient::stale(std::chrono::seconds min_staleness,
                                                 Deadline deadline) {
  auto agents = co_await agent_pages(
      {{"stale", "true"}, {"min_staleness", fmt::format("{}", min_staleness.count())}},
      "agents_stale", deadline);
  // Never activated first, then the oldest: an absent time sorts before any other.
  std::stable_sort(agents.begin(), agents.end(), [](const auto& a, const auto& b) {
    return a.last_activated_at < b.last_activated_at;
  });
  co_return agents;
}

Task<> HubClient::activated(AgentId agent, Deadline deadline) {
  co_await request({.method = "POST",
                    .path = "/agents/" + net::url_encode(agent.str()) + "/activated",
                    .acting = agent.str(),
                    .endpoint = "activated",
                    .repeatable = true},
                   deadline);
}

Task<std::vector<Notification>> HubClient::unread(AgentId agent, int limit, Deadline deadline) {
  const Query query{
      {"agent_id", agent.str()}, {"unread", "true"}, {"limit", fmt::format("{}", limit)}};
  const auto older = [](const auto& a, const auto& b) { return a.created_at < b.created_at; };
  std::vector<Notification> list;
  std::set<std::string> known;
  NextPage next;
  do {
    const auto answer = co_await request({.path = "/notifications",
                                          .query = next.added_to(query),
                                          .acting = agent.str(),
                                          .endpoint = "notifications"},
                                         deadline);
    const auto before = known.size();
    for (auto& one : read_list<Notification>(answer.body, "notifications", read_notification,
                                             warn_of_unreadable("notifications"))) {
      if (known.insert(one.id).second && !one.read) list.push_back(std::move(one));
    }
    if (known.size() == before) break;
    next.after(answer.body, array_field(answer.body, "notifications").size());
    // The oldest are wanted. A Hub that sends them first need not send the rest.
    const bool enough = list.size() >= static_cast<std::size_t>(limit) &&
                        std::is_sorted(list.begin(), list.end(), older);
    if (enough) break;
  } while (next.more && list.size() < kUnreadMax);
  std::stable_sort(list.begin(), list.end(), older);
  if (list.size() > static_cast<std::size_t>(limit)) list.resize(static_cast<std::size_t>(limit));
  co_return list;
}

Task<> HubClient::mark_read(AgentId agent, std::vector<std::string> ids, std::string fence,
                            Deadline deadline) {
  for (std::size_t at = 0; at < ids.size(); at += kPageSize) {
    json::array page;
    for (std::size_t i = at; i < std::min(ids.size(), at + kPageSize); ++i)
      page.emplace_back(ids[i]);
    co_await request(
        {.method = "POST",
         .path = "/notifications/read",
         .body = json::value{{"agent_id", agent.str()}, {"notification_ids", std::move(page)}},
         .acting = agent.str(),
         .guard = {.fence = fence},
         .endpoint = "notifications_read",
         .repeatable = true},
        deadline);
  }
  log_.debug("marked_notifications_read", {{"count", ids.size()}});
}

Task<std::optional<Post>> HubClient::thread(AgentId agent, std::string post_id, Deadline deadline) {
  HubRequest call{.path = "/posts/" + net::url_encode(post_id),
                  .query = {{"include_comments", "true"}, {"agent_id", agent.str()}},
                  .acting = agent.str(),
                  .endpoint = "post"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  co_return read_post(answer.body);
}

Task<Written> HubClient::create_post(AgentId agent, NewPost post, WriteGuard guard,
                                     Deadline deadline) {
  json::object body{{"agent_id", agent.str()}, {"content", post.content}};
  if (!post.title.empty()) body["title"] = post.title;
  if (!post.community.empty()) body["community"] = post.community;
  const auto answer = co_await request({.method = "POST",
                                        .path = "/posts",
                                        .body = std::move(body),
                                        .acting = agent.str(),
                                        .guard = std::move(guard),
                                        .endpoint = "create_post",
                                        .wait_on_429 = false},
                                       deadline);
  Written written{.id = string_field(answer.body, "id").value_or(""), .replayed = answer.replayed};
  co_return written;
}

Task<Written> HubClient::create_comment(AgentId agent, NewComment comment, WriteGuard guard,
                                        Deadline deadline) {
  json::object body{{"agent_id", agent.str()}, {"content", comment.content}};
  if (!comment.parent_id.empty()) body["parent_id"] = comment.parent_id;
  if (!comment.notification_id.empty()) body["notification_id"] = comment.notification_id;
  const auto answer =
      co_await request({.method = "POST",
                        .path = "/posts/" + net::url_encode(comment.post_id) + "/comments",
                        .body = std::move(body),
                        .acting = agent.str(),
                        .guard = std::move(guard),
                        .endpoint = "create_comment",
                        .wait_on_429 = false},
                       deadline);
  Written written{
      .id = string_field(answer.body, "id").value_or(""),
      .replayed = answer.replayed,
      .notification_read = bool_field(answer.body, "notification_read").value_or(false)};
  co_return written;
}

Task<std::vector<Post>> HubClient::search(AgentId agent, SearchQuery query, Deadline deadline) {
  Query pairs{{"q", query.q}, {"limit", fmt::format("{}", query.limit)}};
  if (!query.community.empty()) pairs.emplace_back("community", query.community);
  if (!query.author.empty()) pairs.emplace_back("author", query.author);
  const auto answer = co_await request(
      {.path = "/search", .query = std::move(pairs), .acting = agent.str(), .endpoint = "search"},
      deadline);
  co_return read_list<Post>(answer.body, "results", read_post, warn_of_unreadable("results"));
}

Task<std::vector<Post>> HubClient::discover(AgentId agent, DiscoverQuery query, Deadline deadline) {
  Query pairs{{"limit", fmt::format("{}", query.limit)},
              {"exclude_responded", "true"},
              {"agent_id", agent.str()},
              {"min_age", "5m"},
              {"max_age", "24h"}};
  if (!query.communities.empty()) pairs.emplace_back("communities", joined(query.communities));
  if (!query.keywords.empty()) pairs.emplace_back("keywords", joined(query.keywords));
  const auto answer = co_await request({.path = "/feed/discover",
                                        .query = std::move(pairs),
                                        .acting = agent.str(),
                                        .endpoint = "discover"},
                                       deadline);
  co_return read_list<Post>(answer.body, "posts", read_post, warn_of_unreadable("posts"));
}

Task<std::optional<Budget>> HubClient::budget(AgentId agent, Deadline deadline) {
  HubRequest call{.path = "/system/budget-health",
                  .query = {{"agent_id", agent.str()}},
                  .acting = agent.str(),
                  .endpoint = "budget"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  co_return read_budget(answer.body);
}

Task<std::optional<AgentInfo>> HubClient::agent(std::string name, Deadline deadline) {
  HubRequest call{.path = "/agents/" + net::url_encode(name), .endpoint = "agent"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  const auto text = [&](std::string_view key) {
    return string_field(answer.body, key).value_or("");
  };
  co_return AgentInfo{.id = AgentId(text("id")),
                      .name = text("name"),
                      .type = text("type"),
                      .status = text("status"),
                      .config_source = text("config_source"),
                      .config_path = text("config_path"),
                      .config_branch = text("config_branch")};
}

Task<bool> HubClient::report(std::string agent_id, std::string path, std::string body,
                             std::string key, Deadline deadline) {
  auto parsed = try_parse_json(body);
  if (!parsed) co_return true;  // Nobody could ever send it.
  // Whether a second one would be noticed must be known before the first one leaves.
  const bool remembers = co_await remembers_keys(deadline);
  if (!remembers_keys_)
    throw Error(errc::http_unavailable, "POST " + path + ": the Hub cannot be asked now",
                Retry::after_backoff);
  HubAnswer answer;
  std::string lost;
  try {
    answer = co_await request({.method = "POST",
                               .path = path,
                               .body = std::move(*parsed),
                               .acting = std::move(agent_id),
                               .guard = {.idempotency_key = std::move(key)},
                               .endpoint = "consumption"},
                              deadline, true);
  } catch (const Error& error) {
    if (remembers || error.detail() != "maybe_sent") throw;
    lost = error.message();
  }
  if (!lost.empty()) {
    log_.warning(
        "metrics_report_failed",
        {{"error", lost}, {"msg", "it may have been counted; this Hub would count a second one"}});
    co_return true;
  }
  if (is_fine(answer.status)) co_return true;
  const auto code = string_field(answer.body, "code").value_or("");
  const bool heals =
      wait_before_retry({.status = answer.status, .code = code}, {.safe_to_repeat = remembers}, 1)
          .has_value();
  if (heals || answer.status == 401 || answer.status == 403) co_return false;
  log_.error("metrics_report_failed",
             {{"status", answer.status}, {"error", problem_text(answer.body)}});
  co_return true;
}

json::value HubClient::consumption_body(const Consumption& c) {
  return {{"agent_id", c.agent_id},
          {"tokens_input", c.tokens_input},
          {"tokens_output", c.tokens_output},
          {"cost_usd", c.cost_usd},
          {"activation_id", c.activation_id},
          {"model", c.model},
          {"tool_type", c.tool_type},
          {"task_type", c.task_type},
          {"duration_seconds", c.duration_seconds}};
}

Task<std::optional<Generation>> HubClient::generation(Deadline deadline) {
  HubRequest call{.path = "/system/generation", .endpoint = "generation"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) {
    remembers_keys_ = false;
    co_return std::nullopt;
  }
  if (!is_fine(answer.status)) throw status_error(call, answer);
  remembers_keys_ = true;
  co_return read_generation(answer.body);
}

Task<std::optional<Generation>> HubClient::change_generation(std::string new_dataset,
                                                             Generation seen, Deadline deadline) {
  json::value dataset = seen.dataset.empty() ? json::value(nullptr) : json::value(seen.dataset);
  HubRequest call{
      .method = "POST",
      .path = "/system/generation",
      .body =
          json::value{{"dataset", new_dataset},
                      {"seen", {{"dataset", std::move(dataset)}, {"generation", seen.generation}}}},
      .endpoint = "generation",
      .retry = false};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 412) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  auto changed = read_generation(answer.body);
  if (changed.dataset.empty())
    throw Error(errc::bad_input, "answer of POST /system/generation: no dataset in it",
                Retry::after_backoff);
  co_return changed;
}

Task<std::optional<RememberedAnswer>> HubClient::find_answer(AgentId agent, std::string key,
                                                             Deadline deadline) {
  HubRequest call{.path = "/idempotency/" + net::url_encode(key),
                  .query = {{"agent_id", agent.str()}},
                  .acting = agent.str(),
                  .endpoint = "idempotency"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  const auto* body = find_field(answer.body, "body");
  co_return RememberedAnswer{
      .status = static_cast<int>(int_field(answer.body, "status").value_or(0)),
      .id = body ? string_field(*body, "id").value_or("") : ""};
}

}  // namespace botburrow::hubapi
