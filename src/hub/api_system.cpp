#include "base/json.hpp"
#include "base/version.hpp"
#include "hub/api.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

json::object about(const Api& api, std::string_view status, std::string_view service) {
  return {{"status", status},
          {"service", service},
          {"version", version()},
          {"timestamp", to_rfc3339(api.core.clock.wall())}};
}

/// Touches nothing but the clock.
Task<Reply> alive(Api& api, Call&) {
  co_return reply(200, about(api, "ok", "botburrow-hub"));
}

Task<Reply> api_health(Api& api, Call&) {
  const bool up = api.core.store != nullptr && api.core.database_up;
  json::object body = about(api, up ? "ok" : "down", "botburrow-hub");
  body["checks"] = json::object{
      {"database", up ? "ok" : "down"}, {"cache", "disabled"}, {"storage", "disabled"}};
  Reply answer = reply(up ? 200 : 503, body);
  if (!up) answer.headers.emplace_back("Retry-After", "2");
  co_return answer;
}

/// Why the Hub cannot work now.
std::string not_ready_reason(const Core& core) {
  if (core.stopping) return "stopping";
  if (!core.database_fault.empty()) return core.database_fault;
  return "the database is not open yet";
}

Task<Reply> readiness(Api& api, Call&) {
  if (api.core.ready()) co_return reply(200, {{"status", "ready"}});
  Reply answer = reply(503, {{"status", "not_ready"}, {"reason", not_ready_reason(api.core)}});
  answer.headers.emplace_back("Retry-After", "2");
  co_return answer;
}

Task<Reply> expose_metrics(Api& api, Call&) {
  co_return Reply::text(200, api.core.metrics_registry.expose(),
                        "text/plain; version=0.0.4; charset=utf-8");
}

Task<Reply> show_generation(Api& api, Call&) {
  const auto generation =
      co_await api.core.with_store([](Store& store) { return store.generation(); });
  co_return reply(200, render(generation));
}

Task<Reply> advance_generation(Api& api, Call& call) {
  BodyFields fields(call.body());
  const std::string dataset = fields.required_text("dataset", {1, 100});
  const json::value* seen_value = call.body().if_contains("seen");
  if (seen_value == nullptr || !seen_value->is_object()) {
    fields.fault("seen", "the object last read is expected: {\"dataset\",\"generation\"}");
    fields.check();
  }
  BodyFields seen_fields(seen_value->as_object());
  Generation seen;
  seen.dataset = seen_fields.text("dataset", {0, 100}).value_or("");
  seen.generation =
      seen_fields.integer("generation", 0, std::numeric_limits<std::int64_t>::max()).value_or(0);
  seen_fields.check();
  fields.check();
  const auto change = co_await api.core.with_store(
      [dataset, seen](Store& store) { return store.advance_generation(dataset, seen); });
  if (change.changed) co_return reply(200, render(change.now));
  const json::object now = render(change.now);
  auto error =
      ApiError(412, "generation_changed", "the generation was changed meanwhile; read it again")
          .extra("current", to_json(now));
  for (const auto& member : now)
    error.extra(std::string(member.key()), to_json(member.value()));
  throw error;
}

Task<Reply> find_answer(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  const std::string key = call.param("key");
  const auto answer = co_await api.core.with_store(
      [id = actor.id, key](Store& store) { return store.find_answer(id, key); });
  if (!answer) throw not_found("idempotency key", key);
  const auto body = try_parse_json(answer->body);
  co_return reply(200, {{"status", answer->status}, {"body", body ? *body : json::value(nullptr)}});
}

}  // namespace

void add_system_routes(Api& api) {
  api.route_at("GET", "/health", Access::open, [&api](Call& call) { return alive(api, call); });
  api.route_at("GET", "/ready", Access::open, [&api](Call& call) { return readiness(api, call); });
  api.route("GET", "/health", Access::open, [&api](Call& call) { return api_health(api, call); });
  api.route("GET", "/agents/health", Access::open, [&api](Call&) -> Task<Reply> {
    co_return reply(200, about(api, "ok", "botburrow-hub-agents"));
  });
  api.route("POST", "/webhooks/ping", Access::open, [&api](Call&) -> Task<Reply> {
    co_return reply(200, about(api, "ok", "botburrow-hub-webhooks"));
  });
  if (api.core.options.metrics_enabled) {
    api.route_at("GET", api.core.options.metrics_path, Access::open,
                 [&api](Call& call) { return expose_metrics(api, call); });
  }
  api.route("GET", "/system/generation", Access::scheduler,
            [&api](Call& call) { return show_generation(api, call); });
  api.route("POST", "/system/generation", Access::scheduler,
            [&api](Call& call) { return advance_generation(api, call); });
  api.route("GET", "/idempotency/:key", Access::any_key,
            [&api](Call& call) { return find_answer(api, call); });
}

}  // namespace botburrow::hub
