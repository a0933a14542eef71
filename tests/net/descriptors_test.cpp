// A process that may open nothing more waits, says so, and goes on by itself.
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "tests/net/raw_peer.hpp"
#include "tests/net/redis_client.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/sanitizers.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vector>

namespace botburrow::net {
namespace {

/// Takes every descriptor this process may have, until its end.
class AllDescriptors {
 public:
  AllDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &low);
    take_rest();
  }
  ~AllDescriptors() {
    for (const int file : taken_)
      ::close(file);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  AllDescriptors(const AllDescriptors&) = delete;
  /// Those given back meanwhile.
  void take_rest() {
    for (int file; (file = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
      taken_.push_back(file);
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST(Descriptors, WhoHasNoneLeftWaitsAndGoesOn) {
  if (test::kSanitized) GTEST_SKIP() << "sanitizers look at objects through pipes";
  asio::io_context ioc;
  test::PrivateRedis redis_server;
  ClientOn redis(ioc, redis_server.url());
  redis.wait_connected();
  const auto lines = std::make_shared<test::LogLines>();
  HttpServer server(ioc.get_executor(), {}, Log(lines, {}));
  server.route("GET", "/hello", [](ServerRequest) -> Task<ServerResponse> {
    co_return ServerResponse::text(200, "hello", "text/plain");
  });
  server.start();
  HttpClient client(ioc.get_executor(), {});
  const auto ask = [&] {
    return run_task(ioc, client.send({.method = "GET", .url = server.url() + "/hello"}));
  };
  // Its descriptor is there already; the kernel takes the connection for the server.
  RawPeer peer{tcp::socket(ioc)};
  peer.socket.open(tcp::v4());
  {
    AllDescriptors all;
    peer.socket.connect(
        {asio::ip::address_v4::loopback(), static_cast<unsigned short>(server.port())});
    ASSERT_TRUE(run_until(ioc, [&] { return lines->count("http_accept_failed") == 1; }));
    EXPECT_THROW(ask(), Error);
    redis.ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"});
    ASSERT_TRUE(redis.wait([&] { return !redis->connected(); }));
    all.take_rest();
    ASSERT_TRUE(redis.wait(
        [&] { return redis->last_error().find("Too many open files") != std::string::npos; }));
  }
  run_task(ioc, peer.say("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(run_task(ioc, peer.read_all()), testing::HasSubstr("hello"));
  EXPECT_EQ(ask().status, 200);
  redis.wait_connected();
  EXPECT_EQ(redis.ask({"PING"}).str(), "PONG");
  run_task(ioc, server.stop(0s));
}

}  // namespace
}  // namespace botburrow::net
