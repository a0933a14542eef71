#include "llm/http_model.hpp"

#include "base/error.hpp"
#include "llm/foreign_answer.hpp"
#include "llm/retry.hpp"

#include <fmt/format.h>

#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000};
constexpr std::size_t kAnswerBytesMax = 16u << 20;
// Quirks that one server may need at a time; each is learnt once.
constexpr int kLessonsMax = 4;
constexpr std::size_t kHeadBytes = 400;

// Refusals that may be of a part of the request which can be left out. llama.cpp answers 500 to
// tools that it was not started for, OpenRouter 404.
bool teaches(int status) {
  return status == 400 || status == 404 || status == 422 || status == 500 || status == 501;
}

// What the callback of the transfer and the coroutine share. A fault of the reader must not cross
// libcurl, so it waits here.
struct Reading {
  std::unique_ptr<AnswerReader> reader;
  std::exception_ptr fault;
  std::string head;  // the first bytes, for whoever has to say what came instead of a stream

  bool feed(std::string_view bytes) {
    if (head.size() < kHeadBytes) head += bytes.substr(0, kHeadBytes - head.size());
    try {
      reader->feed(bytes);
      return true;
    } catch (...) {
      fault = std::current_exception();
      return false;
    }
  }

  std::optional<Error> foreign(const ProviderConfig& config, const net::HttpResponse& response) {
    if (reader->began()) return {};
    return foreign_answer(config,
                          {.content_type = response.header("content-type").value_or(""),
                           .content_encoding = response.header("content-encoding").value_or(""),
                           .first_bytes = head});
  }
};

}  // namespace

HttpModel::HttpModel(ProviderConfig config, std::unique_ptr<Protocol> protocol,
                     net::HttpClient& http, Random& random, Log log, LlmMetrics metrics)
    : config_(std::move(config)),
      protocol_(std::move(protocol)),
      http_(http),
      random_(random),
      log_(std::move(log)),
      metrics_(metrics) {}

Task<ModelAnswer> HttpModel::complete(const ModelRequest& request, Deadline deadline) {
  int retries = 0;
  int lessons = 0;
  while (true) {
    const Quirks quirks = quirks_;
    Attempt attempt = co_await this->attempt(request, quirks, deadline);
    note(attempt, request);
    if (attempt.answer) co_return *std::move(attempt.answer);
    if (attempt.other) std::rethrow_exception(attempt.other);
    if (attempt.learnt && lessons < kLessonsMax) {
      ++lessons;
      learn(*attempt.learnt, *attempt.error);
      continue;
    }
    const auto wait = wait_before_retry(*attempt.error, {.attempt = ++retries,
                                                         .max_retries = config_.max_retries,
                                                         .first_wait = config_.first_retry_wait,
                                                         .left = deadline.left(),
                                                         .share = random_.unit()});
    if (!wait) throw *attempt.error;
    log_.debug("llm_retry", {{"provider", config_.provider},
                             {"model", config_.model},
                             {"attempt", retries},
                             {"wait_seconds", std::chrono::duration<double>(*wait).count()},
                             {"error", attempt.error->message()}});
    co_await sleep_for(*wait);
  }
}

