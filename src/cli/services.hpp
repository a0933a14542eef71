#pragma once

#include "cli/parts.hpp"
#include "cli/service.hpp"
#include "coordinator/coordinator.hpp"
#include "hub/server.hpp"
#include "net/http_server.hpp"
#include "runner/runner.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

// Whole services, put together from their parts; used alone by their commands and together by `up`.
namespace botburrow::cli {

/// Where a service finds the others, and where it listens.
struct ServicePlace {
  std::string hub_url;
  Secret hub_key;
  std::string redis_url;
  std::string host = "127.0.0.1";
  int port = 0;
  std::string data_folder;
  Secret admin_key = {};  ///< opens the console's acts; empty: nobody may act
};
/// By HUB_URL, HUB_API_KEY, REDIS_URL, METRICS_HOST and METRICS_PORT.
ServicePlace place_of(const Settings& settings, std::string data_folder = "");

/// The HTTP side that coordinator and runner have alike: health, readiness, metrics, and the order
/// to forget cached definitions.
class ServiceHttp {
 public:
  struct Facts {
    std::string name;  ///< e.g. botburrow-runner
    std::function<std::optional<std::string>()> unhealthy, not_ready;
    std::function<void()> also_forget = {};          ///< what else stands on definitions
    std::function<net::ServerResponse()> page = {};  ///< what / answers to a browser
  };
  /// `definitions` and `metrics` outlive it.
  ServiceHttp(const Ground& ground, const ServicePlace& place, Facts facts,
              DefinitionParts& definitions, Metrics& metrics);
  /// Binds: throws Error{port_in_use}.
  void start();
  Task<> stop();
  std::string url() const;
  /// For further routes, before start().
  net::HttpServer& server() { return server_; }

 private:
  net::HttpServer server_;
  Log log_;
};

class CoordinatorService {
 public:
  CoordinatorService(const Ground& ground, const ServicePlace& place);
  ~CoordinatorService();
  /// Binds first, so that a port in use ends it before anything else happens.
  void start();
  Task<> stop();
  /// One look at the Hub, then done. Waits three leader leases for leadership, then throws
  /// Error{timeout}.
  Task<coordinator::PollCounts> once();
  bool healthy() const;  ///< its loops turn
  bool ready() const;    ///< Redis answers and somebody leads and work may be claimed
  Task<bool> claims_allowed();
  std::string url() const;
  bool is_leader() const;
  /// A read of the definitions hangs; see leave_process().
  bool stuck() const;

 private:
  Task<coordinator::PollCounts> look_once();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class RunnerService {
 public:
  RunnerService(const Ground& ground, const ServicePlace& place);
  ~RunnerService();
  void start();
  /// Lets running activations finish within `grace`, then gives them back.
  Task<> drain(std::chrono::nanoseconds grace);
  void hurry();
  bool healthy() const;  ///< its loops turn
  bool ready() const;
  std::string url() const;
  DefinitionParts& definitions();
  /// The operator's word on grants.
  const definitions::GrantPolicy& policy() const;
  /// Agents that are programs of this machine.
  agent::OutsideAgents& outside();
  /// What keeps programs in on this machine; null until the probe has ended.
  const sandbox::TierReport* sandbox() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Options of the Hub by the settings. Throws Error{bad_settings}, one line for each fault.
hub::HubOptions hub_options(const Settings& settings, const std::string& data_folder);

/// One activation of one agent's inbox, outside a runner: takes the agent's work through the queue
/// like any runner would, so that every guarantee holds. Answers what came of it.
struct OneActivation {
  agent::Ending ending;
  agent::Tally tally;
};
/// A request to stop gives the item back; the ending says so.
Task<OneActivation> run_one_activation(Ground ground, ServicePlace place, std::string agent,
                                       StopRequest& stop);

}  // namespace botburrow::cli
