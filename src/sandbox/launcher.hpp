#pragma once

#include "base/task.hpp"
#include "net/unique_fd.hpp"
#include "sandbox/bwrap_command.hpp"
#include "sandbox/cell.hpp"
#include "sandbox/workspace.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::sandbox {

/// How a sandbox of the first tier reaches folders that only root may see.
enum class Reach {
  direct,  ///< the path as it is
  staged,  ///< root shows them at another place, in a mount namespace of its own, and then gives up
           ///< its rights
};

/// What one sandbox is made of.
struct CellPlan {
  const HeldFolder* workspace = nullptr;
  const HeldFolder* home = nullptr;    ///< null: none
  std::vector<std::string> read_only;  ///< further folders of the system
  SandboxLimits limits;
  std::function<Task<bool>(std::uint64_t more)> over_quota;
  int bridge_fd = -1;  ///< process 1 passes connections on through this; -1: no network at all
};

/// Starts the sandboxes of one tier.
class Launcher {
 public:
  virtual ~Launcher() = default;
  /// Returns a sandbox in which process 1 has reported. Throws Error{io} with what it said.
  virtual Task<std::unique_ptr<Cell>> start(CellPlan plan, Deadline deadline) = 0;
};

/// Starts sandboxes with bubblewrap. Holds what they have in common.
class BwrapLauncher final : public Launcher {
 public:
  /// Throws Error{not_found} without bubblewrap, Error{io}.
  BwrapLauncher(boost::asio::any_io_executor executor, Owner owner, Reach reach);

  Task<std::unique_ptr<Cell>> start(CellPlan plan, Deadline deadline) override;

 private:
  struct TextFile {
    net::UniqueFd file;
    std::string path;
  };
  net::ProcessOptions process_options(const CellPlan& plan, std::vector<net::UniqueFd>& held) const;

  boost::asio::any_io_executor executor_;
  Owner owner_;
  Reach reach_;
  std::string program_;
  std::string stage_;
  std::vector<SystemFolder> system_;
  bool limits_tasks_;
  net::UniqueFd init_;
  net::UniqueFd filter_;
  std::vector<TextFile> texts_;
};

}  // namespace botburrow::sandbox
