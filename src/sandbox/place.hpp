#pragma once

#include "base/log.hpp"
#include "base/task.hpp"
#include "sandbox/sandboxes.hpp"
#include "sandbox/workspace_files.hpp"

#include <memory>
#include <optional>
#include <string>

namespace botburrow::sandbox {

/// Where one activation works: its workspace, made when it is first needed, so that an agent that
/// only talks pays nothing. close() comes before the end, whatever the end is.
class Place {
 public:
  /// `id` names the workspace: the activation's.
  Place(Sandboxes& sandboxes, std::string id, Log log);
  ~Place();
  Place(const Place&) = delete;

  /// The files of the workspace, which is made if need be. Throws Error{io}.
  Task<std::shared_ptr<WorkspaceFiles>> files();
  BlockingPool& pool() { return sandboxes_.pool(); }

  /// Removes what was made. Safe to repeat; afterwards files() throws.
  Task<> close();

 private:
  Sandboxes& sandboxes_;
  std::string id_;
  Log log_;
  std::shared_ptr<HeldFolder> workspace_;
  std::shared_ptr<WorkspaceFiles> files_;
  bool closed_ = false;
};

}  // namespace botburrow::sandbox
