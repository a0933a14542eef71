#include "sandbox/init/watch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace botburrow::sandbox::init {
namespace {

constexpr int kProcessesMax = 65536;  // of the whole machine, without a namespace of our own

struct Seen {
  pid_t pid = 0;
  pid_t parent = 0;
  std::uint64_t ticks = 0;
  bool ours = false;
  bool judged = false;
};

// Read over and over; no allocation, so that a full machine does not stop us.
Seen table[kProcessesMax];
char text[4096];

// A process that ended while we looked is none to be counted; this is not one.
bool lack_means() {
  return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

/// The file's beginning with a zero behind it; false when it cannot be read.
bool read_proc(pid_t pid, const char* name) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  errno = 0;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto got = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (got <= 0) return false;
  text[got] = '\0';
  return true;
}

/// Field 4 is the parent, 14 to 17 the times. The name before them may hold anything.
bool read_stat(Seen& seen) {
  if (!read_proc(seen.pid, "stat")) return false;
  const char* rest = std::strrchr(text, ')');
  if (!rest) return false;
  unsigned long utime = 0, stime = 0;
  long cutime = 0, cstime = 0;
  int parent = 0;
  const int fields =
      std::sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &parent,
                  &utime, &stime, &cutime, &cstime);
  if (fields != 5) return false;
  seen.parent = parent;
  seen.ticks = utime + stime + static_cast<unsigned long>(cutime + cstime);
  return true;
}

std::uint64_t number_after(const char* label) {
  const char* found = std::strstr(text, label);
  return found ? std::strtoull(found + std::strlen(label), nullptr, 10) : 0;
}

/// Anonymous and shared memory; pages of files are the kernel's to give up.
std::uint64_t memory_of(pid_t pid, bool& blind) {
  if (!read_proc(pid, "status")) {
    blind = blind || lack_means();
    return 0;
  }
  return (number_after("\nRssAnon:") + number_after("\nRssShmem:")) * 1024;
}

int list_processes(bool& blind) {
  DIR* const proc = ::opendir("/proc");
  blind = proc == nullptr;
  if (!proc) return 0;
  int count = 0;
  const pid_t self = ::getpid();
  while (const auto* const entry = ::readdir(proc)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || count >= kProcessesMax) continue;
    Seen seen{.pid = std::atoi(entry->d_name)};
    if (seen.pid == self) continue;
    if (read_stat(seen))
      table[count++] = seen;
    else
      blind = blind || lack_means();
  }
  ::closedir(proc);
  return count;
}

int find_process(int count, pid_t pid) {
  const Seen* const begin = table;
  const Seen* const end = table + count;
  const auto is_before = [](const Seen& seen, pid_t wanted) { return seen.pid < wanted; };
  const Seen* const found = std::lower_bound(begin, end, pid, is_before);
  return found != end && found->pid == pid ? static_cast<int>(found - begin) : -1;
}

/// Each chain of parents is walked once, however deep it is: a fork bomb makes deep ones.
void mark_descendants(int count) {
  static int chain[kProcessesMax];
  const pid_t self = ::getpid();
  std::sort(table, table + count, [](const Seen& a, const Seen& b) { return a.pid < b.pid; });
  for (int start = 0; start < count; ++start) {
    int length = 0;
    bool ours = false;
    for (int at = start; at >= 0; at = find_process(count, table[at].parent)) {
      // Numbers that came back while we read could make a ring.
      if (table[at].judged || length == count) {
        ours = table[at].ours;
        break;
      }
      chain[length++] = at;
      if (table[at].parent == self) {
        ours = true;
        break;
      }
    }
    for (int at = 0; at < length; ++at) {
      table[chain[at]].ours = ours;
      table[chain[at]].judged = true;
    }
  }
}

int list_ours(bool descendants_only, bool& blind) {
  const int count = list_processes(blind);
  if (descendants_only) {
    mark_descendants(count);
  } else {
    for (int at = 0; at < count; ++at)
      table[at].ours = true;
  }
  return count;
}

/// Which files have been counted: two descriptors may mean the same one.
class SeenFiles {
 public:
  void clear() {
    if (count_ > 0) std::memset(slots_, 0, sizeof slots_);
    count_ = 0;
  }
  /// False for one that was there before. Nothing is taken in once it is full().
  bool add(std::uint64_t inode) {
    auto at = (inode * 0x9e3779b97f4a7c15ULL) % kSlots;
    for (; slots_[at] != 0; at = (at + 1) % kSlots) {
      if (slots_[at] == inode) return false;
    }
    slots_[at] = inode;
    ++count_;
    return true;
  }
  bool full() const { return count_ >= kSlots / 2; }

