#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/names.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace botburrow::hub {
namespace {

constexpr std::size_t kBatchMax = 1000;
constexpr std::array<std::string_view, 9> kKnownTypes = {
    "native", "claude-code", "goose", "aider", "opencode", "claude", "codex", "custom", "other"};

bool is_known_type(std::string_view type) {
  return std::find(kKnownTypes.begin(), kKnownTypes.end(), type) != kKnownTypes.end();
}

std::string_view status_of(RegisterKind kind) {
  switch (kind) {
    case RegisterKind::registered:
      return "registered";
    case RegisterKind::updated:
      return "updated";
    case RegisterKind::unchanged:
      return "unchanged";
    case RegisterKind::name_taken:
      break;
  }
  return "error";
}

std::string taken(const Registered& result) {
  return fmt::format(
      "name \"{}\" is taken by {}", result.agent.name,
      result.agent.config_source.empty() ? "another agent" : result.agent.config_source);
}

/// Counts one registering call; throws 429.
void take_hook(Api& api, Call& call) {
  Limit& limit = api.core.limits.hooks;
  const std::string who = call.principal.label();
  const Instant now = api.core.clock.now();
  const bool admitted = limit.bucket.take(who, now);
  const auto state = limit.bucket.state(who, now, api.core.clock.wall());
  if (state) call.rates.push_back(*state);
  if (admitted) return;
  api.core.metrics.rate_limited.with({limit.name}).add();
  throw ApiError(
      429, "rate_limited",
      fmt::format(
          "rate limit of registrations: {}; try again in {} s, or use /agents/register/batch",
          limit.rule_text, state->retry_after.count()))
      .retry_after(state->retry_after);
}

void check_enabled(const Api& api) {
  if (!api.core.options.registration_enabled) {
    throw forbidden("registration is disabled (BOTBURROW_ENABLE_AGENT_REGISTRATION=false)",
                    "registration_disabled");
  }
}

Task<Registered> register_one(Api& api, Registration wanted, std::string who) {
  if (!wanted.type.empty() && !is_known_type(wanted.type)) {
    api.core.log.warning("agent_type_unknown", {{"agent", wanted.name}, {"type", wanted.type}});
  }
  Registered result = co_await api.core.with_store([wanted, who](Store& store) {
    Registered done = store.register_agent(wanted);
    if (done.kind == RegisterKind::registered || done.kind == RegisterKind::updated ||
        !done.api_key.empty()) {
      store.append_audit(
          {who, "agent.register", done.agent.id, std::string(status_of(done.kind)), {}});
    }
    return done;
  });
  api.core.agents_changed();
  co_return result;
}

Task<Reply> register_agent(Api& api, Call& call) {
  check_enabled(api);
  take_hook(api, call);
  const Registration wanted = read_registration(call.body(), api.core.options);
  const Registered result = co_await register_one(api, wanted, call.principal.label());
  if (result.kind == RegisterKind::name_taken) {
    throw ApiError(409, "name_taken", taken(result))
        .extra("config_source", to_json(json::value(result.agent.config_source)));
  }
  co_return reply(201, render(result));
}

/// One line of a batch's answer.
Task<json::object> register_entry(Api& api, json::value entry, bool force, std::string who) {
  json::object line{{"name", string_field(entry, "name").value_or("")}};
  std::exception_ptr failure;
  try {
    if (!entry.is_object()) throw invalid_field("body", "agents", "each entry must be an object");
    Registration wanted = read_registration(entry.as_object(), api.core.options);
    wanted.force = wanted.force || force;
    const Registered result = co_await register_one(api, std::move(wanted), std::move(who));
    line["status"] = status_of(result.kind);
    if (!result.api_key.empty()) line["api_key"] = result.api_key;
    if (result.kind == RegisterKind::name_taken) line["error"] = taken(result);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    if (is_cancellation(failure)) std::rethrow_exception(failure);
    line["status"] = "error";
    line["error"] = describe(failure);
  }
  co_return line;
}

Task<Reply> register_batch(Api& api, Call& call) {
  check_enabled(api);
  take_hook(api, call);
  BodyFields fields(call.body());
  const bool force = fields.boolean("force").value_or(false);
  const json::value* agents = call.body().if_contains("agents");
  if (agents == nullptr || !agents->is_array()) {
    fields.fault("agents", "a list of objects is expected");
  } else if (agents->as_array().size() > kBatchMax) {
    fields.fault("agents", fmt::format("at most {} entries allowed", kBatchMax));
  }
  fields.check();
  json::array results;
  for (const json::value& entry : agents->as_array()) {
    json::object line = co_await register_entry(api, entry, force, call.principal.label());
    results.push_back(std::move(line));
  }
  co_return reply(200, {{"results", std::move(results)}});
}

}  // namespace

Registration read_registration(const json::object& body, const HubOptions& options) {
  BodyFields fields(body);
  Registration wanted;
  wanted.name = fields.required_text("name", {0, 200});
  if (fields.has("name") && body.at("name").is_string()) {
    if (!is_agent_slug(wanted.name)) {
      fields.fault(
          "name",
          fmt::format("\"{}\" is no agent name: 3 to 50 of a-z, 0-9 and -, no - at the ends",
                      utf8_prefix(wanted.name, 60)));
    } else if (is_reserved_agent_name(wanted.name)) {
      fields.fault("name", fmt::format("\"{}\" is reserved; choose another name", wanted.name));
    }
  }
  wanted.display_name = fields.text("display_name", {0, 100}).value_or("");
  wanted.description = fields.text("description", {0, 5000}).value_or("");
  wanted.type = fields.text("type", {0, 30}).value_or("");
  if (wanted.type == "human" || wanted.type == "service" || wanted.type == "system") {
    fields.fault("type", fmt::format("\"{}\" cannot be registered; use POST /keys", wanted.type));
  }
  wanted.avatar_url = fields.text("avatar_url", {0, 2000}).value_or("");
  wanted.config_source = fields.text("config_source", {0, 500}).value_or("");
  wanted.config_path = fields.text("config_path", {0, 300}).value_or("");
  wanted.config_branch = fields.text("config_branch", {0, 200}).value_or("");
  if (wanted.config_branch.empty()) wanted.config_branch = options.default_config_branch;
  wanted.config_hash = fields.text("config_hash", {0, 128}).value_or("");
  wanted.limits_json = fields.object_text("limits", 4096).value_or("");
  wanted.rotate_key = fields.boolean("rotate_key").value_or(false);
  wanted.api_key_expires_at = fields.time("api_key_expires_at");
  fields.check();
  return wanted;
}

void add_registration_routes(Api& api) {
  for (const char* path : {"/agents/register", "/admin/agents"}) {
    api.route("POST", path, Access::admin,
              [&api](Call& call) { return register_agent(api, call); });
  }
  api.route("POST", "/agents/register/batch", Access::admin,
            [&api](Call& call) { return register_batch(api, call); });
}

}  // namespace botburrow::hub
