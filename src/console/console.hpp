#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/scrubber.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "console/hub_seen.hpp"
#include "definitions/catalog.hpp"
#include "hubapi/client.hpp"
#include "net/http_server.hpp"
#include "net/redis.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace botburrow::console {

struct ConsoleOptions {
  std::string instance_id;
  Secret admin_key;              ///< empty: nobody may act
  bool loopback_trusted = true;  ///< a browser on this machine may read transcripts without it
  std::chrono::seconds min_activation_interval{900};
  std::size_t streams_max = 32;  ///< pages that are kept up to date at once; more of them ask
};

/// What the console works with. All outlive it.
struct ConsoleParts {
  net::Redis& redis;  ///< one of its own, so that what a page asks holds up nobody else
  hubapi::HubClient& hub;
  definitions::DefinitionCatalog& catalog;
  Clock& clock;
  std::function<bool()> is_leader;                        ///< of the coordinator in this process
  std::function<std::optional<HubSeen>()> hub_seen = {};  ///< nothing: it does not ask the Hub
  const Scrubber* scrubber = nullptr;  ///< takes secrets out of what agents wrote; may be null
};

/// The page for people and its JSON API: queues, runners, activations, agents, dead letters, as
/// they stand in Redis, and the acts of the operator's commands. Leader and followers serve the
/// same. Open to read as far as `botburrow status` goes; transcripts need the key or a browser on
/// this machine; acts need the key.
class Console {
 public:
  Console(boost::asio::any_io_executor executor, ConsoleOptions options, ConsoleParts parts,
          Log log, Metrics& metrics);
  ~Console();
  Console(const Console&) = delete;

  /// Adds /console, its files, and the API at /api/v1/console and /console/api. The server is
  /// stopped before this is destroyed.
  void add_routes(net::HttpServer& server);
  /// What `/` answers to a browser.
  static net::ServerResponse page();

  /// Begins to look, in the background. `parts.redis` is started by its owner.
  void start();
  Task<> stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace botburrow::console
