#pragma once

#include "base/task.hpp"
#include "net/subprocess.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::mcp {

/// A server as a process.
struct LaunchSpec {
  std::string server;             ///< its name in the registry, for messages
  std::vector<std::string> argv;  ///< the program and its arguments; no shell
  /// Credentials and the like, for this process only. Never in a message or a log.
  std::map<std::string, std::string> environment;
  std::vector<std::string> hosts;  ///< `host` or `host:port` that it may reach
  std::string workspace;           ///< the one folder it may write; empty: none
};

/// Starts servers: where and how confined is the implementation's.
class Launcher {
 public:
  virtual ~Launcher() = default;
  /// A process in a group of its own with pipes on stdin, stdout and stderr. Throws
  /// Error{not_found} where the program is not there, Error{io} for other failures; both name it.
  virtual Task<std::unique_ptr<net::Process>> launch(LaunchSpec spec) = 0;
  /// What may be the matter with a server that did not get through its start, for messages; empty
  /// where nothing is known. May touch the disk.
  virtual std::string suspicion(const LaunchSpec&) const { return ""; }
  /// The file that launch() would run for this first word of an argv; nothing where there is none.
  /// Its path may stand in the place of that word. Touches the disk.
  virtual std::optional<std::string> find(const std::string& program) const = 0;
};

/// Runs a server as a plain child with the environment of `base` and the one of the spec: what an
/// operator typed, and tests.
class PlainLauncher final : public Launcher {
 public:
  PlainLauncher(boost::asio::any_io_executor executor,
                std::map<std::string, std::string> base_environment);
  Task<std::unique_ptr<net::Process>> launch(LaunchSpec spec) override;
  std::optional<std::string> find(const std::string& program) const override;

 private:
  boost::asio::any_io_executor executor_;
  std::map<std::string, std::string> base_;
};

}  // namespace botburrow::mcp
