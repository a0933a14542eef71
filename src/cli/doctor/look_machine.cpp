#include "base/deadline.hpp"
#include "base/error.hpp"
#include "cli/doctor/look.hpp"
#include "net/http_client.hpp"

#include <fmt/format.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace botburrow::cli::doctor {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kTime = 5s;

/// A folder that may not be there yet is judged by the one that it will be made in.
std::string nearest_there(const std::string& path) {
  std::error_code error;
  auto at = fs::absolute(path, error);
  while (!error && !fs::exists(at, error) && at != at.parent_path())
    at = at.parent_path();
  return at.string();
}

DiskFacts look_at_disk(const std::string& path, const std::string& purpose) {
  DiskFacts disk{.path = path, .purpose = purpose};
  const auto there = nearest_there(path);
  struct statvfs room{};
  if (::statvfs(there.c_str(), &room) != 0) {
    disk.trouble = std::strerror(errno);
    return disk;
  }
  disk.bytes_free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  disk.bytes_total = static_cast<std::uint64_t>(room.f_blocks) * room.f_frsize;
  disk.files_free = room.f_favail;
  disk.files_total = room.f_files;
  disk.writable = ::access(there.c_str(), W_OK | X_OK) == 0;
  return disk;
}

/// "max" reads as 0, and so does a file that is not there.
std::uint64_t number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  return file >> value ? value : 0;
}

/// What version 1 says where there is no limit is close to 2^63.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;

/// Names of the files of one version.
struct MemoryFiles {
  std::string mount, limit, used, unused_pages;
};

void consider(const std::string& root, const MemoryFiles& files, const std::string& group,
              std::optional<CgroupMemory>& tightest) {
  const auto folder = root + files.mount + group;
  const auto limit = number_in(folder + "/" + files.limit);
  if (limit == 0 || limit >= kNoLimit || (tightest && tightest->limit <= limit)) return;
  std::ifstream stat(folder + "/memory.stat");
  tightest = {.limit = limit,
              .used = memory_in_use(number_in(folder + "/" + files.used), stat, files.unused_pages),
              .path = group.empty() ? "/" : group};
}

/// Memory of this cgroup where it has a limit, else of the machine. Pages of files that nobody has
/// used lately are given back before anything is ended, so they are not counted.
void look_at_memory(MachineFacts& machine) {
  std::ifstream own("/proc/self/cgroup");
  if (const auto group = find_cgroup_memory("/sys/fs/cgroup", own)) {
    machine.memory_limit = group->limit;
    machine.memory_used = group->used;
    machine.memory_of = "cgroup " + group->path;
    return;
  }
  std::ifstream file("/proc/meminfo");
  std::uint64_t total = 0, available = 0;
  for (std::string name, unit; file >> name;) {
    std::uint64_t kib = 0;
    if (!(file >> kib)) break;
    std::getline(file, unit);
    if (name == "MemTotal:") total = kib * 1024;
    if (name == "MemAvailable:") available = kib * 1024;
  }
  machine.memory_limit = total;
  machine.memory_used = total - std::min(total, available);
  machine.memory_of = "this machine";
}

void look_at_files(const std::vector<std::string>& files, MachineFacts& machine) {
  for (const auto& file : files) {
    struct stat info{};
    if (::stat(file.c_str(), &info) != 0) {
      if (errno != ENOENT)
        machine.unseen_files.push_back(fmt::format("{}: {}", file, std::strerror(errno)));
      continue;
    }
    machine.key_files.push_back(file);
    if ((info.st_mode & 077) != 0)
      machine.open_files.push_back(fmt::format("{} has mode {:03o}", file, info.st_mode & 0777));
  }
}

struct Wanted {
  std::vector<std::pair<std::string, std::string>> folders;
  std::vector<std::string> key_files;
};

MachineFacts read_all(const Wanted& wanted) {
  MachineFacts machine;
  for (const auto& [path, purpose] : wanted.folders)
    machine.disks.push_back(look_at_disk(path, purpose));
  look_at_memory(machine);
  look_at_files(wanted.key_files, machine);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) machine.descriptors_max = limit.rlim_cur;
  return machine;
}

std::string proxy_of(const Environment& environment) {
  for (const auto* name : {"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"})
    if (const auto value = environment.variable(name)) return *value;
  return "";
}

/// Any answer will do: it speaks HTTP.
Task<> ask_proxy(const Ground& ground, MachineFacts& machine) {
  auto url = proxy_of(ground.environment);
  if (url.empty()) co_return;
  if (url.find("://") == std::string::npos) url = "http://" + url;
  const auto parts = net::parse_url(url);
  machine.proxy = fmt::format("{}:{}", parts.host, parts.port);
  net::HttpClient http(ground.executor, {.user_agent = "botburrow-doctor"});
  try {
    co_await http.send({.url = fmt::format("{}://{}:{}/", parts.scheme, parts.host, parts.port),
                        .total_timeout = 3000ms});
  } catch (const Error& error) {
    if (error.detail() == "not_sent") machine.proxy_trouble = error.message();
  }
}

}  // namespace

std::uint64_t memory_in_use(std::uint64_t current, std::istream& memory_stat,
                            std::string_view unused_pages) {
  std::string name;
  for (std::uint64_t bytes = 0; memory_stat >> name >> bytes;)
    if (name == unused_pages) return current - std::min(current, bytes);
  return current;
}

std::optional<CgroupMemory> find_cgroup_memory(const std::string& root, std::istream& own) {
  static const MemoryFiles v2{.mount = "",
                              .limit = "memory.max",
                              .used = "memory.current",
                              .unused_pages = "inactive_file"};
  static const MemoryFiles v1{.mount = "/memory",
                              .limit = "memory.limit_in_bytes",
                              .used = "memory.usage_in_bytes",
                              .unused_pages = "total_inactive_file"};
  std::optional<CgroupMemory> tightest;
  for (std::string line; std::getline(own, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool is_v2 = controllers == ",,";
    if (!is_v2 && controllers.find(",memory,") == std::string::npos) continue;
    // In a container the path may be one of the host: what is mounted at the root is ours then.
    auto group = line.substr(second + 1);
    while (group.ends_with('/'))
      group.pop_back();
    for (;;) {
      consider(root, is_v2 ? v2 : v1, group, tightest);
      if (group.empty()) break;
      group.erase(group.rfind('/'));
    }
  }
  return tightest;
}

Task<> look_at_machine(const Ground& ground, const Place& place, BlockingPool& pool,
                       MachineFacts& machine) {
  Wanted wanted;
  if (!place.data_folder.empty()) {
    wanted.folders.emplace_back(place.data_folder, "data folder");
    wanted.key_files = {place.data_folder + "/keys.json"};
  }
  wanted.folders.emplace_back(ground.settings.text("WORKSPACE_ROOT"), "WORKSPACE_ROOT");
  try {
    machine = co_await with_deadline("looking at the disks", Deadline::in(kTime),
                                     pool.run_or_leave([wanted] { return read_all(wanted); }));
  } catch (const Error& error) {
    machine.trouble = error.message();
  }
  try {
    co_await ask_proxy(ground, machine);
  } catch (const Error& error) {
    machine.proxy = "set";
    machine.proxy_trouble = error.message();
  }
}

}  // namespace botburrow::cli::doctor
