#pragma once

#include "base/json.hpp"
#include "net/http_client.hpp"
#include "tests/chaos/checker.hpp"
#include "tests/chaos/failovers.hpp"
#include "tests/chaos/nemesis.hpp"
#include "tests/chaos/program/service.hpp"
#include "tests/chaos/queue_sample.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/json.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace botburrow::chaos {

using Clock = std::chrono::steady_clock;

/// Where the parts of a run are found.
struct Programs {
  std::string botburrow;
  std::string clockshim;       ///< the library to preload; empty = clocks stay right
  std::string syscall_killer;  ///< only `sweep` needs it
};

/// The built program as an operator runs it: three coordinators, runners, a Hub, a Redis; a
/// simulated model; and wires between them that can be made to misbehave. Everything is started
/// anew when it dies, as a supervisor would.
class Fleet {
 public:
  Fleet(Profile profile, Programs programs);
  ~Fleet();

  void start();
  /// Posts a mention of one agent; where the Hub is away it is posted later, under the same key.
  void mention(int agent);
  void mention_poisoned();
  /// Lets everything run for a moment, restarts what is due, posts what is owed, looks at the
  /// queue.
  void turn();
  void befall(const Fault& fault);
  /// Mends every wire, wakes everybody up, starts what is down, sets the clocks right.
  void forgive();
  /// Whether every mention is answered and nothing waits or runs.
  bool settled();
  /// What the Hub has taken so far.
  std::vector<AcceptedWrite> accepted_writes() const;
  /// Whether the Hub has heard of every token spent.
  bool reported();
  Ledger ledger();
  /// SIGTERM to all; complaints about those that do not end well are added.
  void stop_all(std::vector<std::string>& complaints);
  /// Log lines of all services that hold this text, oldest first.
  std::vector<std::string> timeline(const std::string& text) const;

  const std::map<std::string, int>& befallen() const { return befallen_; }
  const Recoveries& recoveries() const { return recoveries_; }
  const Failovers& failovers() const { return failovers_; }
  void save_logs(const std::string& folder) const;

 protected:
  struct Due {
    Clock::time_point at;
    std::function<void()> act;
  };
  struct Owed {
    Mention mention;
    std::string key;
    Clock::time_point not_before;
  };

  void launch(Service& service);
  void kill(Service& service);
  /// As kill(), for a runner: what it held is timed until it runs again.
  void kill_runner(Service& runner);
  void later(std::chrono::milliseconds in, std::function<void()> act);
  void look();
  void supervise(Service& service, Clock::time_point now);
  void mention(const std::string& agent, bool poison = false);
  const QueueSample& sample() const { return sample_; }
  std::vector<Service>& runners() { return runners_; }
  std::vector<Service*> everybody();

  Profile profile_;
  Programs programs_;
  boost::asio::io_context io_;
  test::ScratchFolder folder_;
  std::vector<Mention> mentions_;
  std::vector<std::string> agents_;
  std::map<std::string, int> model_calls_;
  Recoveries recoveries_;

 private:
  // Starting.
  void define_agents();
  void start_hub();
  void start_model();
  void start_services();
  void wire_up(Service& service, std::size_t number);
  std::string issue_key(const char* name, const char* type);

  // What can go wrong.
  void befall_process(const Fault& fault);
  void befall_clock(const Fault& fault);
  void befall_wires(const Fault& fault);
  void misbehave(test::FaultProxy& wire, const std::string& what, std::chrono::milliseconds length);
  std::vector<test::FaultProxy*> wires(const std::string& to, int target);
  void freeze(Service& service, std::chrono::milliseconds length);
  void drain(Service& service);
  void hold_next_write(Service& runner, std::chrono::milliseconds length);
  void redis_down(std::chrono::milliseconds length);
  void roll_back();
  void with_leader(std::function<void(Service&)> act, int tries = 20);
  Service* leader();
  void kill_poisoned(const std::string& token);
  void time_failover(const char* how, Service& leader, std::function<void(Service&)> act);

  // Looking and asking.
  std::optional<net::RedisReply> ask(std::vector<std::string> words);
  std::int64_t number(std::vector<std::string> words);
  bool post(const Owed& owed);
  std::vector<std::string> unfinished();
  bool is_ready(const Service& service);
  std::optional<json::value> hub_call(std::string method, const std::string& path,
                                      const std::string& key, json::value body = nullptr,
                                      std::string idempotency_key = "");
  int answers_to(const Mention& mention);
  /// The agent's notifications (`which`: more of the query), by their posts.
  std::optional<std::map<std::string, std::string>> notes_of(const std::string& agent,
                                                             const std::string& which);
  std::optional<std::set<std::string>> unread_posts(const std::string& agent);
  void read_mentions(Ledger& ledger);
  void read_census(Ledger& ledger);
  void read_leftovers(Ledger& ledger);

  std::unique_ptr<ClockOffset> redis_clock_;
  test::PrivateRedis redis_;
  bool redis_away_ = false, hub_away_ = false;
  std::unique_ptr<test::LlmSimulator> model_;
  net::HttpClient http_;
  std::map<std::string, std::string> environment_;
  std::string admin_key_, owner_key_, service_key_, hub_url_;
  Service hub_;
  std::vector<Service> coordinators_, runners_;
  std::vector<Due> due_;
  std::vector<Owed> owed_;
  std::set<std::string> answered_;   ///< tokens known to be answered: not asked for again
  std::set<std::string> poison_;     ///< tokens that kill
  std::set<std::string> stumbling_;  ///< tokens that the model refuses once
  std::map<std::string, int> befallen_;
  std::vector<std::string> ended_badly_;
  HubTap tap_;
  QueueSample sample_;
  Invariants invariants_;
  Failovers failovers_;
  Clock::time_point next_look_{};
  std::int64_t first_epoch_ = 0;
  std::chrono::milliseconds redis_clock_most_{0};
  int posted_ = 0, number_ = 0, rollbacks_ = 0;
};

}  // namespace botburrow::chaos
