#pragma once

#include "base/random.hpp"
#include "tests/sandbox/sandbox_world.hpp"
#include "tools/core_tools.hpp"
#include "tools/toolbox.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace botburrow::escape {

using namespace std::chrono_literals;

/// Sockets of this machine that nobody inside a sandbox may reach. Each counts who came.
class Lures {
 public:
  explicit Lures(const std::filesystem::path& folder);
  ~Lures();
  Lures(const Lures&) = delete;
  int tcp4() const { return port_of_tcp4_; }
  int tcp6() const { return port_of_tcp6_; }
  int udp() const { return port_of_udp_; }
  const std::string& unix_path() const { return unix_path_; }
  const std::string& abstract_name() const { return abstract_name_; }
  /// What came to any of them, by name.
  std::vector<std::string> visited() const;

 private:
  int tcp4_ = -1, tcp6_ = -1, udp_ = -1, unix_ = -1, abstract_ = -1;
  int port_of_tcp4_ = 0, port_of_tcp6_ = 0, port_of_udp_ = 0;
  std::string unix_path_, abstract_name_;
};

/// A runner with secrets, neighbours and a machine around, and one activation whose agent is as
/// hostile as it can be. At the end of each test: nothing of it runs, nothing of it is left,
/// nothing outside has changed, and no secret stands in what it was answered.
class EscapeTest : public ::testing::Test {
 protected:
  EscapeTest();
  ~EscapeTest() override;
  void TearDown() override;

  /// The shell of the agent from here on; by default it may run bash.
  void allow(definitions::Shell shell);
  /// A call of a tool, as a model makes it. Its answer is kept and searched for secrets at the end.
  std::string call(std::string tool, json::value arguments);
  std::string bash(std::string command) { return call("Bash", {{"command", std::move(command)}}); }
  std::string write(std::string path, std::string content) {
    return call("Write", {{"file_path", std::move(path)}, {"content", std::move(content)}});
  }
  std::string read(std::string path) { return call("Read", {{"file_path", std::move(path)}}); }

  std::filesystem::path inside() const { return root() / "ws/place-1"; }
  std::filesystem::path outside() const { return root() / "outside"; }
  const std::filesystem::path& root() const { return root_.path(); }
  /// Stands in the arguments or the name of everything hostile that could be left running.
  const std::string& marker() const { return marker_; }
  /// Processes anywhere on this machine with the marker.
  std::vector<std::string> marked_processes() const;
  std::size_t processes_inside();
  /// For settings that must stand before the first call.
  sandbox::SandboxSettings settings;
  sandbox::NetworkPolicy network;
  Lures& lures() { return lures_; }

 private:
  void begin();
  sandbox::TemporaryRoot root_;
  std::string canary_ = "CANARY-" + system_random().uuid4();
  std::string marker_ = "bb-escape-" + system_random().uuid4().substr(0, 8);
  Lures lures_;
  boost::asio::io_context ioc_;
  Metrics metrics_;
  definitions::Shell shell_{.enabled = true, .allowed_commands = {"bash"}};
  std::optional<sandbox::Sandboxes> sandboxes_;
  std::optional<sandbox::Place> place_;
  std::optional<tools::Toolbox> box_;
  std::vector<std::string> answers_;
  std::string outside_before_;
};

}  // namespace botburrow::escape
