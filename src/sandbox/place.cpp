#include "sandbox/place.hpp"

#include "base/error.hpp"

namespace botburrow::sandbox {

Place::Place(Sandboxes& sandboxes, std::string id, Log log)
    : sandboxes_(sandboxes), id_(std::move(id)), log_(std::move(log)) {}

Place::~Place() = default;

Task<std::shared_ptr<WorkspaceFiles>> Place::files() {
  if (files_) co_return files_;
  if (closed_) throw Error(errc::invalid_argument, "this activation has given its workspace back");
  auto make = [root = sandboxes_.settings().workspace_root, id = id_, owner = sandboxes_.owner()] {
    return HeldFolder::make(root, id, owner);
  };
  workspace_ = std::make_shared<HeldFolder>(co_await pool().run(std::move(make)));
  files_ = std::make_shared<WorkspaceFiles>(workspace_->fd(), sandboxes_.owner(),
                                            sandboxes_.settings().quota_bytes);
  log_.info("sandbox_started", {{"workspace", workspace_->path()}});
  co_return files_;
}

Task<> Place::close() {
  closed_ = true;
  if (!workspace_) co_return;
  files_.reset();
  const auto workspace = std::exchange(workspace_, nullptr);
  const bool gone = co_await pool().run([workspace] { return workspace->remove(); });
  if (gone) {
    log_.info("sandbox_stopped", {});
  } else {
    log_.warning("workspace_cleanup_error",
                 {{"workspace", workspace->path()}, {"msg", "the next start tries again"}});
  }
}

}  // namespace botburrow::sandbox