Task<HttpModel::Attempt> HttpModel::attempt(const ModelRequest& request, Quirks quirks,
                                            Deadline deadline) {
  const auto reading = std::make_shared<Reading>();
  reading->reader = protocol_->reader(request);
  auto wire = protocol_->build(request, quirks);
  const auto asked = wire.url;
  net::HttpRequest http{
      .method = "POST", .url = std::move(wire.url), .headers = std::move(wire.headers)};
  http.body = std::move(wire.body);
  http.body.shrink_to_fit();  // held for as long as the model thinks
  http.total_timeout = config_.timeout;
  http.connect_timeout = std::min(kConnectTimeout, config_.timeout);
  http.idle_timeout = config_.idle_timeout.count() > 0 ? config_.idle_timeout
                                                       : protocol_->idle_timeout(config_.timeout);
  http.response_bytes_max = kAnswerBytesMax;
  http.on_body = [reading](std::string_view bytes) { return reading->feed(bytes); };

  Attempt out;
  std::optional<net::HttpResponse> response;
  try {
    response = co_await http_.send(std::move(http), deadline);
    if (response->ok() && !reading->fault) reading->reader->finish();
    if (reading->fault) std::rethrow_exception(reading->fault);
  } catch (const Error& error) {
    // A connection that fails behind a whole answer has cost nothing.
    if (!reading->fault && reading->reader->complete()) {
      response.emplace().status = 200;
    } else {
      if (response && error.code() == errc::protocol)
        out.error = reading->foreign(config_, *response);
      if (!out.error) out.error = explain(error, deadline);
    }
  } catch (...) {
    out.other = std::current_exception();
  }
  if (out.error || out.other) co_return out;
  if (!response->ok()) co_return judge_response(request, quirks, asked, *response);
  if (!reading->reader->complete()) {
    out.error = reading->foreign(config_, *response)
                    .value_or(Error(errc::model_unavailable,
                                    config_.provider + ": the answer ended before it was whole",
                                    Retry::after_backoff));
    co_return out;
  }
  out.answer = reading->reader->take();
  out.answer->provider = config_.provider;
  out.answer->model = request.model.empty() ? config_.model : request.model;
  co_return out;
}

// Kept for this model. Parameters are not missed; tools are, and whoever wonders why an agent only
// talks has to find this line.
void HttpModel::learn(const Quirks& learnt, const Error& refusal) {
  if (learnt.no_tools && !quirks_.no_tools) {
    log_.warning("llm_tools_left_out",
                 {{"provider", config_.provider},
                  {"model", config_.model},
                  {"error", refusal.message()},
                  {"fix", "choose a model that takes tools, or start its server with them"}});
  }
  quirks_ = learnt;
}

HttpModel::Attempt HttpModel::judge_response(const ModelRequest& request, const Quirks& quirks,
                                             std::string_view asked,
                                             const net::HttpResponse& response) const {
  Attempt out;
  if (response.status >= 300 && response.status < 400) {
    const auto words = redirect_words(asked, response.header("location").value_or(""));
    out.error = Error(errc::model_refused_request,
                      fmt::format("{}: {}{}", config_.provider, response.status, words))
                    .with_status(response.status);
    return out;
  }
  const auto vendor = parse_vendor_error(response.body);
  out.error = error_of_status(config_, response.status, vendor);
  if (teaches(response.status)) out.learnt = protocol_->learn(request, vendor, quirks);
  if (out.error->retry() == Retry::never) return out;
  if (const auto ms = response.header("retry-after-ms")) {
    if (const auto value = parse_retry_after(*ms, system_clock().wall())) {
      out.error->with_retry_after(*value / 1000);
    }
  } else if (const auto seconds = response.header("retry-after")) {
    if (const auto value = parse_retry_after(*seconds, system_clock().wall())) {
      out.error->with_retry_after(*value);
    }
  }
  return out;
}

// Transport faults in the words of this room; the caller's deadline stays a time-out.
Error HttpModel::explain(const Error& error, Deadline deadline) const {
  const auto text =
      fmt::format("{}: {}", config_.provider, without_keys(error.message(), config_.key));
  switch (error.code()) {
    case errc::timeout:
      if (deadline.passed()) return Error(errc::timeout, text);
      return Error(errc::timeout, text, Retry::after_backoff).with_detail(error.detail());
    case errc::http_unavailable:
    case errc::protocol:
      return Error(errc::model_unavailable, text, Retry::after_backoff).with_detail(error.detail());
    default:
      return error;
  }
}

void HttpModel::note(const Attempt& attempt, const ModelRequest& request) {
  const auto& model = request.model.empty() ? config_.model : request.model;
  const auto outcome = attempt.answer  ? std::string_view("success")
                       : attempt.error ? outcome_of(*attempt.error)
                                       : std::string_view("cancelled");
  metrics_.count(config_.provider, model, outcome);
}

}  // namespace botburrow::llm
