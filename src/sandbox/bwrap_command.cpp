#include "sandbox/bwrap_command.hpp"

#include <initializer_list>

namespace botburrow::sandbox {
namespace {

class Arguments {
 public:
  explicit Arguments(std::string program) { list_.push_back(std::move(program)); }
  void add(std::initializer_list<std::string> words) { list_.insert(list_.end(), words); }
  void tmpfs(std::uint64_t bytes, const char* at) {
    add({"--perms", "1777", "--size", std::to_string(bytes), "--tmpfs", at});
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

void add_isolation(Arguments& args) {
  args.add({"--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
            "--unshare-cgroup-try"});
  args.add({"--disable-userns", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"});
  args.add({"--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"});
}

void add_system(Arguments& args, const BwrapPlan& plan) {
  args.add({"--ro-bind", "/usr", "/usr"});
  for (const auto& folder : plan.system) {
    if (folder.link.empty())
      args.add({"--ro-bind", folder.path, folder.path});
    else
      args.add({"--symlink", folder.link, folder.path});
  }
  // Of /etc what programs cannot do without, and nothing that anybody configured.
  for (const char* path :
       {"/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
        "/etc/localtime", "/etc/mime.types", "/etc/protocols", "/etc/services", "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf"})
    args.add({"--ro-bind-try", path, path});
  for (const auto& [fd, path] : plan.files)
    args.add({"--perms", "0444", "--file", std::to_string(fd), path});
}

void add_places(Arguments& args, const BwrapPlan& plan) {
  args.add({"--proc", "/proc", "--dev", "/dev"});
  args.tmpfs(plan.tmpfs_bytes, "/dev/shm");
  args.add({"--remount-ro", "/dev"});
  args.tmpfs(plan.tmpfs_bytes, "/tmp");
  args.add({"--dir", "/run", "--dir", "/var", "--symlink", "/tmp", "/var/tmp"});
  // After /tmp, below which a program may lie.
  for (const auto& path : plan.read_only)
    args.add({"--ro-bind", path, path});
  args.add({"--bind", plan.workspace, kWorkspaceInside});
  if (!plan.home.empty()) args.add({"--bind", plan.home, kHomeInside});
  args.add({"--remount-ro", "/", "--chdir", kWorkspaceInside});
}

}  // namespace

std::vector<std::string> bwrap_command(const BwrapPlan& plan) {
  Arguments args(plan.program);
  add_isolation(args);
  add_system(args, plan);
  add_places(args, plan);
  args.add({"--seccomp", std::to_string(plan.filter_fd)});
  args.add({"--", "/proc/self/fd/" + std::to_string(plan.init_fd), "serve"});
  return args.take();
}

}  // namespace botburrow::sandbox
