#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/doctor/look.hpp"

#include <boost/json.hpp>

#include <cstdlib>

namespace botburrow::cli::doctor {
namespace {

using namespace std::chrono_literals;

constexpr auto kAllTime = 5s;
constexpr auto kOneTime = 2000ms;

std::string reason_of(const net::HttpResponse& answer) {
  const auto document = try_parse_json(answer.body);
  return document ? string_field(*document, "reason").value_or("") : "";
}

/// Reads the few samples that checks want.
void read_metrics(const std::string& text, std::map<std::string, double>& metrics) {
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    const std::string_view line(text.data() + at, end - at);
    at = end + 1;
    const auto blank = line.rfind(' ');
    if (blank == std::string_view::npos || line.front() == '#') continue;
    const double value = std::strtod(std::string(line.substr(blank + 1)).c_str(), nullptr);
    if (line.starts_with("botburrow_coordinator_is_leader"))
      metrics["botburrow_coordinator_is_leader"] += value;
    if (!line.starts_with("botburrow_hub_requests_total{") ||
        line.find("endpoint=\"poll\"") == std::string_view::npos)
      continue;
    const bool fine = line.find("code=\"2") != std::string_view::npos ||
                      line.find("code=\"404\"") != std::string_view::npos;
    metrics[fine ? "polls_fine" : "polls_failed"] += value;
  }
}

Task<> ask(net::HttpClient& http, ServiceFacts& service) {
  const auto get = [&http](std::string url) {
    return http.send({.url = std::move(url), .total_timeout = kOneTime});
  };
  const auto about = co_await get(service.url + "/api/v1/health");
  if (const auto document = try_parse_json(about.body))
    service.name = string_field(*document, "service").value_or("");
  const auto health = co_await get(service.url + "/health");
  service.health_status = health.status;
  const auto ready = co_await get(service.url + "/ready");
  service.ready_status = ready.status;
  service.reason = reason_of(health.ok() ? ready : health);
  const auto metrics = co_await get(service.url + "/metrics");
  if (metrics.ok()) read_metrics(metrics.body, service.metrics);
}

Task<> ask_one(net::HttpClient& http, ServiceFacts& service) {
  try {
    co_await ask(http, service);
  } catch (const Error& error) {
    service.trouble = error.message();
  }
}

Task<> ask_each(net::HttpClient& http, std::vector<ServiceFacts>& services) {
  for (auto& service : services)
    co_await ask_one(http, service);
}

}  // namespace

Task<> look_at_services(const Ground& ground, const Place& place,
                        std::vector<ServiceFacts>& services) {
  for (const auto& url : place.coordinators)
    services.push_back({.kind = "coordinator", .url = url});
  for (const auto& url : place.runners)
    services.push_back({.kind = "runner", .url = url});
  net::HttpClient http(ground.executor, {.user_agent = "botburrow-doctor"});
  try {
    co_await with_deadline("the services", Deadline::in(kAllTime), ask_each(http, services));
  } catch (const Error& error) {
    for (auto& service : services)
      if (service.ready_status == 0 && service.trouble.empty()) service.trouble = error.message();
  }
}

}  // namespace botburrow::cli::doctor
