#pragma once

#include "cli/data_folder.hpp"
#include "cli/locate.hpp"
#include "cli/redis_process.hpp"
#include "cli/services.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::cli {

struct SystemOptions {
  std::string data_folder;
  int hub_port = 8000;
  int coordinator_port = 9090;
  int runner_port = 9091;
  bool data_stays = true;  ///< false: the folder is removed at the end
};

/// An agent as `up` lists it.
struct ListedAgent {
  std::string name;
  std::string type;
  std::string problem;    ///< why it cannot run now; empty when it can
  bool may_write = true;  ///< holds hub:write; without it an agent can think but not speak
};

/// All services in one process on one machine: what `up` and `demo` run.
class System {
 public:
  System(const Ground& ground, SystemOptions options);
  ~System();

  /// Starts everything and returns when all of it can work: Hub, Redis, leadership, claims. Throws
  /// Error{port_in_use} naming the flag, Error{already_exists} for a data folder in use; what was
  /// started by then is stopped.
  Task<> start();
  /// Drains the runner, then stops the rest.
  Task<> stop(std::chrono::nanoseconds grace);
  void hurry();
  /// The loops of its services turn. After start().
  bool healthy() const;
  /// A read of the definitions hangs: destroying this would wait for it; see leave_process().
  bool stuck() const;

  /// URLs and keys, as they go into run.json and keys.json.
  const RunningSystem& running() const;
  const std::vector<ListedAgent>& agents() const;
  /// Folders that look like an agent's and are not taken for one.
  const std::vector<definitions::Problem>& ignored() const;
  /// What keeps programs of agents in here; null until the runner has found out.
  const sandbox::TierReport* sandbox() const;
  // The Hub, each with its own key.
  hubapi::HubClient& hub();  ///< the service
  hubapi::HubClient& owner();
  hubapi::HubClient& admin();
  queue::OperatorView& view();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace botburrow::cli
