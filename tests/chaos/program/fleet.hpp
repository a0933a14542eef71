#pragma once

#include "base/json.hpp"
#include "net/http_client.hpp"
#include "tests/chaos/checker.hpp"
#include "tests/chaos/nemesis.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/program.hpp"

#include <boost/json.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace botburrow::chaos {

using Clock = std::chrono::steady_clock;

/// The built program as an operator runs it: three coordinators, runners, a Hub, a Redis; a
/// simulated model; and a wire between them that can be made to misbehave. Everything is started
/// anew when it dies, as a supervisor would.
class Fleet {
 public:
  Fleet(int runners, int agents);
  ~Fleet();

  void start();
  /// Posts a mention of one agent; where the Hub is away it is posted later, under the same key.
  void mention(int agent);
  /// Lets everything run for a moment, restarts what is due, posts what is owed.
  void turn();
  void befall(const Fault& fault);
  /// Mends every wire, wakes everybody up, starts what is down.
  void forgive();
  /// Whether every mention is answered and nothing waits or runs.
  bool settled();
  Ledger ledger();
  /// SIGTERM to all; complaints about those that do not end well are added.
  void stop_all(std::vector<std::string>& complaints);
  /// Log lines of all services that hold this text, oldest first.
  std::vector<std::string> timeline(const std::string& text) const;

  const std::map<std::string, int>& befallen() const { return befallen_; }
  /// Seconds from the kill of a runner to the next claim of each item it held, where there was one
  /// (an item whose completion was already on its way has none).
  std::vector<double> recoveries() const;
  void save_logs(const std::string& folder) const;

 private:
  struct Service {
    std::string name;
    std::vector<std::string> words;
    std::map<std::string, std::string> more;
    std::unique_ptr<test::Program> program;
    std::string past;  ///< what earlier processes of this name printed
    int life = 0;      ///< counts its processes
  };
  struct Due {
    Clock::time_point at;
    std::function<void()> act;
  };
  struct Owed {
    Mention mention;
    std::string key;
    Clock::time_point not_before;
  };
  struct Orphan {
    std::string agent, activation;
    std::chrono::system_clock::time_point killed;
  };

  void launch(Service& service);
  void kill(Service& service);
  void freeze(Service& service, std::chrono::milliseconds length);
  void drain(Service& service);
  void later(std::chrono::milliseconds in, std::function<void()> act);
  Service* leader();
  void note_orphans(const Service& runner);
  bool post(const Owed& owed);
  bool at_rest();
  std::optional<json::value> hub_call(std::string method, const std::string& path,
                                      const std::string& key, json::value body = nullptr,
                                      std::string idempotency_key = "");
  json::value must(std::optional<json::value> answer, const char* what);
  int answers_to(const Mention& mention);
  std::vector<AcceptedWrite> accepted_writes() const;

  boost::asio::io_context io_;
  test::ScratchFolder folder_;
  test::PrivateRedis redis_;
  std::unique_ptr<test::LlmSimulator> model_;
  net::HttpClient http_;
  std::unique_ptr<test::FaultProxy> redis_wire_, hub_wire_, model_wire_;
  std::map<std::string, std::string> environment_;
  std::string admin_key_, owner_key_, service_key_, hub_port_, hub_url_;
  Service hub_;
  std::vector<Service> coordinators_, runners_;
  std::vector<std::string> agents_;
  std::vector<Due> due_;
  std::vector<Owed> owed_;
  std::vector<Mention> mentions_;
  std::set<std::string> answered_;  ///< tokens known to be answered: not asked for again
  std::map<std::string, int> model_calls_, befallen_;
  std::vector<Orphan> orphans_;
  int posted_ = 0, number_ = 0;
};

}  // namespace botburrow::chaos
