#pragma once

#include "base/secret.hpp"
#include "base/task.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/parts.hpp"

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The looks: each gathers one group of facts within a time of its own, and never throws for what it
// finds; what keeps it from looking stands in `trouble`.
namespace botburrow::cli::doctor {

/// Where to look.
struct Place {
  std::string redis_url, hub_url, definitions, data_folder;
  Secret hub_key;
  std::vector<std::string> coordinators, runners;  ///< base URLs
  std::vector<std::pair<std::string, int>> ports;  ///< that services are to have here, by setting
  bool all_in_one = false;                         ///< what `up` runs, not services apart
};

/// Redis, and what stands in it about queues, leader and runners.
Task<> look_at_redis(const Ground& ground, const Place& place, RedisFacts& redis,
                     QueueFacts& queue);
Task<> look_at_hub(const Ground& ground, const Place& place, HubFacts& hub);
Task<> look_at_services(const Ground& ground, const Place& place,
                        std::vector<ServiceFacts>& services);
/// Tables of the kernel: it asks over HTTP only who has a port that a setting names.
Task<> look_at_ports(const Ground& ground, const Place& place, BlockingPool& pool,
                     std::vector<PortFacts>& ports, std::string& trouble);
/// Of /proc/net/tcp or tcp6: who waits for connections.
struct Listener {
  std::string address;
  int port = 0;
  std::uint64_t inode = 0;
};
std::vector<Listener> listeners_of(std::istream& table);
/// Files only. `stuck`: a read of them hangs, and with it the pool.
Task<> look_at_definitions(const Ground& ground, const Place& place, BlockingPool& pool,
                           DefinitionFacts& definitions, std::vector<llm::Brain>& brains);
/// Fills in what the Hub knows of the agents.
Task<> look_up_agents(const Ground& ground, const Place& place, DefinitionFacts& definitions);
/// The providers of `brains` by the settings. `names`: who has which brain.
Task<> look_at_models(const Ground& ground, const std::vector<llm::Brain>& brains,
                      const std::vector<std::string>& names, std::vector<ModelFacts>& models);
Task<> look_at_machine(const Ground& ground, const Place& place, BlockingPool& pool,
                       MachineFacts& machine);
/// What of `current` bytes of a cgroup cannot be given back at once, by its memory.stat.
std::uint64_t memory_in_use(std::uint64_t current, std::istream& memory_stat,
                            std::string_view unused_pages = "inactive_file");
/// The tightest limit of the groups that this process is in (`own`: /proc/self/cgroup), of version
/// 2 (memory.max) or 1 (memory.limit_in_bytes) beneath `root`; nothing where none limits it.
struct CgroupMemory {
  std::uint64_t limit = 0, used = 0;
  std::string path;  ///< of the group, beneath `root`
};
std::optional<CgroupMemory> find_cgroup_memory(const std::string& root, std::istream& own);
/// Settings of the services, as this shell has them.
SettingsFacts settings_facts(const std::vector<const Settings*>& settings);

/// All of it, side by side; ends within 15 s whatever hangs.
Task<> look_at_all(const Ground& ground, const Place& place, BlockingPool& pool, Facts& facts);

}  // namespace botburrow::cli::doctor
