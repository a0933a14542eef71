#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/names.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

json::value time_or_null(const std::optional<WallTime>& time) {
  return time ? json::value(to_rfc3339(*time)) : json::value(nullptr);
}

Task<Reply> create_key(Api& api, Call& call) {
  BodyFields fields(call.body());
  NewKey wanted;
  wanted.name = fields.required_text("name", {0, 200});
  wanted.type = fields.text(fields.has("agent_type") ? "agent_type" : "type", {1, 30}).value_or("");
  wanted.act_as = fields.boolean("act_as").value_or(wanted.type == "service");
  wanted.display_name = fields.text("display_name", {0, 100}).value_or("");
  wanted.expires_at = fields.time("expires_at");
  const auto grace = fields.integer("grace_period_hours", 0, 168).value_or(0);
  wanted.grace = std::chrono::hours(grace);
  if (fields.has("name") && !is_agent_slug(wanted.name)) {
    fields.fault("name", "3 to 50 of a-z, 0-9 and -, no - at the ends");
  } else if (is_reserved_agent_name(wanted.name)) {
    fields.fault("name", fmt::format("\"{}\" is reserved", wanted.name));
  }
  if (wanted.type == "system") fields.fault("agent_type", "\"system\" has no keys");
  fields.check();
  const std::string who = call.principal.label();
  const auto issued = co_await api.core.with_store([wanted, who](Store& store) -> IssuedKey {
    if (const auto known = store.find_agent(wanted.name);
        known && !wanted.type.empty() && known->type != wanted.type) {
      throw ApiError(409, "name_taken",
                     fmt::format("\"{}\" exists with type {}", known->name, known->type));
    }
    IssuedKey key = store.create_key(wanted);
    store.append_audit({who, "key.create", key.agent.id, key.agent.type, {}});
    return key;
  });
  api.core.agents_changed();
  co_return reply(201, {{"api_key", issued.api_key}, {"agent_id", issued.agent.id}});
}

Task<Reply> list_keys(Api& api, Call&) {
  const auto keys = co_await api.core.with_store([](Store& store) { return store.list_keys(); });
  json::array list;
  for (const KeyInfo& key : keys) {
    list.push_back(json::object{{"agent_id", key.agent_id},
                                {"name", key.name},
                                {"type", key.type},
                                {"created_at", to_rfc3339(key.created_at)},
                                {"expires_at", time_or_null(key.expires_at)},
                                {"last_used_at", time_or_null(key.last_used_at)}});
  }
  co_return reply(200, {{"keys", std::move(list)}});
}

Task<Reply> revoke_keys(Api& api, Call& call) {
  const std::string name = call.param("name");
  const std::string who = call.principal.label();
  const bool found = co_await api.core.with_store([name, who](Store& store) {
    const bool revoked = store.revoke_keys(name);
    if (revoked) store.append_audit({who, "key.revoke", name, "", {}});
    return revoked;
  });
  api.core.agents_changed();
  if (!found) throw not_found("agent", name);
  co_return no_content();
}

Task<RotatedKey> rotate(Api& api, RotateKey wanted, std::string who) {
  const auto rotated = co_await api.core.with_store([wanted, who](Store& store) {
    auto done = store.rotate_key(wanted);
    if (done && !done->conflict) store.append_audit({who, "key.rotate", wanted.agent_id, "", {}});
    return done;
  });
  api.core.agents_changed();
  if (!rotated) throw not_found("agent", wanted.agent_id);
  if (rotated->conflict)
    throw ApiError(409, "key_changed", "the key was changed meanwhile; use the new one");
  co_return *rotated;
}

std::chrono::seconds read_grace(BodyFields& fields) {
  return std::chrono::hours(fields.integer("grace_period_hours", 0, 168).value_or(24));
}

Task<Reply> regenerate(Api& api, Call& call) {
  if (!call.principal.agent) throw not_found("agent", call.principal.label());
  BodyFields fields(call.body());
  RotateKey wanted;
  wanted.agent_id = call.principal.agent->id;
  wanted.grace = read_grace(fields);
  wanted.new_expires_at = fields.time("new_expires_at");
  wanted.expected_hash = call.principal.key_hash;
  fields.check();
  const RotatedKey key = co_await rotate(api, wanted, call.principal.label());
  co_return reply(200, {{"api_key", key.api_key},
                        {"api_key_expires_at", time_or_null(key.api_key_expires_at)},
                        {"old_key_expires_at", to_rfc3339(key.old_key_expires_at)},
                        {"message", "Keep this key now; it is not shown again."}});
}

Task<Reply> admin_rotate(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  BodyFields fields(call.body());
  RotateKey wanted;
  wanted.agent_id = agent.id;
  wanted.grace = read_grace(fields);
  fields.check();
  const RotatedKey key = co_await rotate(api, wanted, call.principal.label());
  co_return reply(200, {{"new_api_key", key.api_key},
                        {"grace_period_ends", to_rfc3339(key.old_key_expires_at)},
                        {"rotation_id", key.rotation_id}});
}

}  // namespace

void add_key_routes(Api& api) {
  api.route("POST", "/keys", Access::owner, [&api](Call& call) { return create_key(api, call); });
  api.route("GET", "/keys", Access::owner, [&api](Call& call) { return list_keys(api, call); });
  api.route("DELETE", "/keys/:name", Access::owner,
            [&api](Call& call) { return revoke_keys(api, call); });
  api.route("POST", "/agents/me/regenerate-key", Access::any_key,
            [&api](Call& call) { return regenerate(api, call); });
  api.route("POST", "/admin/agents/:name/rotate", Access::admin,
            [&api](Call& call) { return admin_rotate(api, call); });
}

}  // namespace botburrow::hub
