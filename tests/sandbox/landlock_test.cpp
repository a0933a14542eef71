// The second tier: without namespaces, on a kernel that has Landlock.
#include "base/error.hpp"
#include "net/http_server.hpp"
#include "tests/sandbox/sandbox_world.hpp"

#include <fmt/format.h>

#include <sys/wait.h>

#include <fstream>

namespace botburrow::sandbox {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto report = world.run(world.sandboxes.tier());
    if (report.tier != Tier::landlock) GTEST_SKIP() << report.reason;
  }
  std::string out_of(std::string line) {
    const auto result = world.run_line(std::move(line));
    return result.process.out + result.process.err;
  }
  SandboxWorld world{{.backend = Backend::landlock}};
};

TEST_F(LandlockTest, ProgramsRunButNoShell) {
  const auto report = world.run(world.sandboxes.tier());
  EXPECT_TRUE(report.programs);
  EXPECT_FALSE(report.shell);
  EXPECT_EQ(world.run(world.place.refusal(Need::programs)), std::nullopt);
  EXPECT_THAT(world.run(world.place.refusal(Need::shell)).value(),
              HasSubstr("this runner cannot run commands: its sandbox tier is landlock"));
  EXPECT_THAT(world.metrics.expose(), HasSubstr("botburrow_sandbox_tier{tier=\"landlock\"} 1"));
}

TEST_F(LandlockTest, TheWorkspaceIsAtItsRealPathAndNothingElseIsThere) {
  const auto inside = world.inside();
  put(world.root.path() / "outside.txt", "CANARY");
  ::chmod((world.root.path() / "outside.txt").c_str(), 0666);
  EXPECT_EQ(world.sandbox()->workspace(), inside);
  EXPECT_EQ(out_of("pwd; echo x > a; cat a"), inside.string() + "\nx\n");
  const auto outside = (world.root.path() / "outside.txt").string();
  for (const auto& line : std::vector<std::string>{"cat " + outside,
                                                   "cat ../outside.txt",
                                                   "ls ..",
                                                   "ls /",
                                                   "ls /tmp",
                                                   "cat /etc/shadow",
                                                   "ls /proc",
                                                   fmt::format("cat /proc/{}/environ", ::getpid()),
                                                   std::string("ls /root"),
                                                   std::string("cat /proc/self/environ"),
                                                   "echo x > " + outside,
                                                   std::string("echo x > /tmp/x"),
                                                   std::string("echo x > ../x"),
                                                   "ln " + outside + " stolen",
                                                   "mv a ../a",
                                                   std::string("echo x > /usr/x"),
                                                   std::string("mknod d c 1 3"),
                                                   "ln -s " + outside + " link; cat link",
                                                   "truncate -s 0 " + outside,
                                                   "chmod 600 " + outside,
                                                   "touch " + outside,
                                                   "rm " + outside})
    EXPECT_THAT(out_of(line + " && echo OPEN"),
                AllOf(Not(HasSubstr("OPEN")), Not(HasSubstr("CANARY"))))
        << line;
  // For neither reading nor writing, and to be emptied.
  EXPECT_THAT(
      out_of("perl -MFcntl -e 'print \"OPEN\" if sysopen(F, shift, 3 | O_TRUNC)' " + outside),
      IsEmpty());
  EXPECT_EQ(got(outside), "CANARY");
}

TEST_F(LandlockTest, SignalsReachOnlyItsOwn) {
  EXPECT_EQ(out_of("sleep 100 & kill -0 $! && echo own; kill -9 $!; wait $! 2>/dev/null; echo $?"),
            "own\n137\n");
  for (const auto& line :
       {fmt::format("kill -0 {}", ::getpid()), fmt::format("kill -9 {}", ::getppid()),
        std::string("kill -9 -1"), std::string("kill -9 1"), std::string("kill -9 $PPID"),
        fmt::format("kill -9 -{}", ::getpgrp())})
    EXPECT_THAT(out_of(line + " && echo OPEN"), Not(HasSubstr("OPEN"))) << line;
  EXPECT_EQ(out_of("echo fine"), "fine\n");
  EXPECT_THAT(out_of(fmt::format("perl -e 'for ([302,{0},7,0,0],[203,{0},8,\"x\"],[141,0,{0},19],"
                                 "[129,{0},9,0],[424,0,9,0,0],[101,16,{0},0,0],[76,\"/tmp\",0]) "
                                 "{{ my ($n,@a)=@$_; $!=0; my $r=syscall($n,@a); "
                                 "print \"OPEN $n $!\\n\" unless $r == -1 && $!+0 == 1 }} '",
                                 ::getpid())),
              IsEmpty());
}

TEST_F(LandlockTest, TheKernelTellsAndSignalsNobodyElseForIt) {
  // Watching /tmp; a pair that could name any socket of the machine; the owner of a file.
  EXPECT_THAT(
      out_of(
          "perl -MSocket -e '$p = \"/tmp\"; $w = syscall(253); "
          "print \"OPEN watch\\n\" unless syscall(254, $w, $p, 0xfff) == -1 && $!+0 == 1; "
          "for (SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW) "
          "{ print \"OPEN pair $_\\n\" if socketpair(A, B, AF_UNIX, $_, 0) } "
          "print \"OPEN family\\n\" if socketpair(A, B, AF_INET, SOCK_STREAM, 0); "
          "socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or print \"no pair\\n\"; "
          "for ([8,$$],[15,0],[10,9]) { $! = 0; my ($c, $a) = @$_; "
          "print \"OPEN fcntl $c\\n\" unless syscall(72, fileno(A), $c, $a) == -1 && $!+0 == 1 } "
          "for (0x8901, 0x8902) { print \"OPEN ioctl $_\\n\" if ioctl(A, $_, pack(\"i\", $$)) }'"),
      IsEmpty());
}

