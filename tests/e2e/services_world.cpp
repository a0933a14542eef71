#include "services_world.hpp"

#include <array>
#include <stdexcept>

namespace botburrow::e2e {

ServicesWorld::ServicesWorld()
    : redis_({.appendonly = true, .tcp = true, .password = "redis-canary-0123456789", .extra = {}}),
      admin_key_(secret("botburrow_admin_canary_0123456789abcdef")) {
  secret("redis-canary-0123456789");
  set("REDIS_URL", redis_.tcp_url());
  set("METRICS_PORT", "0");
  set("AGENT_DEFINITIONS_PATH", definitions());
}

void ServicesWorld::launch_hub(const std::string& port) {
  hub_ = &start({"hub", "--hub-port", port, "--data", data()}, {{"HUB_ADMIN_KEY", admin_key_}});
  hub_url_ = text_of(await_event(*hub_, "hub_started"), "url");
  eventually("the Hub is ready", [&] { return get(hub_url_ + "/ready").status == 200; });
}

void ServicesWorld::start_hub() {
  launch_hub("0");
  set("HUB_URL", hub_url_);
  set("HUB_API_KEY", key_for("runners", "service"));
  owner_key_ = key_for("owner", "human");
}

void ServicesWorld::kill_hub() {
  hub_->kill9();
}
void ServicesWorld::restart_hub() {
  launch_hub(hub_url_.substr(hub_url_.rfind(':') + 1));
}

net::HttpResponse ServicesWorld::admin(const std::string& method, const std::string& path,
                                       const json::value& body) {
  net::HttpRequest request{.method = method, .url = hub_url_ + "/api/v1" + path};
  request.headers = {{"Content-Type", "application/json"}, {"X-Admin-Key", admin_key_}};
  request.body = to_json(body);
  return http(std::move(request));
}

std::string ServicesWorld::key_for(const std::string& name, const std::string& type) {
  const auto answer = admin("POST", "/keys", {{"name", name}, {"agent_type", type}});
  if (answer.status != 201) throw std::runtime_error("POST /keys: " + answer.body);
  return secret(text_of(parse_json(answer.body, "POST /keys"), "api_key"));
}

void ServicesWorld::register_agent(const std::string& name) {
  const auto answer = admin("POST", "/agents/register", {{"name", name}, {"type", "native"}});
  if (answer.status != 201) throw std::runtime_error("POST /agents/register: " + answer.body);
  secret(text_of(parse_json(answer.body, "register"), "api_key"));
}

std::string ServicesWorld::post_as_owner(const std::string& text) {
  return text_of(ask({"hub", "post", text, "--json"}, {{"HUB_API_KEY", owner_key_}}), "id");
}

json::value ServicesWorld::look_at(const std::string& id) {
  return ask({"hub", "thread", id, "--json"}, {{"HUB_API_KEY", owner_key_}});
}

bool ServicesWorld::at_rest() {
  const std::array<Words, 5> counts = {{{"LLEN", "work:queue:high"},
                                        {"LLEN", "work:queue:normal"},
                                        {"HLEN", "work:active"},
                                        {"ZCARD", "work:deferred"},
                                        {"HLEN", "work:dirty"}}};
  for (const auto& words : counts) {
    if (cli_line(words) != "0") return false;
  }
  return true;
}

std::string ServicesWorld::url_of(Program& service) {
  return text_of(await_event(service, "metrics_server_started"), "url");
}

}  // namespace botburrow::e2e
