#include "net/service_routes.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/metric_table.hpp"
#include "base/version.hpp"
#include "net/page_origin.hpp"

#include <boost/json.hpp>

#include <memory>

namespace botburrow::net {
namespace {

ServerResponse json_answer(int status, const json::value& body) {
  return ServerResponse::json(status, to_json(body));
}

ServerResponse health(const ServiceFacts& facts) {
  if (const auto reason = facts.unhealthy())
    return json_answer(503, {{"status", "unhealthy"}, {"reason", *reason}});
  return json_answer(200, {{"status", "healthy"}});
}

ServerResponse ready(const ServiceFacts& facts) {
  if (const auto reason = facts.not_ready())
    return json_answer(503, {{"status", "not_ready"}, {"reason", *reason}});
  return json_answer(200, {{"status", "ready"}});
}

ServerResponse about(const ServiceFacts& facts) {
  return json_answer(200, {{"service", facts.name},
                           {"version", std::string(version())},
                           {"commit", std::string(commit())},
                           {"status", facts.unhealthy() ? "unhealthy" : "healthy"}});
}

bool wants_html(const ServerRequest& request) {
  return request.header("accept").value_or("").find("text/html") != std::string::npos;
}

bool may_invalidate(const ServiceFacts& facts, const ServerRequest& request) {
  if (facts.webhook_key.empty())
    return is_from_this_machine(request) && !is_from_foreign_page(request);
  return equal_in_constant_time(request.header("authorization").value_or(""),
                                "Bearer " + facts.webhook_key.reveal());
}

Task<ServerResponse> invalidate(std::shared_ptr<const ServiceFacts> facts, ServerRequest request) {
  if (!may_invalidate(*facts, request)) {
    co_return json_answer(401, {{"detail", "send Authorization: Bearer WEBHOOK_KEY"},
                                {"error", "unauthorized"},
                                {"code", "unauthorized"}});
  }
  const auto agent = request.query_value("agent").value_or("");
  co_await facts->invalidate(agent);
  co_return json_answer(200, {{"status", "ok"}, {"invalidated", agent.empty() ? "all" : agent}});
}

}  // namespace

void add_connection_metrics(const HttpServer& server, Metrics& metrics) {
  auto& open = series_of(metrics, "botburrow_http_connections").with({});
  auto& most = series_of(metrics, "botburrow_http_connections_max").with({});
  auto& turned_away = series_of(metrics, "botburrow_http_connections_turned_away_total").with({});
  metrics.on_collect([load = server.watch_load(), &open, &most, &turned_away] {
    const auto now = load();
    open.set(static_cast<double>(now.connections));
    most.set(static_cast<double>(now.connections_max));
    turned_away.set(static_cast<double>(now.turned_away));
  });
}

void add_service_routes(HttpServer& server, ServiceFacts given, Metrics& metrics) {
  add_connection_metrics(server, metrics);
  const auto facts = std::make_shared<const ServiceFacts>(std::move(given));
  const auto get = [&](std::string path, ServerResponse (*answer)(const ServiceFacts&)) {
    server.route("GET", std::move(path), [facts, answer](ServerRequest) -> Task<ServerResponse> {
      co_return answer(*facts);
    });
  };
  server.route("GET", "/", [facts](ServerRequest request) -> Task<ServerResponse> {
    co_return facts->page&& wants_html(request) ? facts->page() : about(*facts);
  });
  get("/api/v1/health", about);
  get("/health", health);
  get("/ready", ready);
  server.route("GET", "/metrics", [&metrics](ServerRequest) -> Task<ServerResponse> {
    co_return ServerResponse::text(200, metrics.expose(),
                                   "text/plain; version=0.0.4; charset=utf-8");
  });
  if (!facts->invalidate) return;
  for (const auto* path : {"/api/v1/cache/invalidate", "/invalidate"}) {
    server.route("POST", path,
                 [facts](ServerRequest request) { return invalidate(facts, std::move(request)); });
  }
}

}  // namespace botburrow::net