TEST_F(LandlockTest, WhatACommandStartsEndsWithIt) {
  const std::string word = fmt::format("bb-landlock-{}", ::getpid());
  const auto alive = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const auto name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") == std::string::npos &&
          name != std::to_string(::getpid()) &&
          got(entry.path() / "cmdline").find(word) != std::string::npos)
        ++count;
    }
    return count;
  };
  EXPECT_EQ(out_of(fmt::format("(setsid bash -c 'exec -a {0} sleep 600' &); (trap '' TERM HUP; "
                               "exec -a {0} sleep 600) & exec -a {0} sleep 600 & echo started",
                               word)),
            "started\n");
  EXPECT_EQ(alive(), 0);
  const auto cut = world.run_line(fmt::format("exec -a {} sleep 600", word), 300ms);
  EXPECT_TRUE(cut.process.timed_out);
  EXPECT_EQ(alive(), 0);
}

TEST_F(LandlockTest, LimitsHold) {
  SandboxWorld narrow({.limits = {.memory_bytes = 128u << 20}, .backend = Backend::landlock});
  EXPECT_EQ(narrow
                .run_line("for i in 1 2 3 4 5 6 7 8; do (x=$(head -c 40M /dev/zero | tr '\\0' x); "
                          "sleep 100) & done; wait")
                .cut,
            Cut::memory);
  SandboxWorld small(
      {.limits = {.memory_bytes = 128u << 20, .processes_max = 30}, .backend = Backend::landlock});
  EXPECT_EQ(small.run_line("for i in $(seq 100); do sleep 100 & done; wait").cut, Cut::processes);
  // Whichever of the two it comes to first.
  EXPECT_THAT(small.run_line("b() { b | b & }; b; sleep 100", 5s).cut,
              AnyOf(Cut::processes, Cut::memory));
  EXPECT_EQ(small.run_line("echo fine").process.out, "fine\n");
}

TEST_F(LandlockTest, EveryConnectionIsOneToTheProxyWhateverItsAddress) {
  net::HttpServer site(world.ioc.get_executor(), {}, Log::none());
  int visits = 0;
  site.route("GET", "/", [&visits](net::ServerRequest) -> Task<net::ServerResponse> {
    ++visits;
    co_return net::ServerResponse::text(200, "reached", "text/plain");
  });
  site.start();
  // Straight to the site: what answers is the proxy, and it has never heard of such a request.
  EXPECT_THAT(
      out_of(fmt::format("exec 3<>/dev/tcp/127.0.0.1/{}; printf 'GET / HTTP/1.1\\r\\n\\r\\n' "
                         ">&3; cat <&3",
                         site.port())),
      StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(
      out_of(fmt::format("curl -sS -x http://127.0.0.1:3128 http://127.0.0.1:{}/", site.port())),
      HasSubstr("network.enabled is false"));
  EXPECT_EQ(visits, 0);
  for (const auto* line :
       {"echo x > /dev/udp/127.0.0.1/53",
        "perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0) or exit 1'",
        "perl -MSocket -e 'socket(S,PF_INET,SOCK_DGRAM,0) or exit 1'",
        "perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,132) or exit 1'",
        "perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,262) or exit 1'",
        "perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,0); listen(S,5) or exit 1'",
        "perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,0); send(S,\"x\",0x20000000,"
        "pack_sockaddr_in(80,inet_aton(\"127.0.0.1\"))) or exit 1'"})
    EXPECT_THAT(out_of(std::string(line) + " && echo OPEN"), Not(HasSubstr("OPEN"))) << line;
  world.run(site.stop(0s));
}

// A socket that drops what comes to it would be connected for minutes, and process 1 with it.
TEST_F(LandlockTest, ASocketThatHearsNothingHoldsNobodyUp) {
  SandboxWorld small(
      {.limits = {.memory_bytes = 128u << 20, .processes_max = 30}, .backend = Backend::landlock});
  const auto result = small.run_line(
      "perl -MSocket -e 'socket(S, AF_INET, SOCK_STREAM, 0) or die $!; "
      "setsockopt(S, IPPROTO_IP, 21, pack(\"i\", 255)) or die $!; "  // IP_MINTTL
      "connect(S, pack_sockaddr_in(80, inet_aton(\"10.0.0.1\"))) or die $!; print \"back\\n\"'; "
      "for i in $(seq 100); do sleep 100 & done; wait",
      10s);
  EXPECT_EQ(result.process.out, "back\n") << result.process.err;
  EXPECT_EQ(result.cut, Cut::processes);
}

TEST_F(LandlockTest, ANodeProgramRuns) {
  if (!std::filesystem::exists("/usr/bin/node")) GTEST_SKIP() << "no node here";
  EXPECT_EQ(out_of("HOME=$PWD node -e \"require('fs').writeFileSync('x','node'); "
                   "console.log(require('child_process').execSync('cat x').toString())\""),
            "node\n");
}

}  // namespace
}  // namespace botburrow::sandbox
