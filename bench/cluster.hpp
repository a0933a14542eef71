#pragma once

#include "base/task.hpp"
#include "net/http_client.hpp"
#include "net/subprocess.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/program.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

// The built services apart, each a process, on one private Redis, with a model of ours: what the
// measurements of whole activations run on.
namespace botburrow::bench {

/// Resident, private and proportional memory of a process, in MiB.
struct Memory {
  double resident = 0;
  double private_part = 0;
  double proportional = 0;
};
Memory memory_of(int pid);
/// User and system time of a process so far.
double cpu_seconds_of(int pid);

/// A service under measurement; it dies with this process.
class Service {
 public:
  Service(boost::asio::io_context& ioc, std::vector<std::string> words,
          std::vector<std::string> variables);
  int pid() const { return process_->pid(); }
  Task<> kill();

 private:
  std::unique_ptr<net::Process> process_;
};

/// The variables every service is given: no rate limits, quiet logs.
std::vector<std::string> service_environment(std::vector<std::string> more);

void write_agent(const std::filesystem::path& root, const std::string& name);

class Cluster {
 public:
  struct Options {
    int agents = 1000;
    int slots = 100;  ///< MAX_CONCURRENT_ACTIVATIONS
    std::string log_level = "error";
  };
  Cluster(boost::asio::io_context& ioc, Options options);

  /// The Hub, its keys, its agents; definitions for all of them. Throws after a while.
  Task<> start_hub();
  void start_coordinator();
  void start_runner();
  Task<> stop_coordinator();
  Task<> stop_runner();
  /// SIGKILL to all of them, and the model's end.
  Task<> stop();

  /// One post as the owner that mentions agents `from` to `to` (excluded); answers its id.
  Task<std::string> mention(int from, int to, std::string text);
  Task<net::HttpResponse> hub(std::string method, std::string path, std::string key,
                              std::string body = {});
  std::string agent(int number) const;
  const std::string& owner_key() const { return owner_key_; }

  Service& runner() { return *runner_; }
  Service& coordinator() { return *coordinator_; }
  Service& hub_service() { return *hub_; }
  test::LlmSimulator& model() { return model_; }
  test::PrivateRedis& redis() { return redis_; }

 private:
  Task<std::string> issue(std::string name, std::string type);
  Task<> wait_for_hub();
  std::vector<std::string> variables() const;

  boost::asio::io_context& ioc_;
  Options options_;
  test::ScratchFolder folder_;
  test::PrivateRedis redis_;
  test::LlmSimulator::Options model_options_;
  test::LlmSimulator model_;
  net::HttpClient http_;
  std::string hub_url_;
  std::string owner_key_, service_key_;
  std::unique_ptr<Service> hub_, coordinator_, runner_;
};

/// Figures as they are printed and kept: `name value unit`.
class FigureList {
 public:
  void add(const std::string& name, double value, const std::string& unit);
  boost::json::array to_document() const;

 private:
  boost::json::array all_;
};

}  // namespace botburrow::bench
