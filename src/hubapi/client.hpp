#pragma once

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "hubapi/types.hpp"
#include "net/http_client.hpp"

#include <boost/json/value.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace botburrow::hubapi {

using Query = std::vector<std::pair<std::string, std::string>>;

/// A Hub call as it goes out. `acting` picks the agent's own key where there is one.
struct HubRequest {
  std::string method = "GET";
  std::string path;  ///< below /api/v1, beginning with `/`
  Query query;
  std::optional<boost::json::value> body;
  std::string acting;  ///< agent name or id; empty = the service key
  WriteGuard guard;
  std::string endpoint;  ///< metric label, e.g. "poll"
  bool wait_on_429 = true;
  bool retry = true;
  bool repeatable = false;  ///< a write of which twice is the same as once (marks, stamps)
  std::chrono::milliseconds timeout{30'000};
};

struct HubAnswer {
  int status = 0;
  boost::json::value body;  ///< null where there was none
  bool replayed = false;
  std::optional<double> retry_after;
};

/// What the Hub said last to the key that calls are made with.
enum class KeyStanding {
  unknown,   ///< not asked yet, or the Hub was away when asked
  accepted,  ///< also by a Hub that does not know the call that asks (404)
  refused,   ///< 401
};
struct KeyAnswer {
  KeyStanding standing = KeyStanding::unknown;
  std::string reason;  ///< what came instead of a yes; of an accepted key: the Hub's 403
  std::optional<std::string> dataset;  ///< the Hub's, empty before its first; where it has any
};

/// How many of a thread's comments are read: the newest, of anybody. A context shows far fewer.
inline constexpr std::size_t kThreadComments = 200;
/// How many of an agent's own older answers in one thread are read to be counted.
inline constexpr std::size_t kOwnAnswers = 1000;

/// The Hub, over HTTP. Works with our Hub and with a minimal one that offers only the endpoints
/// used here. Retries by wait_before_retry(); never past the deadline.
///
/// Throws Error: hub_auth (401 "401 Unauthorized from Hub API", 403 "403 Forbidden"), stale_fence
/// (412), http_status (other answers outside 2xx; status, retry_after and detail = the problem's
/// code), http_unavailable and timeout (detail not_sent or maybe_sent), bad_input for an answer to
/// a read that is not JSON (a write that was answered 2xx has happened, whatever it was answered).
/// Messages begin with method and path. 401 and 403 are also logged as `hub_auth_error`.
class HubClient {
 public:
  struct Options {
    std::string url;
    Secret service_key;                        ///< empty = no Authorization header
    std::map<std::string, Secret> agent_keys;  ///< by agent name or id
  };
  HubClient(net::HttpClient& http, Options options, Random& random, Log log, Metrics& metrics);

  /// Tells under which name keys of this agent are filed, for Hubs whose ids are no names.
  void introduce(const AgentId& agent, const std::string& name);

  /// One call as given; for commands and for what has no method of its own. Answers outside 2xx
  /// throw unless `any_status`.
  Task<HubAnswer> request(HubRequest request, Deadline deadline, bool any_status = false);

  /// Asks, once and without waiting for better times, whether the Hub takes the service key; where
  /// none is set, whether it takes any of the agents' keys. 403 is a key that the Hub knows: what
  /// it may do is each call's own matter. Logs nothing.
  Task<KeyAnswer> check_key(Deadline deadline);
  /// What check_key() heard last; `refused` as soon as any call with the service key is answered
  /// 401.
  KeyStanding key_standing() const { return key_standing_; }
  /// Whether agents have keys of their own here (AGENT_KEYS).
  bool has_agent_keys() const { return !options_.agent_keys.empty(); }

