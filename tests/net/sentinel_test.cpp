#include "net/sentinels.hpp"
#include "net/subprocess.hpp"
#include "tests/net/fake_redis.hpp"
#include "tests/net/redis_client.hpp"
#include "tests/support/sentinel_cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace botburrow::net {
namespace {

using namespace std::chrono_literals;
using test::run_task;
using test::run_until;
using test::SentinelCluster;
using testing::HasSubstr;

class SentinelsTest : public testing::Test {
 protected:
  Sentinels asking(const std::vector<std::string>& hosts) {
    std::string all;
    for (const auto& host : hosts)
      all += (all.empty() ? "" : ",") + host;
    return Sentinels(parse_redis_url("redis+sentinel://" + all + "/house"));
  }
  std::string nobody() {
    boost::asio::ip::tcp::acceptor taken(ioc, {boost::asio::ip::make_address("127.0.0.1"), 0});
    return fmt::format("127.0.0.1:{}", taken.local_endpoint().port());
  }
  boost::asio::io_context ioc;
  FakeRedis one{ioc}, two{ioc}, three{ioc};
};

TEST_F(SentinelsTest, TheFirstThatAnswersIsAskedFirstFromThenOn) {
  two.name_master(7001);
  three.name_master(7002);
  auto sentinels = asking({nobody(), two.host(), three.host()});

  EXPECT_EQ(run_task(ioc, sentinels.master()), (RedisHost{"127.0.0.1", 7001}));
  EXPECT_EQ(run_task(ioc, sentinels.master()), (RedisHost{"127.0.0.1", 7001}));
  EXPECT_EQ(two.asked["SENTINEL"], 2);
  EXPECT_EQ(two.accepted, 1) << "the connection is kept";
  sentinels.distrust();
  EXPECT_EQ(run_task(ioc, sentinels.master()), (RedisHost{"127.0.0.1", 7002}));
}

TEST_F(SentinelsTest, OneThatDoesNotAnswerIsPassedOverInBoundedTime) {
  boost::asio::ip::tcp::acceptor silent(ioc, {boost::asio::ip::make_address("127.0.0.1"), 0});
  two.name_master(7001);
  auto sentinels =
      asking({fmt::format("127.0.0.1:{}", silent.local_endpoint().port()), two.host()});
  EXPECT_EQ(run_task(ioc, sentinels.master(), 5s).port, 7001);
}

TEST_F(SentinelsTest, WhenNoneKnowsEachReasonIsGiven) {
  one.answers["SENTINEL"] = "*-1\r\n";
  two.answers["SENTINEL"] = "-ERR unknown command 'SENTINEL'\r\n";
  three.answers["SENTINEL"] = "-NOAUTH Authentication required.\r\n";
  FakeRedis odd(ioc);
  odd.answers["SENTINEL"] = "*2\r\n$1\r\nx\r\n$1\r\n0\r\n";
  const auto gone = nobody();
  auto sentinels = asking({one.host(), two.host(), three.host(), odd.host(), gone});
  try {
    run_task(ioc, sentinels.master());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::redis_unavailable);
    EXPECT_EQ(error.message(),
              fmt::format("no sentinel names a master \"house\" ({}: it knows no master \"house\"; "
                          "{}: it is no sentinel; {}: it asks for a password of its own, which is "
                          "not supported; {}: its answer makes no sense; {}: Connection refused)",
                          one.host(), two.host(), three.host(), odd.host(), gone));
  }
}

TEST_F(SentinelsTest, MoreThanHalfMustNameAnotherMaster) {
  one.name_master(7002);
  two.name_master(7001);
  three.name_master(7001);
  auto sentinels = asking({one.host(), two.host(), three.host()});
  const auto moved = [&] { return run_task(ioc, sentinels.disagree_with({"127.0.0.1", 7001})); };

  EXPECT_FALSE(moved()) << "one of three";
  EXPECT_FALSE(moved());
  EXPECT_EQ(one.asked["SENTINEL"], 1) << "one that stands alone is not asked first any more";
  two.name_master(7002);
  EXPECT_TRUE(moved()) << "two of three";
}

TEST_F(SentinelsTest, AConnectionFollowsTheSentinelsAlsoFromAServerThatStillWorks) {
  FakeRedis old_master(ioc), new_master(ioc);
  for (auto* sentinel : {&one, &two, &three})
    sentinel->name_master(old_master.port());
  ClientOn client(
      ioc, fmt::format("redis+sentinel://{},{},{}/house", one.host(), two.host(), three.host()));
  client.wait_connected();
  EXPECT_EQ(old_master.accepted, 1);
  EXPECT_EQ(client.lines->count(old_master.host()), 1) << "redis_connected names the server";

  for (auto* sentinel : {&one, &two, &three})
    sentinel->name_master(new_master.port());

  ASSERT_TRUE(client.wait([&] { return new_master.accepted == 1 && client->connected(); }));
  EXPECT_EQ(client.lines->count("the sentinels name another master"), 1);
}

