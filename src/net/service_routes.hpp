#pragma once

#include "base/metrics.hpp"
#include "base/secret.hpp"
#include "net/http_server.hpp"

#include <functional>
#include <optional>
#include <string>

namespace botburrow::net {

/// What the small HTTP side of a service answers with.
struct ServiceFacts {
  std::string name;  ///< e.g. botburrow-runner
  /// Why the service is stuck, or nothing: /health.
  std::function<std::optional<std::string>()> unhealthy;
  /// One word on why it cannot work now ("redis", "draining"), or nothing: /ready.
  std::function<std::optional<std::string>()> not_ready;
  /// Forgets cached definitions: one agent's, or all (empty). Unset: no such route.
  std::function<Task<>(std::string agent)> invalidate;
  /// What / answers to a browser. Unset: the same as to programs.
  std::function<ServerResponse()> page = {};
  Secret webhook_key;  ///< bearer for invalidate; empty: loopback peers only
};

/// Adds /, /health, /api/v1/health, /ready, /metrics, and POST /api/v1/cache/invalidate (alias
/// /invalidate). `metrics` outlives the server.
void add_service_routes(HttpServer& server, ServiceFacts facts, Metrics& metrics);

/// botburrow_http_connections, _max and _turned_away_total of this server.
void add_connection_metrics(const HttpServer& server, Metrics& metrics);

}  // namespace botburrow::net
