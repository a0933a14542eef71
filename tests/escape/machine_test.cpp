// Ways out by force: against process 1, the runner, the machine's memory, disk and patience.
#include "tests/escape/escape_world.hpp"
#include "tests/support/sanitizers.hpp"

#include <fmt/format.h>

#include <fstream>

namespace botburrow::escape {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::uint64_t resident_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  }
  return 0;
}

class EscapeMachine : public EscapeTest {
 protected:
  void small() {
    settings.limits.memory_bytes = 128u << 20;
    settings.quota_bytes = 16u << 20;
  }
  void expect_still_fine() {
    EXPECT_EQ(bash("echo fine"), "fine\n");
    EXPECT_EQ(processes_inside(), 0U);
  }
};

TEST_F(EscapeMachine, AForkBombEndsAndNothingElseDoes) {
  const auto answer = bash(
      fmt::format("exec -a {} bash -c 'b() {{ b | b & }}; b; while :; do b; done' ", marker()));
  EXPECT_THAT(answer, AnyOf(HasSubstr("processes at once"), HasSubstr("fork"),
                            HasSubstr("Command ended"), HasSubstr("timed out")));
  expect_still_fine();
}

TEST_F(EscapeMachine, AForkBombThatLeavesItsSessionEndsToo) {
  allow({.allowed_commands = {"bash"}, .timeout_seconds = 3});
  bash(fmt::format("b() {{ setsid bash -c \"$(declare -f b); : {}; b & b & wait\" & }}; b; b; wait",
                   marker()));
  expect_still_fine();
}

