#include "sandbox/launcher.hpp"

#include "base/error.hpp"
#include "sandbox/init_image.hpp"
#include "sandbox/seccomp_filter.hpp"

#include <fmt/format.h>

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace botburrow::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgramPath = "/usr/local/bin:/usr/bin:/bin";

// Numbers of the descriptors that bubblewrap gets; those of process 1 are in the protocol.
constexpr int kFilterFd = 10;
constexpr int kInitFd = 11;
constexpr int kFirstTextFd = 12;

std::vector<SystemFolder> system_folders() {
  std::vector<SystemFolder> folders;
  for (const char* path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    std::error_code error;
    if (fs::is_symlink(path, error)) {
      const auto target = fs::read_symlink(path, error).string();
      if (!error) folders.push_back({path, target.starts_with('/') ? target.substr(1) : target});
    } else if (fs::is_directory(path, error)) {
      folders.push_back({path, ""});
    }
  }
  return folders;
}

/// A folder that is there on every system and that nothing of a sandbox comes from.
std::string find_stage() {
  for (const char* path : {"/mnt", "/media", "/tmp"}) {
    std::error_code error;
    if (fs::is_directory(path, error)) return path;
  }
  throw Error(errc::io, "no folder to show workspaces at (/mnt, /media, /tmp)");
}

/// Since 5.14 the kernel counts tasks for each user namespace; before that a limit would count what
/// our user runs elsewhere.
bool counts_tasks_by_namespace() {
  utsname name{};
  int major = 0, minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 5 || (major == 5 && minor >= 14);
}

net::UniqueFd text_file(std::string_view text) {
  return sealed_file("botburrow-etc", text.data(), text.size());
}

}  // namespace

BwrapLauncher::BwrapLauncher(boost::asio::any_io_executor executor, Owner owner, Reach reach)
    : executor_(executor),
      owner_(owner),
      reach_(reach),
      system_(system_folders()),
      limits_tasks_(counts_tasks_by_namespace()),
      init_(open_init_image()),
      filter_(make_seccomp_filter({})) {
  const auto found = net::find_program("bwrap", kProgramPath);
  if (!found)
    throw Error(errc::not_found, "bubblewrap is not installed (package bubblewrap, program bwrap)");
  program_ = *found;
  if (reach_ == Reach::staged) stage_ = find_stage();
  const auto add = [this](const char* path, std::string_view text) {
    texts_.push_back({text_file(text), path});
  };
  add("/etc/passwd", "agent:x:1000:1000:agent:/workspace:/bin/sh\n");
  add("/etc/group", "agent:x:1000:\n");
  add("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n");
  add("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
}

net::ProcessOptions BwrapLauncher::process_options(const CellPlan& plan,
                                                   std::vector<net::UniqueFd>& held) const {
  net::ProcessOptions options{.path_for_lookup = kProgramPath, .die_with_parent = true};
  // Its readers move the position of a file: each sandbox gets one of its own.
  const auto pass_copy = [&](const net::UniqueFd& file, int number) {
    held.push_back(reopened(file));
    options.pass_fds.emplace_back(held.back().get(), number);
  };
  BwrapPlan bwrap{.program = program_,
                  .workspace = plan.workspace->path(),
                  .home = plan.home ? plan.home->path() : "",
                  .system = system_,
                  .read_only = plan.read_only,
                  .filter_fd = kFilterFd,
                  .init_fd = kInitFd};
  pass_copy(filter_, kFilterFd);
  pass_copy(init_, kInitFd);
  for (const auto& text : texts_) {
    const int number = kFirstTextFd + static_cast<int>(bwrap.files.size());
    pass_copy(text.file, number);
    bwrap.files.emplace_back(number, text.path);
  }
  if (owner_.is_another()) {
    const bool staged = reach_ == Reach::staged;
    options.argv = {fmt::format("/proc/self/fd/{}", kInitFd), "enter", std::to_string(owner_.uid),
                    std::to_string(owner_.gid), staged ? stage_ : "-"};
    const auto show = [&](const HeldFolder& folder, const char* name, std::string& place) {
      options.argv.insert(options.argv.end(), {folder.path(), name});
      place = stage_ + "/" + name;
    };
    if (staged) show(*plan.workspace, "workspace", bwrap.workspace);
    if (staged && plan.home) show(*plan.home, "home", bwrap.home);
    options.argv.emplace_back("--");
  }
  for (auto& word : bwrap_command(bwrap))
    options.argv.push_back(std::move(word));
  return options;
}

Task<std::unique_ptr<Cell>> BwrapLauncher::start(CellPlan plan, Deadline deadline) {
  std::vector<net::UniqueFd> held;
  auto options = process_options(plan, held);
  auto control = make_socket_pair();
  options.pass_fds.emplace_back(control.theirs.get(), wire::kControlFd);
  if (plan.bridge_fd >= 0) options.pass_fds.emplace_back(plan.bridge_fd, wire::kBridgeFd);
  auto launcher = net::Process::spawn(executor_, std::move(options));
  control.theirs.reset();
  held.clear();
  auto cell = std::make_unique<Cell>(
      executor_, Cell::Parts{.launcher = std::move(launcher),
                             .control = std::move(control.ours),
                             .limits = plan.limits,
                             .limits_tasks = limits_tasks_,
                             .over_quota = plan.over_quota,
                             .workspace = kWorkspaceInside,
                             .home = plan.home ? kHomeInside : kWorkspaceInside});
  co_await cell->begin(deadline);
  co_return cell;
}

}  // namespace botburrow::sandbox