 private:
  static constexpr std::size_t kSlots = std::size_t{1} << 17;
  std::uint64_t slots_[kSlots];
  std::size_t count_;
};
SeenFiles seen_files;

/// A folder of /proc; what ended meanwhile has none.
DIR* open_proc(const char* path, Removed& removed) {
  errno = 0;
  DIR* const folder = ::opendir(path);
  if (folder) return folder;
  removed.blind = removed.blind || lack_means();
  removed.closed = removed.closed || errno == EACCES || errno == EPERM;
  return nullptr;
}

void add_open_files(const char* path, dev_t device, Removed& removed) {
  DIR* const folder = open_proc(path, removed);
  if (!folder) return;
  while (const auto* const entry = ::readdir(folder)) {
    struct stat file{};
    if (entry->d_name[0] == '.' || ::fstatat(::dirfd(folder), entry->d_name, &file, 0) != 0)
      continue;
    if (file.st_nlink != 0 || !S_ISREG(file.st_mode) || file.st_dev != device) continue;
    if (seen_files.full()) removed.blind = true;
    if (removed.blind) break;
    if (seen_files.add(file.st_ino))
      removed.bytes += static_cast<std::uint64_t>(file.st_blocks) * 512;
  }
  ::closedir(folder);
}

/// Each thread may have descriptors of its own.
void add_open_files_of(pid_t pid, dev_t device, Removed& removed) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* const tasks = open_proc(path, removed);
  if (!tasks) return;
  while (const auto* const entry = ::readdir(tasks)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/fd", pid, std::atoi(entry->d_name));
    add_open_files(path, device, removed);
  }
  ::closedir(tasks);
}

std::uint64_t files_of(const char* path) {
  struct statvfs status{};
  if (::statvfs(path, &status) != 0 || status.f_files < status.f_ffree) return 0;
  return status.f_files - status.f_ffree;
}

std::uint64_t ms_of_ticks(std::uint64_t ticks) {
  static const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return ticks * 1000 / per_second;
}

}  // namespace

std::uint64_t reaped_cpu_ms() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto ms = [](const timeval& t) {
    return static_cast<std::uint64_t>(t.tv_sec) * 1000 +
           static_cast<std::uint64_t>(t.tv_usec) / 1000;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

std::uint64_t tasks_of_user() {
  DIR* const proc = ::opendir("/proc");
  if (!proc) return 0;
  std::uint64_t tasks = 0;
  while (const auto* const entry = ::readdir(proc)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (!read_proc(std::atoi(entry->d_name), "status")) continue;
    if (number_after("\nUid:") == ::getuid()) tasks += number_after("\nThreads:");
  }
  ::closedir(proc);
  return tasks;
}

Usage measure(bool descendants_only) {
  Usage usage;
  const int count = list_ours(descendants_only, usage.blind);
  std::uint64_t ticks = 0;
  for (int at = 0; at < count; ++at) {
    if (!table[at].ours) continue;
    ++usage.processes;
    ticks += table[at].ticks;
    usage.memory_bytes += memory_of(table[at].pid, usage.blind);
  }
  usage.cpu_ms = ms_of_ticks(ticks) + reaped_cpu_ms();
  return usage;
}

Removed held_removed_files(dev_t device, bool descendants_only) {
  Removed removed;
  seen_files.clear();
  const int count = list_ours(descendants_only, removed.blind);
  for (int at = 0; at < count; ++at) {
    if (table[at].ours) add_open_files_of(table[at].pid, device, removed);
  }
  return removed;
}

std::uint64_t files_in_memory() {
  return files_of("/tmp") + files_of("/dev/shm");
}

void signal_everything(bool descendants_only, int signal) {
  if (!descendants_only) {
    // In a process namespace of our own: everything in it but us, in one step.
    ::kill(-1, signal);
    return;
  }
  bool blind = false;  // Whom we missed, the next look finds.
  const int count = list_ours(true, blind);
  for (int at = 0; at < count; ++at) {
    if (table[at].ours) ::kill(table[at].pid, signal);
  }
}

void kill_everything(bool descendants_only) {
  for (;;) {
    // Stopped first, so that nobody makes more while we look.
    if (descendants_only) signal_everything(true, SIGSTOP);
    signal_everything(descendants_only, SIGKILL);
    for (;;) {
      const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
      if (pid < 0 && errno == ECHILD) return;
      if (pid <= 0) break;
    }
    ::usleep(500);
  }
}

}  // namespace botburrow::sandbox::init
