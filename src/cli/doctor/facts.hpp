#pragma once

#include "definitions/problem.hpp"
#include "hubapi/client.hpp"
#include "net/redis.hpp"
#include "queue/heartbeats.hpp"
#include "queue/operator_view.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What doctor saw. Every group says by `trouble` why it could not be looked at; empty: it could.
namespace botburrow::cli::doctor {

struct SettingsFacts {
  std::vector<std::string> problems;  ///< `config error: …`
  std::vector<std::string> conflicts, unknown_names, placeholders;
  std::chrono::seconds activation_timeout{600}, model_timeout{120}, long_poll{30};
  std::int64_t iterations_max = 10;
  std::string system_trouble;  ///< the system that the data folder names does not run
  std::string place;           ///< where the addresses come from
};

struct RedisFacts {
  std::string trouble;  ///< not asked at all, e.g. because its address is wrong
  std::string address;  ///< masked
  std::string name_trouble;
  std::optional<net::RedisFault> fault;  ///< why it cannot be used; none: it answers
  std::string fault_text;
  std::vector<double> round_trips_ms;
  std::optional<double> clock_ahead_seconds;
  std::map<std::string, std::string> info;  ///< fields of INFO
  bool answers() const { return trouble.empty() && name_trouble.empty() && !fault; }
};

struct QueueFacts {
  std::string trouble = "Redis does not answer";
  queue::QueueSnapshot snapshot;
  queue::Census census;
  std::vector<queue::Waiting> waiting;
  std::vector<queue::DeadLetter> dead;
  std::vector<queue::ActivationResult> results;  ///< newest first
  std::vector<queue::Heartbeat> runners;
  bool term_held = false;
  bool term_moves = false;  ///< epoch or renewals changed while we looked
  std::string term_instance;
  double watched_seconds = 0;
};

struct HubFacts {
  std::string trouble;  ///< not asked at all
  std::string url;
  std::string name_trouble;
  std::string reach_trouble;  ///< no HTTP answer
  int health_status = 0;
  std::vector<double> round_trips_ms;
  std::optional<double> clock_ahead_seconds;
  bool has_key = false;
  hubapi::KeyAnswer key;
  std::string poll_trouble;
  int poll_status = 0;  ///< of a call that asks for nothing
  std::string lists_trouble;
  std::optional<std::size_t> waiting_agents, stale_agents;
  std::optional<double> oldest_stale_seconds;
  bool answers() const { return trouble.empty() && name_trouble.empty() && reach_trouble.empty(); }
  bool takes_key() const { return answers() && key.standing == hubapi::KeyStanding::accepted; }
};

/// A coordinator or runner, asked over HTTP.
struct ServiceFacts {
  std::string kind;  ///< coordinator or runner
  std::string url;
  std::string trouble;  ///< no answer
  std::string name;     ///< as it calls itself
  int health_status = 0, ready_status = 0;
  std::string reason;                     ///< why it is not ready, or not healthy
  std::map<std::string, double> metrics;  ///< those that doctor reads, summed over their labels
};

/// A port of this machine that a service of ours has by a setting, or that a URL names.
struct PortFacts {
  std::string service;  ///< Hub, coordinator, runner
  std::string said_by;  ///< the URL, or `METRICS_PORT=9090`
  std::string url;      ///< empty: by a setting
  int port = 0;
  std::vector<std::string> addresses = {};   ///< that the URL's host means
  bool here = false;                         ///< they are of this machine
  std::vector<std::string> listens_on = {};  ///< addresses of this machine, at that port
  std::string holder = {};                   ///< `nginx (process 12)`; empty: not seen
  std::string answered_by = {};              ///< the name it gives itself; of settings' ports only
};

struct AgentFactsHere {
  std::string name;
  std::string executor;  ///< its type where a program is to run it; empty: the built-in loop
  bool wants_to_write = false, may_write = false;
  std::string refused_by;  ///< the policy's rule
  bool answers_mentions = true;
  bool explores = false;
  std::vector<std::string> mcp_without_credential;  ///< `github (GITHUB_PAT)`
  std::vector<std::string> mcp_without_program;     ///< `files (npx)`
  std::optional<bool> known_to_hub;
  std::string hub_status;
};

struct DefinitionFacts {
  std::string unasked;  ///< no folder is known
  std::string trouble;  ///< the look itself failed or took too long
  std::string path;
  bool exists = false, usable = false;
  std::string nested;  ///< a folder with agents/ one level deeper
  std::vector<definitions::Problem> errors;
  std::string policy_trouble;
  std::string servers_trouble;  ///< of MCP_SERVERS_FILE
  std::vector<AgentFactsHere> agents;
  std::string registry_trouble;  ///< why the Hub could not be asked about them
};

/// A model provider that agents use by the settings.
struct ModelFacts {
  std::string provider, url, key_name, agents;
  std::string trouble;  ///< of the definition, or no key
  bool key_missing = false;
  bool needs_no_key = false;
  std::string reach_trouble;
  int status = 0;
};

struct DiskFacts {
  std::string path, purpose, trouble;
  bool writable = true;
  std::uint64_t bytes_free = 0, bytes_total = 0, files_free = 0, files_total = 0;
};

struct MachineFacts {
  std::string trouble;
  std::vector<DiskFacts> disks;
  std::uint64_t memory_used = 0, memory_limit = 0;  ///< 0: not known
  std::string memory_of;                            ///< cgroup or machine
  std::uint64_t descriptors_max = 0;
  std::vector<std::string> key_files;     ///< with keys in them, that were looked at
  std::vector<std::string> open_files;    ///< those that others may read, with their mode
  std::vector<std::string> unseen_files;  ///< those that could not be looked at, and why
  std::string proxy, proxy_trouble;       ///< empty: none is set; it answers
};

struct Facts {
  SettingsFacts settings;
  RedisFacts redis;
  QueueFacts queue;
  HubFacts hub;
  std::vector<ServiceFacts> services;
  std::vector<PortFacts> ports;
  std::string ports_trouble;  ///< the look at them took too long
  DefinitionFacts definitions;
  std::vector<ModelFacts> models;
  std::string models_trouble;
  std::string llm_mode;
  MachineFacts machine;
  double now = 0;  ///< Unix seconds
};

/// The URL's address is of this machine, and its port is listened to on others only.
bool listens_elsewhere(const PortFacts& port);
bool listens_elsewhere(const Facts& facts, const std::string& url);
/// By its own word it is another program than the one that should be there.
bool answered_by_another(const ServiceFacts& service);

// What several checks ask, so that a fault which follows from another is not named beside it.

/// Somebody holds the term and renews it.
bool is_led(const Facts& facts);
/// A runner has a heartbeat, and takes work.
bool has_runner(const Facts& facts);
/// Seconds since the last beat of a runner that beats no more.
std::optional<double> overdue(const Facts& facts, const queue::Heartbeat& beat);
/// Every slot is busy, and work waits for it.
bool is_saturated(const Facts& facts);
/// Calls of the Hub's long poll by the leader, as its counters tell.
struct Polls {
  double fine = 0, failed = 0;
  bool mostly_fail() const { return failed > fine; }
};
/// None: no leader was asked.
std::optional<Polls> polls_of_leader(const Facts& facts);
/// How long the oldest item has waited, in seconds.
double oldest_wait(const Facts& facts);

}  // namespace botburrow::cli::doctor