TEST_F(EscapeMachine, EndlessOutputCostsNothing) {
  allow({.allowed_commands = {"bash"}, .timeout_seconds = 2});
  const auto before = resident_kilobytes();
  const auto answer = bash(fmt::format("yes {} & yes {} >&2", marker(), marker()));
  EXPECT_THAT(answer, HasSubstr("Command timed out after 2 seconds"));
  EXPECT_LE(answer.size(), std::size_t{64} << 10);
  if (!test::kSanitized) EXPECT_LT(resident_kilobytes(), before + 50'000);
  expect_still_fine();
}

TEST_F(EscapeMachine, ADaemonEndsWithItsCommand) {
  bash(
      fmt::format("(setsid bash -c 'exec -a {0} sleep 1000' &) ; "
                  "nohup bash -c 'exec -a {0} sleep 1000' > /dev/null 2>&1 & disown; "
                  "(trap \"\" TERM HUP INT; exec -a {0} sleep 1000) & echo started",
                  marker()));
  EXPECT_EQ(processes_inside(), 0U);
  EXPECT_TRUE(marked_processes().empty());
  // Holding the pipes does not hold us up.
  EXPECT_EQ(bash(fmt::format("(exec -a {} sleep 1000) & echo quick", marker())), "quick\n");
}

TEST_F(EscapeMachine, MemoryOfOneProcessEnds) {
  small();
  EXPECT_THAT(bash("x=$(head -c 400M /dev/zero | tr '\\0' x); echo ${#x}"), StartsWith("Error: "));
  expect_still_fine();
}

TEST_F(EscapeMachine, MemoryOfManyProcessesEnds) {
  small();
  EXPECT_THAT(bash("for i in 1 2 3 4 5 6 7 8; do (x=$(head -c 40M /dev/zero | tr '\\0' x); "
                   "sleep 100) & done; wait"),
              HasSubstr("used more than 128 MiB of memory (SANDBOX_MEMORY)"));
  expect_still_fine();
}

TEST_F(EscapeMachine, MemoryThatIsNoProcesssEnds) {
  small();
  EXPECT_THAT(bash("for i in $(seq 20); do head -c 10M /dev/zero > /dev/shm/$i; done"),
              HasSubstr("No space left"));
  EXPECT_THAT(bash("for i in $(seq 20); do head -c 10M /dev/zero > /tmp/$i; done"),
              HasSubstr("No space left"));
  // System V and POSIX queues and segments, files in memory.
  EXPECT_EQ(bash("perl -e 'for ([29,0,1<<20,0666],[68,0,0666],[64,0,9,0666],"
                 "[319,\"x\",0],[240,\"/q\",0x42,0666,0]) { my ($n, @a) = @$_; "
                 "print \"OPEN $n\\n\" if syscall($n, @a) >= 0 }'"),
            "");
  expect_still_fine();
}

TEST_F(EscapeMachine, ProcessorTimeEnds) {
  settings.limits.cpu = 0.5;
  allow({.allowed_commands = {"bash"}, .timeout_seconds = 4});
  EXPECT_THAT(bash("for i in 1 2 3 4; do (while :; do :; done) & done; while :; do :; done"),
              AnyOf(HasSubstr("processor time"), HasSubstr("signal 24"), HasSubstr("signal 9")));
  expect_still_fine();
}

TEST_F(EscapeMachine, TheDiskIsNotFilled) {
  small();
  EXPECT_THAT(bash("head -c 100M /dev/zero > big"), StartsWith("Error: "));
  EXPECT_LE(std::filesystem::file_size(inside() / "big"), std::uintmax_t{16} << 20);
  bash("rm big");
  EXPECT_THAT(bash("i=0; while :; do i=$((i+1)); head -c 1M /dev/zero > f$i; done"),
              HasSubstr("filled its workspace (WORKSPACE_QUOTA_MB"));
  EXPECT_THAT(write("more.txt", "x"), HasSubstr("The workspace is full"));
  bash("rm f*");
  EXPECT_EQ(write("more.txt", "x"), "File written: more.txt");
}

TEST_F(EscapeMachine, TheDiskIsNotFilledWithEmptyFiles) {
  small();
  EXPECT_THAT(bash("i=0; while :; do i=$((i+1)); : > f$i; done"),
              HasSubstr("filled its workspace"));
}

TEST_F(EscapeMachine, DescriptorsEnd) {
  EXPECT_THAT(bash("for i in $(seq 10 2000); do eval \"exec $i>/dev/null\" || break; done; "
                   "ls /proc/$$/fd | wc -l"),
              AnyOf(HasSubstr("Too many open files"), HasSubstr("Bad file descriptor")));
  expect_still_fine();
}

TEST_F(EscapeMachine, NobodyElseCanBeSignalled) {
  const auto line = fmt::format(
      "kill -9 1 && echo sent; kill -STOP 1; kill -TERM 1; kill -INT 1; kill -9 {0} && echo OPEN; "
      "kill -0 {0} && echo OPEN; kill -9 {1} && echo OPEN; kill -9 -1; echo unreached",
      ::getpid(), ::getppid());
  EXPECT_THAT(bash(line), Not(HasSubstr("OPEN")));
  EXPECT_EQ(bash("echo fine"), "fine\n");
}

// Without descriptors it would see nobody, and no limit on all together would hold.
TEST_F(EscapeMachine, ProcessOneIsNotBlinded) {
  small();
  EXPECT_EQ(bash(R"(perl -e '
    my %calls = (limits=>[302,1,7,pack("QQ",5,5),0], look=>[302,1,7,0,my $old="x"x16],
      affinity=>[203,1,8,pack("Q",1)], parameters=>[142,1,pack("i",0)], idle=>[144,1,5,pack("i",0)],
      attributes=>[314,1,pack("LLQlLQQQ",48,5,0,0,0,0,0,0),0], nice=>[141,0,1,19], nice_group=>[141,1,0,19],
      nice_user=>[141,2,0,19], io=>[251,1,1,3<<13], io_group=>[251,2,0,3<<13], io_user=>[251,3,0,3<<13],
      owner=>[72,0,8,1], owner_ex=>[72,0,15,pack("ii",1,1)], signal=>[72,0,10,9],
      ioctl_owner=>[16,0,0x8901,pack("i",1)], ioctl_group=>[16,0,0x8902,pack("i",1)]);
    for (sort keys %calls) { $! = 0; my ($n, @a) = @{$calls{$_}}; my $r = syscall($n, @a);
      print "OPEN $_ $r $!\n" unless $r == -1 && $!+0 == 1; }
    print "tried ", scalar keys %calls, "\n"')"),
            "tried 17\n");
  EXPECT_THAT(bash("for i in 1 2 3 4 5 6 7 8; do (x=$(head -c 40M /dev/zero | tr '\\0' x); "
                   "sleep 100) & done; wait"),
              HasSubstr("used more than 128 MiB of memory (SANDBOX_MEMORY)"));
  expect_still_fine();
  // About oneself it is open.
  EXPECT_EQ(bash("ulimit -n 100 && ulimit -n && nice -n 5 echo nice"), "100\nnice\n");
}

TEST_F(EscapeMachine, ProcessOneIsClosed) {
  EXPECT_THAT(
      bash("for f in environ mem maps fd/3 fd/0 exe syscall stack cwd/x root/etc/passwd; do "
           "head -c 1 /proc/1/$f > /dev/null && echo OPEN; "
           "echo x > /proc/1/$f && echo OPEN; done; "
           "for f in fd cwd root task/1/fd map_files; do ls /proc/1/$f/ && echo OPEN; done; "
           "echo -1000 > /proc/1/oom_score_adj && echo OPEN; readlink /proc/1/exe && echo OPEN"),
      Not(HasSubstr("OPEN")));
}

TEST_F(EscapeMachine, NoCallOfTheKernelIsOpen) {
  // Numbers of x86-64; each must answer EPERM (1), ENOSYS (38) or, for sockets, EAFNOSUPPORT (97).
  const auto answer = bash(R"(perl -e '
    my %calls = (ptrace=>[101,0,0,0,0], unshare_user=>[272,0x10000000], unshare_net=>[272,0x40000000],
      setns=>[308,0,0], mount=>[165,"x","/tmp","tmpfs",0,0], umount=>[166,"/tmp",0],
      pivot_root=>[155,"/","/"], chroot=>[161,"/"], keyctl=>[250,0,-3,0], add_key=>[248,"user","x","y",1,-3],
      bpf=>[321,0,0,0], perf=>[298,0,0,-1,-1,0], userfaultfd=>[323,0], io_uring=>[425,1,0],
      process_vm_readv=>[310,1,0,0,0,0,0], pidfd_getfd=>[438,0,0,0], open_tree=>[428,-100,"/",1],
      move_mount=>[429,-1,"",-1,"",0], fsopen=>[430,"tmpfs",0], mount_setattr=>[442,-1,"",0,0,0],
      open_by_handle=>[304,-100,0,0], name_to_handle=>[303,-100,"/",0,0,0], clone_user=>[56,0x10000011,0,0,0,0],
      clone3=>[435,0,0], unix=>[41,1,1,0], netlink=>[41,16,3,0], packet=>[41,17,3,0], vsock=>[41,40,1,0],
      raw=>[41,2,3,1], bluetooth=>[41,31,3,1], alg=>[41,38,5,0], kexec=>[246,0,0,0,0], init_module=>[175,0,0,""],
      reboot=>[169,0xfee1dead,672274793,0], swapon=>[167,"x",0], acct=>[163,"x"], syslog=>[103,3,"",0],
      iopl=>[172,3], settime=>[227,0,0], quotactl=>[179,0,0,0,0], fanotify=>[300,0,0], memfd_secret=>[447,0],
      sethostname=>[170,"x",1]);
    for (sort keys %calls) { $! = 0; my ($n, @a) = @{$calls{$_}}; my $r = syscall($n, @a);
      print "OPEN $_ $r $!\n" unless $r == -1 && ($!+0 == 1 || $!+0 == 38 || $!+0 == 97 || $!+0 == 93); }
    print "tried ", scalar keys %calls, "\n"')");
  EXPECT_EQ(answer, "tried 43\n");
}

}  // namespace
}  // namespace botburrow::escape
