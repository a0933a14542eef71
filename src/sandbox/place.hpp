#pragma once

#include "base/log.hpp"
#include "base/stop.hpp"
#include "base/task.hpp"
#include "sandbox/egress_proxy.hpp"
#include "sandbox/program.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/sandboxes.hpp"
#include "sandbox/workspace_files.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::sandbox {

/// What somebody wants to do here.
enum class Need {
  files,     ///< a workspace
  shell,     ///< commands of an agent
  programs,  ///< a command-line agent, an MCP server
};

/// Where one activation works: its workspace and its sandboxes, each made when it is first needed,
/// so that an agent that only talks pays for neither. Calls may come at the same time. close()
/// comes before the end, whatever the end is, once nobody calls any more.
class Place {
 public:
  /// `id` names the workspace: the activation's.
  /// `network` is what its agent's definition allows its commands.
  Place(Sandboxes& sandboxes, std::string id, Log log, NetworkPolicy network = {});
  ~Place();
  Place(const Place&) = delete;

  /// Why this runner cannot give it, for whoever asked; nothing when it can.
  Task<std::optional<std::string>> refusal(Need need);

  /// The files of the workspace, which is made if need be. Throws Error{io}.
  Task<std::shared_ptr<WorkspaceFiles>> files();
  BlockingPool& pool() { return sandboxes_.pool(); }

  /// Where programs see the workspace, which is made if need be. Throws Error{io}.
  Task<std::string> workspace_inside();

  /// A program that an extra sandbox can run; nothing where it is not there. Touches the disk.
  std::optional<LocatedProgram> locate(const std::string& name) const;

  /// The sandbox of this activation's commands; another one if it ended under us, a few times.
  /// Throws Error{io, limit}.
  Task<std::shared_ptr<Sandbox>> sandbox();

  /// A sandbox of its own for one program that stays, such as an MCP server: on the same
  /// workspace, with a private home at /home/agent. Throws Error{io}.
  struct Extra {
    std::vector<std::string> read_only;   ///< further folders of the system, where its program lies
    std::optional<SandboxLimits> limits;  ///< nothing: the runner's settings
    NetworkPolicy network;
    /// Providers that it reaches at http://127.0.0.1:3128/_/llm/<provider>, without their keys.
    std::vector<std::string> models;
    /// The same for routes of its own, by the name in the path.
    std::map<std::string, ModelRoute> routes;
    /// What the runner serves it at http://127.0.0.1:3128/_/...; may be empty.
    std::function<Task<LocalAnswer>(LocalRequest)> local;
    /// What its home holds when it starts: text by the path below it. May be empty.
    std::function<std::map<std::string, std::string>(const Sandbox&)> home_files;
  };
  Task<std::shared_ptr<Sandbox>> extra_sandbox(Extra extra);

  /// The same with the program in it: a process with pipes on stdin, stdout and stderr. `command`
  /// is asked for it once the sandbox is there, since where workspace and home lie depends on the
  /// tier; what it names as environment is all that the program gets. Program and everything it
  /// started are gone when it ends, when what is returned is destroyed, and at close(), whichever
  /// is first. `deadline` is the activation's: it bounds the processor time that the limits allow.
  /// Throws Error{not_found} where the program is not inside, Error{io}, also on a tier that runs
  /// no programs.
  using CommandOf = std::function<Command(const Sandbox& where)>;
  Task<std::unique_ptr<net::Process>> start_program(Extra extra, CommandOf command,
                                                    Deadline deadline);

  /// The variables that send a program's HTTP to the proxy of its sandbox.
  static std::vector<std::string> proxy_environment();

  /// After a command ran: the size of the workspace is not what it was.
  void changed();

  /// Stops what runs and removes what was made. Safe to repeat; afterwards nothing can be made.
  Task<> close();

 private:
  void refuse_when_closed() const;
  Task<> make_once(std::function<bool()> missing, std::function<Task<>()> make);
  Task<> make_workspace();
  Task<> replace_sandbox();
  Task<std::shared_ptr<Sandbox>> start(const HeldFolder* home, Extra extra);
  Task<> fill_home(std::shared_ptr<HeldFolder> home, std::map<std::string, std::string> files);
  Task<> remove(std::shared_ptr<HeldFolder> folder);

  Sandboxes& sandboxes_;
  std::string id_;
  Log log_;
  NetworkPolicy network_;
  std::shared_ptr<HeldFolder> workspace_;
  std::shared_ptr<WorkspaceFiles> files_;
  std::vector<std::shared_ptr<HeldFolder>> homes_;
  std::shared_ptr<Sandbox> sandbox_;
  std::vector<std::shared_ptr<Sandbox>> started_;
  std::vector<std::unique_ptr<EgressProxy>> proxies_;
  std::shared_ptr<StopSource> making_;  // somebody makes the workspace, or the sandbox
  int homes_made_ = 0;
  int restarts_ = 0;
  bool closed_ = false;
};

}  // namespace botburrow::sandbox