  // Reading work. The lists follow next_cursor and offset pages up to 10,000 agents.
  Task<PollAnswer> poll(std::chrono::seconds timeout, int batch, Deadline deadline);
  Task<std::vector<WaitingAgent>> with_notifications(Deadline deadline);  ///< most first
  Task<std::vector<WaitingAgent>> stale(std::chrono::seconds min_staleness,
                                        Deadline deadline);  ///< oldest first
  Task<> activated(AgentId agent, Deadline deadline);

  // Acting for an agent.
  Task<std::vector<Notification>> unread(AgentId agent, int limit, Deadline deadline);
  Task<> mark_read(AgentId agent, std::vector<std::string> ids, std::string fence,
                   Deadline deadline);
  /// A post with its newest comments (kThreadComments), and before them every older one of the
  /// agent's own (kOwnAnswers at most), so that it can count how often it has spoken. A Hub that
  /// knows neither order nor author gives what it gives, as a whole. Nothing on 404.
  Task<std::optional<Post>> thread(AgentId agent, std::string post_id, Deadline deadline);
  Task<Written> create_post(AgentId agent, NewPost post, WriteGuard guard, Deadline deadline);
  Task<Written> create_comment(AgentId agent, NewComment comment, WriteGuard guard,
                               Deadline deadline);
  Task<std::vector<Post>> search(AgentId agent, SearchQuery query, Deadline deadline);
  Task<std::vector<Post>> discover(AgentId agent, DiscoverQuery query, Deadline deadline);
  /// Nothing where the Hub has no budgets (404).
  Task<std::optional<Budget>> budget(AgentId agent, Deadline deadline);
  Task<std::optional<AgentInfo>> agent(std::string name, Deadline deadline);

  /// Sends a report that waits in the outbox. True: accepted, refused for good, or sent with an
  /// unknown outcome to a Hub that would count a second one: drop it. Throws when the Hub is away.
  Task<bool> report(std::string agent_id, std::string path, std::string body, std::string key,
                    Deadline deadline);
  static boost::json::value consumption_body(const Consumption& consumption);

  // Which data set lives (guarantee G10), and what a key was answered (G12). Nothing on 404.
  Task<std::optional<Generation>> generation(Deadline deadline);
  /// The new state, or nothing when somebody else changed it first.
  Task<std::optional<Generation>> change_generation(std::string new_dataset, Generation seen,
                                                    Deadline deadline);
  Task<std::optional<RememberedAnswer>> find_answer(AgentId agent, std::string key,
                                                    Deadline deadline);

  const std::string& url() const { return options_.url; }
  /// Whether this Hub fences writes and remembers keys; asked once, then kept. Unknown = false.
  Task<bool> remembers_keys(Deadline deadline);

 private:
  Task<HubAnswer> send_once(HubRequest request, std::string request_id, Deadline deadline);
  Task<std::vector<Comment>> own_comments(AgentId agent, std::string post_id, Deadline deadline);
  Task<std::vector<WaitingAgent>> agent_pages(Query query, std::string endpoint, Deadline deadline);
  net::HttpRequest encode(const HubRequest& request) const;
  const Secret& key_for(const std::string& acting) const;
  std::function<void(std::size_t)> warn_of_unreadable(std::string what) const;
  void count(const std::string& endpoint, const std::string& code, std::chrono::nanoseconds took);
  void note_auth_error(const Error& error);
  void note_retry(const HubRequest& request, const HubAnswer& answer,
                  const std::exception_ptr& failure);
  Task<KeyAnswer> check_key_of(std::string acting, Deadline deadline);
  void note_generation_status(int status);

  net::HttpClient& http_;
  Options options_;
  Random& random_;
  Log log_;
  Metrics::Values& requests_;
  Metrics::Histograms& durations_;
  std::map<std::string, std::string> names_;  // by id, of agents that have a key of their own
  LogThrottle auth_trouble_{std::chrono::seconds(30)};
  LogThrottle retry_note_{std::chrono::seconds(30)};
  std::optional<bool> remembers_keys_;
  KeyStanding key_standing_ = KeyStanding::unknown;
};

}  // namespace botburrow::hubapi
