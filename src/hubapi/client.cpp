#include "hubapi/client.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metric_table.hpp"
#include "hubapi/answers.hpp"
#include "hubapi/retry_rule.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hubapi {
namespace {

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

}  // namespace

HubClient::HubClient(net::HttpClient& http, Options options, Random& random, Log log,
                     Metrics& metrics)
    : http_(http),
      options_(std::move(options)),
      random_(random),
      log_(std::move(log)),
      requests_(series_of(metrics, "botburrow_hub_requests_total")),
      durations_(histogram_of(metrics, "botburrow_hub_request_duration_seconds")) {
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
    if (answer.status != 429) note_retry(request, answer, failure);
    co_await sleep_for(pause);
  }
}

// At once, for the last try may come half a minute later. What ends the call is its caller's to
// say.
void HubClient::note_retry(const HubRequest& request, const HubAnswer& answer,
                           const std::exception_ptr& failure) {
  if (!retry_note_.allow(BootClock::now())) return;
  log_.warning("hub_call_retried",
               {{"error", failure ? describe(failure) : status_error(request, answer).message()},
                {"fix", "look whether the Hub runs, is ready and reached from here (HUB_URL)"}});
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
  if (is_unknown_call(status)) remembers_keys_ = false;
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
  // Ours names what is missing by a code. Others, which do not know this call, may say 403 to it.
  if (answer.status == 403 && string_field(answer.body, "code") == "forbidden")
    accepted.reason = status_error(call, answer).message();
  if (answer.status == 200) accepted.dataset = read_generation(answer.body).dataset;
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

}  // namespace botburrow::hubapi
