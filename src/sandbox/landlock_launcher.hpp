#pragma once

#include "net/unique_fd.hpp"
#include "sandbox/launcher.hpp"

#include <memory>
#include <string>
#include <vector>

namespace botburrow::sandbox {

/// Starts sandboxes where no namespaces can be had: rules on files by Landlock, a stricter filter
/// of system calls, and process 1 as the one who decides about connections and signals. Programs
/// see the workspace at its real path, nothing of /proc, and no /tmp.
class LandlockLauncher final : public Launcher {
 public:
  /// Throws Error{io}.
  LandlockLauncher(boost::asio::any_io_executor executor, Owner owner);
  Task<std::unique_ptr<Cell>> start(CellPlan plan, Deadline deadline) override;

 private:
  boost::asio::any_io_executor executor_;
  Owner owner_;
  net::UniqueFd init_;
  net::UniqueFd filter_;
};

}  // namespace botburrow::sandbox
