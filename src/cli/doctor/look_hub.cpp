#include "base/deadline.hpp"
#include "base/error.hpp"
#include "cli/doctor/look.hpp"
#include "net/resolve.hpp"

#include <fmt/format.h>

#include <ctime>

namespace botburrow::cli::doctor {
namespace {

using namespace std::chrono_literals;

constexpr auto kNameTime = 3s;
constexpr auto kAllTime = 8s;
constexpr int kTries = 3;
/// One call an agent: many at once, or a system of hundreds is never looked through.
constexpr auto kAgentsTime = 4s;
constexpr std::size_t kAskedAtOnce = 16;

double milliseconds_since(Instant begin) {
  return std::chrono::duration<double, std::milli>(BootClock::now() - begin).count();
}

/// Of an HTTP date, Unix seconds.
std::optional<double> parse_http_date(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr) return std::nullopt;
  return static_cast<double>(::timegm(&parts));
}

Task<> ask_health(const Ground& ground, net::HttpClient& http, const Place& place, HubFacts& hub) {
  for (int i = 0; i < kTries; ++i) {
    const auto begin = BootClock::now();
    const auto answer = co_await http.send({.url = place.hub_url + "/api/v1/health",
                                            .total_timeout = 3000ms,
                                            .connect_timeout = 3000ms});
    hub.round_trips_ms.push_back(milliseconds_since(begin));
    hub.health_status = answer.status;
    if (const auto date = answer.header("date"))
      if (const auto at = parse_http_date(*date))
        hub.clock_ahead_seconds = *at + 0.5 - to_unix(ground.clock.wall());  // whole seconds
  }
}

/// Asks with a method that polls do not have: 405 where the endpoint is, 404 where it is not. A
/// real poll would take work that it does not do.
Task<> ask_for_poll(net::HttpClient& http, const Place& place, HubFacts& hub) {
  try {
    net::HttpRequest request{.method = "DELETE",
                             .url = place.hub_url + "/api/v1/notifications/poll",
                             .total_timeout = 3000ms};
    if (!place.hub_key.empty())
      request.headers.emplace_back("Authorization", "Bearer " + place.hub_key.reveal());
    hub.poll_status = (co_await http.send(std::move(request))).status;
  } catch (const Error& error) {
    hub.poll_trouble = error.message();
  }
}

Task<> ask_lists(const Ground& ground, hubapi::HubClient& client, HubFacts& hub) {
  try {
    const auto deadline = Deadline::in(4s);
    hub.waiting_agents = (co_await client.with_notifications(deadline)).size();
    const auto stale =
        co_await client.stale(ground.settings.seconds("MIN_ACTIVATION_INTERVAL"), deadline);
    hub.stale_agents = stale.size();
  } catch (const Error& error) {
    hub.lists_trouble = error.message();
  }
}

Task<> ask(const Ground& ground, const Place& place, HubFacts& hub) {
  Metrics metrics;
  net::HttpClient http(ground.executor, {.user_agent = "botburrow-doctor"});
  hubapi::HubClient client(http,
                           {.url = place.hub_url, .service_key = place.hub_key, .agent_keys = {}},
                           ground.random, ground.log, metrics);
  try {
    co_await ask_health(ground, http, place, hub);
  } catch (const Error& error) {
    hub.reach_trouble = error.message();
    co_return;
  }
  hub.key = co_await client.check_key(Deadline::in(3s));
  if (hub.key.standing != hubapi::KeyStanding::accepted) co_return;
  co_await ask_for_poll(http, place, hub);
  co_await ask_lists(ground, client, hub);
}

}  // namespace

Task<> look_at_hub(const Ground& ground, const Place& place, HubFacts& hub) {
  hub.url = place.hub_url;
  hub.has_key = !place.hub_key.empty();
  try {
    const auto parts = net::parse_url(place.hub_url);
    const auto port = parts.port.empty() ? 80 : std::stoi(parts.port);
    // A proxy resolves names by itself.
    if (!ground.environment.variable("HTTP_PROXY") && !ground.environment.variable("HTTPS_PROXY") &&
        !ground.environment.variable("http_proxy") && !ground.environment.variable("https_proxy"))
      co_await with_deadline(fmt::format("{} could not be resolved", parts.host),
                             Deadline::in(kNameTime), net::resolve_tcp(parts.host, port));
  } catch (const Error& error) {
    hub.name_trouble = error.message();
    co_return;
  }
  try {
    co_await with_deadline("the Hub", Deadline::in(kAllTime), ask(ground, place, hub));
  } catch (const Error& error) {
    if (hub.health_status == 0) hub.reach_trouble = error.message();
  }
}

namespace {

Task<> ask_about(const Ground& ground, const Place& place, DefinitionFacts& definitions) {
  Metrics metrics;
  net::HttpClient http(ground.executor, {.user_agent = "botburrow-doctor"});
  hubapi::HubClient client(http,
                           {.url = place.hub_url, .service_key = place.hub_key, .agent_keys = {}},
                           ground.random, ground.log, metrics);
  // What was not answered in time stays unknown of those agents alone.
  std::size_t next = 0;
  std::string trouble;
  const auto ask_on = [&]() -> Task<> {
    const auto deadline = Deadline::in(kAgentsTime);
    while (next < definitions.agents.size() && trouble.empty()) {
      auto& agent = definitions.agents[next++];
      try {
        const auto info = co_await client.agent(agent.name, deadline);
        agent.known_to_hub = info.has_value();
        if (info) agent.hub_status = info->status;
      } catch (const Error& error) {
        trouble = error.message();
      }
    }
  };
  TaskGroup asking(ground.executor);
  for (std::size_t i = 0; i < kAskedAtOnce; ++i)
    asking.spawn("agents", ask_on);
  co_await asking.join();
  definitions.registry_trouble = trouble;
}

}  // namespace

Task<> look_up_agents(const Ground& ground, const Place& place, DefinitionFacts& definitions) {
  try {
    co_await with_deadline("asking the Hub about the agents", Deadline::in(kAgentsTime + 1s),
                           ask_about(ground, place, definitions));
  } catch (const Error& error) {
    definitions.registry_trouble = error.message();
  }
}

}  // namespace botburrow::cli::doctor
