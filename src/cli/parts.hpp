#pragma once

#include "agent/activation.hpp"
#include "base/blocking_pool.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/settings.hpp"
#include "cli/commands.hpp"
#include "cli/environment.hpp"
#include "definitions/catalog.hpp"
#include "definitions/redis_cache.hpp"
#include "definitions/source.hpp"
#include "hubapi/client.hpp"
#include "llm/prices.hpp"
#include "llm/providers.hpp"
#include "mcp/redis_trust.hpp"
#include "net/http_client.hpp"
#include "net/redis.hpp"
#include "queue/heartbeats.hpp"
#include "queue/operator_view.hpp"
#include "queue/redis_agent_state.hpp"
#include "queue/redis_journal.hpp"
#include "queue/redis_work_queue.hpp"
#include "sandbox/sandboxes.hpp"
#include "tools/mcp_session.hpp"

#include <map>
#include <memory>
#include <string>

// Groups of parts that several commands put together in the same way.
namespace botburrow::cli {

/// What every part takes.
struct Ground {
  boost::asio::any_io_executor executor;
  const Environment& environment;
  const Settings& settings;
  Clock& clock;
  Random& random;
  Log log;
};

/// On the system's clock and chance. `context` and `settings` outlive it.
Ground ground_of(boost::asio::any_io_executor executor, const Context& context,
                 const Settings& settings, Log log);

/// Redis with everything that speaks to it. Connects in the background once started.
class QueueParts {
 public:
  QueueParts(const Ground& ground, const std::string& url, const std::string& name,
             Metrics& metrics);
  void start();
  Task<> stop();

  net::Redis commands;
  net::Redis waits;
  queue::RedisWorkQueue queue;
  queue::RedisAgentState state;
  queue::RedisJournal journal;
  queue::OperatorView view;
  queue::Heartbeats heartbeats;
};

/// The Hub over HTTP.
class HubParts {
 public:
  HubParts(const Ground& ground, const std::string& url, Secret key, Metrics& metrics);
  net::HttpClient http;
  hubapi::HubClient hub;
};

/// Agent definitions of the folder in AGENT_DEFINITIONS_PATH.
class DefinitionParts {
 public:
  DefinitionParts(const Ground& ground, const std::string& keep_folder, net::Redis& redis,
                  Metrics& metrics);
  /// Whether the folder was there when the watch looked last; false before, and while the file
  /// system does not answer. Never touches the file system itself.
  bool usable() const { return usable_; }
  /// Looks each second or two. Runs until cancelled.
  Task<> watch_loop();
  /// A read still hangs, of a file system that does not answer: destroying this would wait for it.
  bool stuck() const { return pool.under_way() > 0; }

  definitions::FolderSource source;
  BlockingPool pool;  // joined before the source goes: reads that were left alone use it
  definitions::DefinitionCatalog catalog;
  definitions::RedisDefinitionCache cache;

 private:
  Task<> look();
  bool usable_ = false;
};

/// Models by the keys and modes of the settings.
class ModelParts {
 public:
  ModelParts(const Ground& ground, Metrics& metrics);
  net::HttpClient http;
  llm::PriceTable prices;
  llm::ConfiguredModels models;
};

/// The registry with the programs of this machine: those of MCP_*_COMMAND (`commands`, by the
/// star), and this very file for the server that is built in.
tools::McpRegistry with_programs_here(
    tools::McpRegistry registry, const std::map<std::string, std::string, std::less<>>& commands);

/// MCP servers by the operator's registry. Reads the file: throws Error{bad_input}.
class McpParts {
 public:
  McpParts(const Ground& ground, net::Redis& redis, BlockingPool& pool, Metrics& metrics);
  net::HttpClient http;
  tools::McpRegistry registry;
  tools::McpSettings settings;
  mcp::RedisTrust trust;
  tools::McpServices services;
};
/// Where command-line agents find their models, by the keys and base URLs of the settings: what the
/// proxy of a sandbox puts in for them. A provider without a key has no route.
std::map<std::string, sandbox::ModelRoute> model_routes(const Settings& settings);

/// Where models come from by the settings. `environment` and `settings` outlive it.
llm::ProviderSettings provider_settings(const Environment& environment, const Settings& settings);

/// What activations are told by the settings. Reads the policy file: throws Error{bad_input}.
agent::ActivationSettings activation_settings(const Settings& settings, const std::string& path,
                                              const Log& log);

/// Where the hands of agents work, by the settings.
sandbox::SandboxSettings sandbox_settings(const Settings& settings, const std::string& path);

/// Options for reading definitions by the settings.
definitions::ParseOptions parse_options(const Settings& settings);
/// Tells the parser of definitions what the operator's MCP_SERVERS_FILE names (blocking). Where it
/// cannot be read the parser is told that it does not know, and the reason is returned.
std::string know_mcp_servers(definitions::ParseOptions& options, const std::string& servers_file);

}  // namespace botburrow::cli