TEST_F(SentinelsTest, ASentinelThatIsBehindDoesNotHoldUpTheOthers) {
  FakeRedis old_master(ioc), new_master(ioc);
  old_master.answers["ROLE"] = "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$7\r\nconnect\r\n:0\r\n";
  one.name_master(old_master.port());
  two.name_master(new_master.port());
  ClientOn client(ioc, fmt::format("redis+sentinel://{},{}/house", one.host(), two.host()));
  client.wait_connected();
  EXPECT_EQ(new_master.accepted, 1);
  EXPECT_EQ(client.lines->count(old_master.host() + ": it is a replica of h:1"), 1);
}

TEST_F(SentinelsTest, NobodyToAskIsSaid) {
  ClientOn client(ioc, fmt::format("redis+sentinel://:pw-canary@{}/house", nobody()));
  const auto error = client.refused({"PING"}, 300ms);
  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_THAT(error.message(), HasSubstr("no sentinel names a master \"house\""));
  EXPECT_THAT(error.message(), HasSubstr("start the sentinels"));
  EXPECT_EQ(client.lines->count(R"("cause":"no_master")"), 1);
  EXPECT_EQ(client.lines->count("pw-canary"), 0);
}

/// Real servers and sentinels.
TEST(SentinelFailover, TheMasterIsKilled) {
  SentinelCluster cluster({.password = "pw-canary"});
  boost::asio::io_context ioc;
  ClientOn client(ioc, cluster.url());
  EXPECT_EQ(client.ask({"SET", "k", "v"}).str(), "OK");
  auto& second = cluster.other();
  ASSERT_TRUE(run_until(ioc, [&] { return second.ask({"EXISTS", "k"}).integer() == 1; }));

  cluster.master().kill9();

  ASSERT_TRUE(client.wait([&] { return client->connections() == 2; }));
  EXPECT_EQ(client.ask({"GET", "k"}).str(), "v");
  EXPECT_EQ(client.ask({"SET", "k", "w"}).str(), "OK");
  EXPECT_EQ(second.ask({"GET", "k"}).str(), "w");
  EXPECT_EQ(client.lines->count("pw-canary"), 0);
}

TEST(SentinelFailover, TheMasterIsReplacedByOrderWhileNothingIsAsked) {
  SentinelCluster cluster;
  boost::asio::io_context ioc;
  ClientOn client(ioc, cluster.url());
  client.wait_connected();
  auto& second = cluster.other();

  cluster.fail_over();

  ASSERT_TRUE(client.wait([&] {
    return client->connections() >= 2 && client->usable() && &cluster.master() == &second;
  }));
  // It may have found the old one once more meanwhile.
  ASSERT_TRUE(client.wait([&] {
    return client->connected() &&
           client.ask({"CONFIG", "GET", "port"}).array()[1].str() == std::to_string(second.port());
  }));
}

TEST(SentinelFailover, TlsGoesToSentinelsAndServers) {
  test::PrivateRedis plain({.tcp = true});  // for its folder and a free port
  test::PrivateRedis other({.tcp = true});
  const auto folder = plain.folder();
  const auto file = [&](std::string_view name) { return (folder / name).string(); };
  const std::string make = fmt::format(
      "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=house -addext "
      "subjectAltName=IP:127.0.0.1 -keyout {} -out {} 2>/dev/null",
      file("key.pem"), file("cert.pem"));
  ASSERT_EQ(std::system(make.c_str()), 0);
  plain.kill9();
  other.kill9();
  const std::vector<std::string> tls = {
      "--tls-cert-file",    file("cert.pem"), "--tls-key-file",     file("key.pem"),
      "--tls-ca-cert-file", file("cert.pem"), "--tls-auth-clients", "no"};
  auto words = tls;
  words.insert(words.end(), {"--tls-port", std::to_string(plain.port())});
  test::PrivateRedis server({.extra = words});
  std::ofstream(file("sentinel.conf")) << fmt::format(
      "port 0\ntls-port {}\nbind 127.0.0.1\ndir {}\n"
      "sentinel monitor house 127.0.0.1 {} 1\n",
      other.port(), folder.string(), plain.port());
  ProcessOptions process{.argv = {"redis-server", file("sentinel.conf"), "--sentinel"},
                         .environment = {"PATH=/usr/bin:/bin"},
                         .die_with_parent = true};
  process.argv.insert(process.argv.end(), tls.begin(), tls.end());
  boost::asio::io_context ioc;
  const auto sentinel = Process::spawn(ioc.get_executor(), process);

  ::setenv("SSL_CERT_FILE", file("cert.pem").c_str(), 1);
  {
    ClientOn client(ioc, fmt::format("rediss+sentinel://127.0.0.1:{}/house", other.port()));
    EXPECT_EQ(client.ask({"SET", "k", "v"}).str(), "OK");
  }
  ::unsetenv("SSL_CERT_FILE");
  EXPECT_EQ(server.ask({"GET", "k"}).str(), "v");
}

TEST(SentinelFailover, OneSentinelIsEnoughToFindTheMaster) {
  SentinelCluster cluster;
  cluster.kill_sentinel(0);
  cluster.kill_sentinel(1);
  boost::asio::io_context ioc;
  ClientOn client(ioc, cluster.url());
  EXPECT_EQ(client.ask({"SET", "k", "v"}).str(), "OK");
}

}  // namespace
}  // namespace botburrow::net
