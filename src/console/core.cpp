#include "console/core.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metric_table.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <charconv>

namespace botburrow::console {
namespace {

constexpr std::size_t kActBytesMax = 8u << 10;
constexpr std::int64_t kOffsetMax = 1'000'000;
constexpr std::int64_t kLimitMax = 200;
constexpr std::int64_t kLimit = 50;

using net::HttpServer;
using net::ServerRequest;
using net::ServerResponse;

Task<ServerResponse> handled(Core& core, ServerRequest request, Routes::Handler handler) {
  auto response = answer(200, co_await handler(core, request));
  const auto* scrubber = core.parts.scrubber;
  if (scrubber) response.body = scrubber->scrub(std::move(response.body));
  co_return response;
}

Task<ServerResponse> refused(Refusal refusal) {
  co_return answer(refusal);
}

using Rule = std::optional<Refusal> (*)(const ServerRequest&, const Access&, const Secret&);

/// Somebody who guesses keys is counted, and seen in the log; the key itself is not.
std::optional<Refusal> checked(Core& core, const ServerRequest& request, Rule rule) {
  const auto access = access_to(core, request);
  auto refusal = rule(request, access, core.options.admin_key);
  if (!refusal || access.key != Access::Key::wrong) return refusal;
  core.metrics.wrong_keys.add();
  if (core.wrong_key.allow(core.parts.clock.now()))
    core.log.warning("console_key_refused",
                     {{"peer", request.peer_address},
                      {"route", request.route},
                      {"msg", "botburrow_console_keys_refused_total counts them"}});
  return refusal;
}

}  // namespace

ConsoleMetrics::ConsoleMetrics(Metrics& m)
    : streams(series_of(m, "botburrow_console_streams").with({})),
      dropped(series_of(m, "botburrow_console_streams_dropped_total").with({})),
      refused(series_of(m, "botburrow_console_streams_refused_total").with({})),
      wrong_keys(series_of(m, "botburrow_console_keys_refused_total").with({})),
      acts(series_of(m, "botburrow_console_acts_total")) {}

Core::Core(boost::asio::any_io_executor executor, ConsoleOptions wanted, ConsoleParts given,
           Log where, Metrics& registry)
    : options(std::move(wanted)),
      parts(std::move(given)),
      log(std::move(where)),
      metrics(registry),
      view(parts.redis, log),
      pages(parts.redis),
      heartbeats(parts.redis),
      journal(parts.redis),
      state(parts.redis, log),
      queue(parts.redis, parts.redis, parts.clock, log, nullptr, {}),
      definitions(parts.redis, log),
      runs(pages),
      roster(view, pages, parts.catalog, parts.clock),
      board(executor, options.instance_id,
            {.redis = parts.redis,
             .view = view,
             .pages = pages,
             .heartbeats = heartbeats,
             .runs = runs,
             .clock = parts.clock,
             .is_leader = parts.is_leader,
             .hub_seen = parts.hub_seen,
             .scrubber = parts.scrubber},
            log) {}

Turn::Turn(std::size_t& under_way, std::size_t most) : under_way_(under_way) {
  if (under_way_ >= most) {
    throw Error(errc::limit, "others ask for the same just now; try again in a second",
                Retry::after_backoff);
  }
  ++under_way_;
}

Access access_to(const Core& core, const ServerRequest& request) {
  return access_of(request, core.options.admin_key,
                   core.options.loopback_trusted ? Loopback::trusted : Loopback::like_others);
}

Board::Sight sight_of(const Core& core, const ServerRequest& request) {
  return access_to(core, request).may_read_transcripts() ? Board::Sight::whole : Board::Sight::open;
}

std::optional<Refusal> may_look(Core& core, const ServerRequest& request) {
  return checked(core, request, refuse_look);
}

void harden(ServerResponse& response) {
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

ServerResponse answer(int status, const boost::json::object& body) {
  auto response = ServerResponse::json(status, to_json(body));
  response.headers.emplace_back("Cache-Control", "no-store");
  harden(response);
  return response;
}

ServerResponse answer(const Refusal& refusal) {
  auto response = answer(
      refusal.status, {{"detail", refusal.text}, {"error", refusal.text}, {"code", refusal.code}});
  if (refusal.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (refusal.status == 503) response.headers.emplace_back("Retry-After", "2");
  return response;
}

void Routes::look(std::string path, Handler handler) {
  whole(std::move(path), [&core = core_, handler](ServerRequest request) -> Task<ServerResponse> {
    if (auto refusal = may_look(core, request)) return refused(std::move(*refusal));
    return handled(core, std::move(request), handler);
  });
}

void Routes::read_private(std::string path, Handler handler) {
  whole(std::move(path), [&core = core_, handler](ServerRequest request) -> Task<ServerResponse> {
    if (auto refusal = checked(core, request, refuse_transcript))
      return refused(std::move(*refusal));
    return handled(core, std::move(request), handler);
  });
}

void Routes::act(std::string path, Handler handler) {
  for (const char* prefix : kApiPrefixes) {
    server_.route("POST", prefix + ("/act" + path), kActBytesMax,
                  [&core = core_, handler](ServerRequest request) -> Task<ServerResponse> {
                    if (auto refusal = checked(core, request, refuse_act))
                      return refused(std::move(*refusal));
                    return handled(core, std::move(request), handler);
                  });
  }
}

void Routes::whole(std::string path, HttpServer::Handler handler) {
  for (const char* prefix : kApiPrefixes)
    server_.route("GET", prefix + path, handler);
}

void Routes::stream(std::string path, HttpServer::StreamHandler handler) {
  for (const char* prefix : kApiPrefixes)
    server_.stream("GET", prefix + path, "text/event-stream", handler);
}

std::int64_t number_of_query(const ServerRequest& request, std::string_view name,
                             std::int64_t otherwise, std::int64_t min, std::int64_t max) {
  const auto text = request.query_value(name);
  if (!text) return otherwise;
  std::int64_t number = 0;
  const auto* end = text->data() + text->size();
  const auto [at, fault] = std::from_chars(text->data(), end, number);
  if (fault != std::errc() || at != end || number < min || number > max) {
    throw Error(errc::invalid_argument,
                fmt::format("{}=\"{}\": expected a whole number {}..{}", name,
                            valid_utf8(utf8_prefix(*text, 40)), min, max));
  }
  return number;
}

queue::PageAsk page_of(const ServerRequest& request) {
  return {
      .offset = static_cast<std::size_t>(number_of_query(request, "offset", 0, 0, kOffsetMax)),
      .limit = static_cast<std::size_t>(number_of_query(request, "limit", kLimit, 1, kLimitMax))};
}

}  // namespace botburrow::console
