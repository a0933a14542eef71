#include "sandbox/seccomp_filter.hpp"

#include "base/error.hpp"
#include "sandbox/init_image.hpp"

#include <fmt/format.h>
#include <seccomp.h>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace botburrow::sandbox {
namespace {

using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, decltype(&seccomp_release)>;

constexpr unsigned kNo = SCMP_ACT_ERRNO(EPERM);
constexpr unsigned kNotHere = SCMP_ACT_ERRNO(ENOSYS);
constexpr std::uint64_t kIoPriorityOfProcess = 1;  // IOPRIO_WHO_PROCESS, in no header

/// A condition on an argument. Values of 32 bits come with anything above them: each rule below is
/// right whatever stands there.
scmp_arg_cmp argument(unsigned number, scmp_compare how, std::uint64_t value,
                      std::uint64_t masked = 0) {
  return {.arg = number, .op = how, .datum_a = value, .datum_b = masked};
}

void check(int result, std::string_view what) {
  if (result >= 0) return;
  throw Error(errc::io,
              fmt::format("sandbox: filter of system calls: {}: {}", what, ::strerror(-result)));
}

/// By name, since headers may be older than the kernel; an unknown name on this machine's kind of
/// processor has nothing to refuse.
void refuse(const Filter& filter, unsigned action, const char* name) {
  const int call = seccomp_syscall_resolve_name(name);
  if (call == __NR_SCMP_ERROR) return;
  check(seccomp_rule_add(filter.get(), action, call, 0), name);
}

/// Numbers since 424 are the same on every kind of processor; libseccomp may not know the youngest.
void refuse_number(const Filter& filter, unsigned action, int call) {
  check(seccomp_rule_add(filter.get(), action, call, 0), std::to_string(call));
}

void refuse_kernel_doors(const Filter& filter) {
  for (const char* name :
       {// looking into other processes
        "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
        // mounts and namespaces
        "mount", "umount", "umount2", "pivot_root", "chroot", "setns", "unshare", "open_tree",
        "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
        "name_to_handle_at", "open_by_handle_at", "quotactl", "quotactl_fd",
        // keys, programs in the kernel, watching the machine
        "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd",
        "lookup_dcookie", "fanotify_init", "syslog", "acct",
        // the machine itself
        "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot",
        "swapon", "swapoff", "iopl", "ioperm", "modify_ldt", "vhangup", "nfsservctl", "uselib",
        "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname",
        "setdomainname",
        // memory that no process has to answer for
        "shmget", "shmat", "msgget", "semget", "mq_open"})
    refuse(filter, kNo, name);
  for (const char* name :
       {"io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_create", "memfd_secret"})
    refuse(filter, kNotHere, name);
  for (const int call : {428, 429, 430, 431, 432, 433, 442, 443})  // open_tree ... mount_setattr
    refuse_number(filter, kNo, call);
  for (const int call : {425, 426, 427, 447})  // io_uring, memfd_secret
    refuse_number(filter, kNotHere, call);
}

void refuse_namespaces_of_children(const Filter& filter) {
  constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1) {
    if ((kNamespaces & bit) == 0) continue;
    check(seccomp_rule_add(filter.get(), kNo, SCMP_SYS(clone), 1,
                           argument(0, SCMP_CMP_MASKED_EQ, bit, bit)),
          "clone");
  }
  // Its flags are behind a pointer, where no filter can look; the C library then takes clone.
  refuse_number(filter, kNotHere, 435);
}

void refuse_sockets(const Filter& filter, FilterOptions options) {
  const auto no_family = SCMP_ACT_ERRNO(EAFNOSUPPORT);
  const auto rule = [&](auto... conditions) {
    check(seccomp_rule_add(filter.get(), no_family, SCMP_SYS(socket), sizeof...(conditions),
                           conditions...),
          "socket");
  };
  // Below, between and above the two families there are.
  rule(argument(0, SCMP_CMP_LT, AF_INET));
  for (unsigned family = AF_INET + 1; family < AF_INET6; ++family)
    rule(argument(0, SCMP_CMP_EQ, family));
  rule(argument(0, SCMP_CMP_GT, AF_INET6));
  constexpr std::uint64_t kKind = 0xf;
  const auto refuse_kind = [&](std::uint64_t kind) {
    rule(argument(1, SCMP_CMP_MASKED_EQ, kKind, kind));
  };
  refuse_kind(SOCK_RAW);
  refuse_kind(SOCK_PACKET);
  // A pair is a socket of any family too.
  check(seccomp_rule_add(filter.get(), no_family, SCMP_SYS(socketpair), 1,
                         argument(0, SCMP_CMP_NE, AF_UNIX)),
        "socketpair");
  if (!options.without_namespaces) return;
  for (const std::uint64_t kind : {SOCK_DGRAM, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP})
    refuse_kind(kind);
  // A pair of any other kind sends to whichever Unix socket of the machine its address names.
  for (std::uint64_t kind = 0; kind <= kKind; ++kind) {
    if (kind == SOCK_STREAM) continue;
    check(seccomp_rule_add(filter.get(), no_family, SCMP_SYS(socketpair), 1,
                           argument(1, SCMP_CMP_MASKED_EQ, kKind, kind)),
          "socketpair");
  }
  // MPTCP and SCTP are streams too, and no rule for TCP sees them.
  rule(argument(1, SCMP_CMP_MASKED_EQ, kKind, SOCK_STREAM), argument(2, SCMP_CMP_GT, IPPROTO_TCP));
  rule(argument(1, SCMP_CMP_MASKED_EQ, kKind, SOCK_STREAM), argument(2, SCMP_CMP_EQ, 1));
}

