#pragma once

#include "base/json.hpp"
#include "base/task.hpp"
#include "cli/data_folder.hpp"
#include "cli/parts.hpp"
#include "cli/redis_process.hpp"
#include "cli/verify/model_stub.hpp"
#include "cli/verify/secret_search.hpp"
#include "net/subprocess.hpp"

#include <boost/json.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::cli::verify {

using Variables = std::map<std::string, std::string>;

/// A service of this program as a process of its own, with the log it has written so far.
class Child {
 public:
  Child(boost::asio::any_io_executor executor, std::string name, net::ProcessOptions options);
  const std::string& name() const { return name_; }
  int pid() const { return process_->pid(); }
  bool ended() const { return status_.has_value(); }
  std::optional<net::ExitStatus> status() const { return status_; }
  const std::string& text() const { return text_; }
  std::vector<json::object> events(std::string_view event) const;
  bool has(std::string_view text) const { return text_.find(text) != std::string::npos; }
  void signal(int number);
  /// Gone, whatever it did.
  Task<> kill();
  Task<> join();

 private:
  Task<> read_out();
  Task<> read_err();
  Task<> watch();
  std::string name_;
  std::unique_ptr<net::Process> process_;
  std::string text_;
  std::vector<json::object> lines_;
  std::string partial_;
  std::optional<net::ExitStatus> status_;
  TaskGroup tasks_;
};

/// How an agent of the verification is defined.
struct AgentPlan {
  std::string model = "verify-ok";
  std::string type = "native";
  std::string grants = "hub:read, hub:write";
  std::string servers;   ///< MCP servers, by name
  std::string behavior;  ///< further lines, two blanks deep
};

/// A whole system on this machine, in a folder of its own: a Redis, a Hub, a model, and the
/// services that are started in it. Everything of it is gone at the end.
class LocalWorld {
 public:
  explicit LocalWorld(const Ground& ground);
  Task<> start();
  Task<> stop();

  /// A service; ends with the world. METRICS_PORT 0, settings of the world, and `more`.
  Child& launch(const std::string& name, std::vector<std::string> words, Variables more = {});
  /// Runs a command to its end.
  Task<net::ProcessResult> run(std::vector<std::string> words, Variables more = {});
  /// The same for programs that are not ours, found in the PATH of whoever verifies.
  Child& launch_other(const std::string& name, std::vector<std::string> words);
  Task<net::ProcessResult> run_other(std::vector<std::string> words);
  /// Where a coordinator or runner listens.
  Task<std::string> url_of(Child& child);
  Task<json::object> await_event(Child& child, std::string event,
                                 std::chrono::seconds limit = std::chrono::seconds(30));
  /// Looks until it is so; throws Error{timeout} naming `what`.
  Task<> until(std::string what, std::function<Task<bool>()> so,
               std::chrono::seconds limit = std::chrono::seconds(30));

  Task<> until_ready(Child& child);
  Task<> until_at_rest();  ///< nothing waits or runs

  Task<> define(const std::string& name, AgentPlan plan = {});  ///< and registers it
  void write_definition(const std::string& name, const AgentPlan& plan);
  Task<> register_agent(std::string name);
  /// Of the owner: the post's id.
  Task<std::string> ask(std::string text);
  Task<std::size_t> answers(std::string post, std::string agent);
  Task<std::size_t> unread(std::string agent);
  Task<> until_answered(std::string post, std::string agent,
                        std::chrono::seconds limit = std::chrono::seconds(30));
  Task<net::HttpResponse> admin(std::string method, std::string path, json::value body);
  Task<net::HttpResponse> get(std::string url, std::string key = "");
  Task<net::HttpResponse> post(std::string url);
  Task<std::int64_t> redis_number(net::Redis::Args words);
  Task<std::string> redis_text(net::Redis::Args words);
  /// One sample of a service's metrics, summed over its labels.
  Task<double> metric(Child& child, std::string name);

  const std::string& hub_url() const { return hub_url_; }
  const std::string& service_key() const { return service_key_; }
  std::string folder() const { return folder_.path(); }
  std::string redis_url() const { return redis_server_.url(); }
  net::Redis& redis() { return *redis_; }
  queue::OperatorView& view() { return *view_; }
  ModelStub& model() { return model_; }
  const Ground& ground() const { return ground_; }
  std::vector<Child*> children();
  /// None of these may be seen anywhere.
  std::vector<std::string> secrets() const;
  /// Programs that services started, as far as they were seen: looked for several times a second.
  const SecretSearch& programs() const { return programs_; }

  Child* hub = nullptr;
  std::vector<Child*> coordinators, runners;

 private:
  Variables environment(const Variables& more) const;
  net::ProcessOptions process(std::vector<std::string> words, const Variables& more) const;
  Task<> watch_programs();
  net::ProcessOptions other_process(std::vector<std::string> words) const;
  Task<std::string> make_key(std::string name, std::string type);

  Ground ground_;
  TemporaryFolder folder_;
  std::string model_key_, admin_key_, service_key_, owner_key_, hub_url_;
  RedisProcess redis_server_;
  ModelStub model_;
  net::HttpClient http_;
  Metrics metrics_;
  std::unique_ptr<net::Redis> redis_;
  std::unique_ptr<queue::OperatorView> view_;
  std::unique_ptr<hubapi::HubClient> owner_, service_;
  std::map<std::string, std::string> ids_;  // of agents, by name
  std::deque<std::unique_ptr<Child>> children_;
  int asked_ = 0;
  SecretSearch programs_;
  std::set<int> programs_seen_;
  TaskGroup tasks_;
};

}  // namespace botburrow::cli::verify
