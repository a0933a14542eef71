// Ways out to the network.
#include "tests/escape/escape_world.hpp"

#include <fmt/format.h>

namespace botburrow::escape {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EscapeNetwork : public EscapeTest {
 protected:
  void expect_closed(const std::string& line) {
    EXPECT_THAT(bash(line + " && echo OPEN; true"), Not(HasSubstr("OPEN"))) << line;
  }
};

TEST_F(EscapeNetwork, NoAddressIsReached) {
  const std::vector<std::string> targets{fmt::format("127.0.0.1/{}", lures().tcp4()),
                                         fmt::format("localhost/{}", lures().tcp4()),
                                         fmt::format("0.0.0.0/{}", lures().tcp4()),
                                         fmt::format("::1/{}", lures().tcp6()),
                                         fmt::format("127.1/{}", lures().tcp4()),
                                         "169.254.169.254/80",
                                         "10.0.0.1/80",
                                         "192.168.0.1/80",
                                         "1.1.1.1/53",
                                         "2606:4700:4700::1111/443",
                                         "example.com/80"};
  for (const auto& target : targets)
    expect_closed(fmt::format("timeout 3 bash -c 'echo x > /dev/tcp/{}'", target));
  for (const auto& target : {std::string("169.254.169.254/53"), std::string("1.1.1.1/53"),
                             std::string("255.255.255.255/9")})
    expect_closed(fmt::format("timeout 3 bash -c 'echo x > /dev/udp/{}'", target));
  // What is sent to this machine's own address inside reaches nobody outside; the lures tell.
  bash(fmt::format("echo x > /dev/udp/127.0.0.1/{}", lures().udp()));
}

TEST_F(EscapeNetwork, NoUnixSocketIsReached) {
  expect_closed(
      fmt::format("perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0) or exit 1; "
                  "connect(S,pack_sockaddr_un(\"{}\")) or exit 1'",
                  lures().unix_path()));
  expect_closed(
      fmt::format("perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0) or exit 1; "
                  "connect(S,pack_sockaddr_un(\"\\0{}\")) or exit 1'",
                  lures().abstract_name()));
  // One that lies in the workspace itself, as if somebody had bound it there.
  bash("true");
  std::filesystem::rename(lures().unix_path(), inside() / "lure.sock");
  expect_closed(
      "perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0) or exit 1; "
      "connect(S,pack_sockaddr_un(\"/workspace/lure.sock\")) or exit 1'");
}

// An agent's definition comes from its author; what it lists is a wish.
TEST_F(EscapeNetwork, NoWayThroughTheProxy) {
  network = {.enabled = true,
             .allowed_hosts = {fmt::format("127.0.0.1:{}", lures().tcp4()),
                               fmt::format("localhost:{}", lures().tcp4()),
                               fmt::format("[::1]:{}", lures().tcp6()), "169.254.169.254:80"}};
  for (const auto& target :
       {fmt::format("127.0.0.1:{}", lures().tcp4()), fmt::format("localhost:{}", lures().tcp4()),
        fmt::format("127.1:{}", lures().tcp4()), fmt::format("0x7f.1:{}", lures().tcp4()),
        fmt::format("2130706433:{}", lures().tcp4()), fmt::format("[::1]:{}", lures().tcp6()),
        fmt::format("[::ffff:7f00:1]:{}", lures().tcp4()), std::string("169.254.169.254:80")}) {
    for (const auto* request : {"CONNECT {0} HTTP/1.1\\r\\nHost: {0}\\r\\n\\r\\n",
                                "GET http://{0}/ HTTP/1.1\\r\\nHost: {0}\\r\\n\\r\\n",
                                "GET http://example.com@{0}/ HTTP/1.1\\r\\n\\r\\n"})
      EXPECT_THAT(bash(fmt::format("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{}' >&3; cat <&3",
                                   fmt::format(fmt::runtime(request), target))),
                  HasSubstr("HTTP/1.1 40"))
          << target;
  }
}

TEST_F(EscapeNetwork, NoOtherDeviceAndNoRoute) {
  EXPECT_EQ(bash("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"), "lo\n");
  EXPECT_EQ(bash("tail -n +2 /proc/net/route"), "");
  expect_closed("perl -MSocket -e 'socket(S,PF_INET,SOCK_RAW,1) or exit 1'");
  expect_closed("ping -c 1 -W 1 127.0.0.1");
}

TEST_F(EscapeNetwork, PairsOfSocketsStillWork) {
  EXPECT_EQ(bash("perl -MSocket -e 'socketpair(A,B,AF_UNIX,SOCK_STREAM,0) and print \"pair\\n\"'"),
            "pair\n");
  EXPECT_EQ(bash("perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,0) and print \"tcp\\n\"'"),
            "tcp\n");
}

}  // namespace
}  // namespace botburrow::escape