void ask_process_1(const Filter& filter) {
  for (const char* name : {"connect", "kill", "tkill", "tgkill"}) {
    check(seccomp_rule_add(filter.get(), SCMP_ACT_NOTIFY, seccomp_syscall_resolve_name(name), 0),
          name);
  }
}

// Process 1 counts what runs here with descriptors, priority and processors that must stay its own,
// and it has the user of whoever runs here. Without namespaces so may the runner.
void refuse_touching_others(const Filter& filter) {
  struct Rule {
    const char* name;
    unsigned number;
    std::uint64_t only;
  };
  // Whose: none but one's own, which is 0. Of what: a process, never a group or a user.
  for (const auto& [name, number, only] :
       std::initializer_list<Rule>{{"prlimit64", 0, 0},
                                   {"sched_setaffinity", 0, 0},
                                   {"sched_setparam", 0, 0},
                                   {"sched_setscheduler", 0, 0},
                                   {"sched_setattr", 0, 0},
                                   {"setpriority", 1, 0},
                                   {"setpriority", 0, PRIO_PROCESS},
                                   {"ioprio_set", 1, 0},
                                   {"ioprio_set", 0, kIoPriorityOfProcess}}) {
    check(seccomp_rule_add(filter.get(), kNo, seccomp_syscall_resolve_name(name), 1,
                           argument(number, SCMP_CMP_NE, only)),
          name);
  }
  // The kernel sends the owner of a file whichever signal is chosen.
  constexpr std::uint64_t kNumber = 0xffffffffU;
  for (const std::uint64_t command : {F_SETOWN, F_SETOWN_EX, F_SETSIG}) {
    check(seccomp_rule_add(filter.get(), kNo, SCMP_SYS(fcntl), 1,
                           argument(1, SCMP_CMP_MASKED_EQ, kNumber, command)),
          "fcntl");
  }
  for (const std::uint64_t request : {FIOSETOWN, SIOCSPGRP}) {
    check(seccomp_rule_add(filter.get(), kNo, SCMP_SYS(ioctl), 1,
                           argument(1, SCMP_CMP_MASKED_EQ, kNumber, request)),
          "ioctl");
  }
}

// What reaches beyond the process without a namespace to stop it. A watch tells about files that
// cannot be read.
void refuse_reaching_out(const Filter& filter) {
  for (const char* name : {"listen", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal",
                           "migrate_pages", "move_pages", "inotify_add_watch"})
    refuse(filter, kNo, name);
  // A connection that begins with its first bytes.
  constexpr std::uint64_t kFastOpen = 0x20000000;
  for (const auto& [name, number] : std::initializer_list<std::pair<const char*, unsigned>>{
           {"sendto", 3}, {"sendmsg", 2}, {"sendmmsg", 3}}) {
    check(seccomp_rule_add(filter.get(), kNo, seccomp_syscall_resolve_name(name), 1,
                           argument(number, SCMP_CMP_MASKED_EQ, kFastOpen, kFastOpen)),
          name);
  }
}

void refuse_paths_that_no_rule_sees(const Filter& filter) {
  for (const char* name :
       {"truncate", "chmod", "fchmodat", "chown", "lchown", "fchownat", "setxattr", "lsetxattr",
        "removexattr", "lremovexattr", "utime", "utimes", "futimesat"})
    refuse(filter, kNo, name);
  refuse_number(filter, kNo, 452);   // fchmodat2
  for (const int call : {463, 466})  // setxattrat, removexattrat
    refuse_number(filter, kNo, call);
  // With a path; without one it is about an open file.
  check(seccomp_rule_add(filter.get(), kNo, SCMP_SYS(utimensat), 1, argument(1, SCMP_CMP_NE, 0)),
        "utimensat");
}

void refuse_typing(const Filter& filter) {
  // Typing into the terminal of somebody else.
  for (const std::uint64_t request : {TIOCSTI, TIOCLINUX}) {
    check(seccomp_rule_add(filter.get(), kNo, SCMP_SYS(ioctl), 1,
                           argument(1, SCMP_CMP_MASKED_EQ, 0xffffffffU, request)),
          "ioctl");
  }
}

}  // namespace

net::UniqueFd make_seccomp_filter(FilterOptions options) {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (!filter) throw Error(errc::io, "sandbox: filter of system calls: out of memory");
  // Calls of another architecture (32 bits) go around every rule: they end the program.
  check(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
        "attribute");
  refuse_kernel_doors(filter);
  refuse_namespaces_of_children(filter);
  refuse_sockets(filter, options);
  refuse_typing(filter);
  refuse_touching_others(filter);
  if (options.without_namespaces) {
    ask_process_1(filter);
    refuse_reaching_out(filter);
    refuse_paths_that_no_rule_sees(filter);
  }
  const net::UniqueFd draft(::memfd_create("botburrow-filter-draft", MFD_CLOEXEC));
  if (draft.get() < 0) throw Error(errc::io, "sandbox: filter of system calls: no memory file");
  check(seccomp_export_bpf(filter.get(), draft.get()), "export");
  const auto size = ::lseek(draft.get(), 0, SEEK_END);
  std::string program(static_cast<std::size_t>(size), '\0');
  if (::pread(draft.get(), program.data(), program.size(), 0) != size)
    throw Error(errc::io, "sandbox: filter of system calls: cannot be read back");
  return sealed_file("botburrow-filter", program.data(), program.size());
}

}  // namespace botburrow::sandbox
