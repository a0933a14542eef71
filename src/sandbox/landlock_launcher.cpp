#include "sandbox/landlock_launcher.hpp"

#include "sandbox/init_image.hpp"
#include "sandbox/seccomp_filter.hpp"

#include <fmt/format.h>

namespace botburrow::sandbox {
namespace {

// Numbers of the descriptors that process 1 gets beside those of the protocol.
constexpr int kFilterFd = 10;
constexpr int kInitFd = 11;

/// What programs may read and start; the rest of the system is not there for them.
constexpr const char* kReadable[] = {"/usr",
                                     "/bin",
                                     "/sbin",
                                     "/lib",
                                     "/lib32",
                                     "/lib64",
                                     "/libx32",
                                     "/etc/alternatives",
                                     "/etc/ld.so.cache",
                                     "/etc/ld.so.conf",
                                     "/etc/ld.so.conf.d",
                                     "/etc/localtime",
                                     "/etc/mime.types",
                                     "/etc/protocols",
                                     "/etc/services",
                                     "/etc/ssl/certs",
                                     "/etc/ssl/openssl.cnf",
                                     "/etc/passwd",
                                     "/etc/group",
                                     "/etc/hosts",
                                     "/etc/nsswitch.conf",
                                     "/proc/cpuinfo",
                                     "/proc/meminfo",
                                     "/proc/version",
                                     "/proc/filesystems",
                                     "/proc/loadavg",
                                     "/proc/uptime",
                                     "/proc/stat"};

std::vector<std::string> command_of(const CellPlan& plan, Owner owner) {
  const auto init = fmt::format("/proc/self/fd/{}", kInitFd);
  std::vector<std::string> argv;
  if (owner.is_another())
    argv = {init, "enter", std::to_string(owner.uid), std::to_string(owner.gid), "-", "--"};
  argv.insert(argv.end(), {init, "keep", std::to_string(kFilterFd)});
  const auto add = [&argv](const char* how, const std::string& path) {
    argv.insert(argv.end(), {how, path});
  };
  for (const char* path : kReadable)
    add("r", path);
  for (const auto& path : plan.read_only)
    add("r", path);
  add("w", plan.workspace->path());
  if (plan.home) add("w", plan.home->path());
  return argv;
}

}  // namespace

LandlockLauncher::LandlockLauncher(boost::asio::any_io_executor executor, Owner owner)
    : executor_(executor),
      owner_(owner),
      init_(open_init_image()),
      filter_(make_seccomp_filter({.without_namespaces = true})) {}

Task<std::unique_ptr<Cell>> LandlockLauncher::start(CellPlan plan, Deadline deadline) {
  auto control = make_socket_pair();
  const auto init = reopened(init_);
  const auto filter = reopened(filter_);
  // Not to die with us but to kill its programs first: it hears the end of its socket.
  net::ProcessOptions options{.argv = command_of(plan, owner_),
                              .pass_fds = {{control.theirs.get(), wire::kControlFd},
                                           {filter.get(), kFilterFd},
                                           {init.get(), kInitFd}}};
  if (plan.bridge_fd >= 0) options.pass_fds.emplace_back(plan.bridge_fd, wire::kBridgeFd);
  auto launcher = net::Process::spawn(executor_, std::move(options));
  control.theirs.reset();
  auto cell = std::make_unique<Cell>(
      executor_, Cell::Parts{.launcher = std::move(launcher),
                             .control = std::move(control.ours),
                             .limits = plan.limits,
                             .limits_tasks = true,
                             .over_quota = plan.over_quota,
                             .workspace = plan.workspace->path(),
                             .home = plan.home ? plan.home->path() : plan.workspace->path()});
  co_await cell->begin(deadline);
  co_return cell;
}

}  // namespace botburrow::sandbox
