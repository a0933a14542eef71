#pragma once

#include "console/access.hpp"
#include "console/board.hpp"
#include "console/console.hpp"
#include "console/roster.hpp"
#include "console/run_watch.hpp"
#include "definitions/redis_cache.hpp"
#include "queue/operator_pages.hpp"
#include "queue/operator_view.hpp"
#include "queue/redis_agent_state.hpp"
#include "queue/redis_journal.hpp"
#include "queue/redis_work_queue.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

// Inside the room only: what the routes share.
namespace botburrow::console {

struct ConsoleMetrics {
  explicit ConsoleMetrics(Metrics& metrics);
  MetricValue& streams;     ///< pages kept up to date now
  MetricValue& dropped;     ///< streams ended because their reader was too slow
  MetricValue& refused;     ///< streams refused because there were too many
  MetricValue& wrong_keys;  ///< requests with a key that is not ours
  Metrics::Values& acts;    ///< by act and outcome
};

struct Core {
  Core(boost::asio::any_io_executor executor, ConsoleOptions options, ConsoleParts parts, Log log,
       Metrics& metrics);

  ConsoleOptions options;
  ConsoleParts parts;
  Log log;
  ConsoleMetrics metrics;
  queue::OperatorView view;
  queue::OperatorPages pages;
  queue::Heartbeats heartbeats;
  queue::RedisJournal journal;
  queue::RedisAgentState state;
  queue::RedisWorkQueue queue;  // only enqueues: nothing waits on its second connection
  definitions::RedisDefinitionCache definitions;
  RunWatch runs;
  Roster roster;
  Board board;
  LogThrottle wrong_key{std::chrono::seconds(30)};
  std::size_t streams = 0;
  // What is dear is done so many at once and no more.
  std::size_t transcripts = 0;  // being read
  std::size_t searches = 0;     // through what ended
  std::size_t hub_asks = 0;     // what an agent waits for
};

/// The API's two places: the documented one, and the one that older pages ask. Both answer the
/// same.
inline constexpr const char* kApiPrefixes[] = {"/api/v1/console", "/console/api"};

/// Registers the routes of the server, below each prefix of the API, and says who may use them.
class Routes {
 public:
  using Handler = std::function<Task<boost::json::object>(Core&, const net::ServerRequest&)>;
  Routes(Core& core, net::HttpServer& server) : core_(core), server_(server) {}

  /// Open.
  void look(std::string path, Handler handler);
  /// With the key, or on this machine.
  void read_private(std::string path, Handler handler);
  /// With the key. A body of at most 8 KiB.
  void act(std::string path, Handler handler);
  /// Whoever makes its whole answer itself, and asks may_look() itself.
  void whole(std::string path, net::HttpServer::Handler handler);
  void stream(std::string path, net::HttpServer::StreamHandler handler);

  Core& core() { return core_; }
  net::HttpServer& server() { return server_; }

 private:
  Core& core_;
  net::HttpServer& server_;
};

/// One of so many at once. Throws Error{limit} when there are too many.
class Turn {
 public:
  Turn(std::size_t& under_way, std::size_t most);
  ~Turn() { --under_way_; }
  Turn(const Turn&) = delete;

 private:
  std::size_t& under_way_;
};

Access access_to(const Core& core, const net::ServerRequest& request);
Board::Sight sight_of(const Core& core, const net::ServerRequest& request);
/// Notes keys that are refused.
std::optional<Refusal> may_look(Core& core, const net::ServerRequest& request);

net::ServerResponse answer(int status, const boost::json::object& body);
net::ServerResponse answer(const Refusal& refusal);
/// Adds what every answer of the console carries.
void harden(net::ServerResponse& response);

/// `offset` and `limit` of a query. Throws Error{invalid_argument} naming the field.
queue::PageAsk page_of(const net::ServerRequest& request);
/// A whole number of the query within its bounds, or `otherwise`. Throws like page_of().
std::int64_t number_of_query(const net::ServerRequest& request, std::string_view name,
                             std::int64_t otherwise, std::int64_t min, std::int64_t max);

void add_state_routes(Routes& routes);
void add_list_routes(Routes& routes);
void add_agent_routes(Routes& routes);
void add_transcript_routes(Routes& routes);
void add_act_routes(Routes& routes);
void add_page_routes(Routes& routes);

}  // namespace botburrow::console
