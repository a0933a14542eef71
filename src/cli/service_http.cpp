#include "base/metric_table.hpp"
#include "cli/services.hpp"
#include "net/service_routes.hpp"

namespace botburrow::cli {

ServicePlace place_of(const Settings& settings, std::string data_folder) {
  return {.hub_url = settings.text("HUB_URL"),
          .hub_key = settings.secret("HUB_API_KEY"),
          .redis_url = settings.text("REDIS_URL"),
          .host = settings.text("METRICS_HOST"),
          .port = static_cast<int>(settings.integer("METRICS_PORT")),
          .data_folder = std::move(data_folder),
          .admin_key = settings.secret("ADMIN_KEY")};
}

ServiceHttp::ServiceHttp(const Ground& ground, const ServicePlace& place, Facts facts,
                         DefinitionParts& definitions, Metrics& metrics)
    : server_(ground.executor, {.host = place.host, .port = place.port}, ground.log),
      log_(ground.log) {
  add_process_metrics(metrics);
  declare_metrics(metrics, facts.name == "botburrow-runner" ? "runner" : "coordinator");
  const auto forget = [&definitions,
                       also = std::move(facts.also_forget)](std::string agent) -> Task<> {
    definitions.catalog.invalidate(agent);
    if (also) also();
    return definitions.cache.invalidate(std::move(agent));
  };
  net::add_service_routes(server_,
                          {.name = std::move(facts.name),
                           .unhealthy = std::move(facts.unhealthy),
                           .not_ready = std::move(facts.not_ready),
                           .invalidate = forget,
                           .page = std::move(facts.page),
                           .webhook_key = ground.settings.secret("WEBHOOK_KEY")},
                          metrics);
}

void ServiceHttp::start() {
  server_.start();
  log_.info("metrics_server_started", {{"url", server_.url()}});
}

Task<> ServiceHttp::stop() {
  return server_.stop();
}

std::string ServiceHttp::url() const {
  return server_.url();
}

}  // namespace botburrow::cli
