#pragma once

#include "definitions/definition.hpp"
#include "llm/model.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::executors {

/// What one run of a command-line agent is to do.
struct Job {
  std::string provider;
  std::string model;
  /// The protocol that the provider's models speak.
  enum class Api { anthropic, openai, ollama } api = Api::anthropic;
  std::string system_prompt;
  std::string prompt;
  int turns_max = 10;
  double budget_usd = 0;           ///< what it may spend; 0: no limit of its own
  std::vector<std::string> tools;  ///< names of the tools that the runner serves it; empty: none
  std::vector<std::string> shell;  ///< programs that it may run; empty: no shell
  definitions::ExecutorCommand custom;
  std::map<std::string, std::string> custom_environment;  ///< resolved
};

/// The place of the run as the program in it sees it.
struct Inside {
  std::string program;  ///< its path
  std::string workspace = "/workspace";
  std::string home = "/home/agent";
  std::string bridge = "http://127.0.0.1:3128";  ///< where the runner serves models and tools
};

/// A file that the program finds in its home.
struct HomeFile {
  std::string path;  ///< below the home
  std::string text;
};

/// How the program is started.
struct Plan {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::string input;
  std::vector<HomeFile> files;
};

/// What the program says about its run.
struct Report {
  std::string text;
  std::string error;  ///< empty: it does not speak of one
  llm::Usage usage;   ///< of the whole tree of agents that it ran; `estimated`: it says nothing
  std::optional<double> cost_usd;
  int turns = 0;
};

/// One kind of command-line agent: how it is called, and what its output means. Holds nothing.
class Executor {
 public:
  virtual ~Executor() = default;
  /// What is looked up in PATH.
  virtual std::string program(const definitions::AgentDefinition& definition) const = 0;
  /// Why it cannot do the job; nothing when it can.
  virtual std::optional<std::string> fault(const Job& job) const = 0;
  virtual Plan plan(const Job& job, const Inside& inside) const = 0;
  virtual Report read(std::string_view out, std::string_view err) const = 0;
};

/// Nothing for agents that the loop runs.
const Executor* find_executor(const definitions::AgentDefinition& definition);

extern const Executor& claude_code;
extern const Executor& opencode;
extern const Executor& goose;
extern const Executor& aider;
extern const Executor& custom;

/// Where models are reached, without a slash at the end.
std::string model_url(const Job& job, const Inside& inside);
/// Where the runner's tools are reached.
std::string tools_url(const Inside& inside);
/// What stands in the place of a key: the real one is put in outside.
inline constexpr std::string_view kPlaceholderKey = "put-in-by-the-runner";

}  // namespace botburrow::executors
