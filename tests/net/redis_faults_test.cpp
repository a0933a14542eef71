#include "net/redis_faults.hpp"

#include "tests/net/fake_redis.hpp"
#include "tests/net/redis_client.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace botburrow::net {
namespace {

using namespace std::chrono_literals;
using test::PrivateRedis;
using testing::HasSubstr;

std::string said(const Error& error) {
  return fmt::format("{} {}: {}", name_of(error.code()), error.detail(), error.message());
}

TEST(RedisFaults, EveryFaultHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int fault = 0; fault <= static_cast<int>(RedisFault::other); ++fault)
    names.insert(name_of(static_cast<RedisFault>(fault)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(RedisFault::other) + 1);
}

struct Word {
  std::string text;
  RedisFault fault;
  std::string fix;
};

TEST(RedisFaults, TheServersWordsAreToldApartAndSayWhatToDo) {
  const std::vector<Word> words = {
      {"LOADING Redis is loading the dataset in memory", RedisFault::loading, "ready by itself"},
      {"READONLY You can't write against a read only replica.", RedisFault::read_only, "primary"},
      {"MASTERDOWN Link with MASTER is down", RedisFault::master_down, "lost its primary"},
      {"MISCONF Errors writing to the AOF file", RedisFault::disk_full, "free space"},
      {"NOREPLICAS Not enough good replicas to write.", RedisFault::no_replicas, "min-replicas"},
      {"OOM command not allowed when used memory > 'maxmemory'.", RedisFault::out_of_memory,
       "raise maxmemory"},
      {"BUSY Redis is busy running a script.", RedisFault::busy, "SCRIPT KILL"},
      {"NOAUTH Authentication required.", RedisFault::no_auth, "redis://user:password@"},
      {"NOPERM this user has no permissions", RedisFault::no_permission, "ACL SETUSER"},
      {"ERR unknown command 'EVALSHA', with args beginning with: 'a' ", RedisFault::no_command,
       "rename-command"},
      {"ERR unknown command `EVALSHA`, with args beginning with: ", RedisFault::no_command,
       "rename-command"},
      {"ERR Unknown Redis command called from script script: f", RedisFault::no_command,
       "rename-command"},
      {"MOVED 3999 127.0.0.1:6381", RedisFault::cluster, "Cluster is not supported"},
  };
  for (const auto& word : words) {
    const auto error = server_error(word.text, "EVALSHA");
    EXPECT_EQ(fault_of(word.text), word.fault) << word.text;
    EXPECT_EQ(error.code(), errc::redis_unavailable) << word.text;
    EXPECT_EQ(error.retry(), Retry::after_backoff) << word.text;
    EXPECT_EQ(error.detail(), error_word(word.text));
    EXPECT_THAT(error.message(), HasSubstr(word.text));
    EXPECT_THAT(error.message(), HasSubstr(word.fix));
    EXPECT_EQ(error.message().find('\n'), std::string::npos);
  }
  EXPECT_EQ(server_error("WRONGTYPE Operation against a key", "GET").code(), errc::redis_error);
  EXPECT_EQ(fault_of("ERR unknown command 'INFO', with args beginning with: "), RedisFault::other);
  EXPECT_EQ(fault_of("ERR Error running script (call to f_1): @user_script:1: @user_script: 1: "
                     "-OOM command not allowed"),
            RedisFault::out_of_memory);
}

/// With a server that works, and a connection to it.
class RedisFaultsReal : public testing::Test {
 protected:
  boost::asio::io_context ioc;
};

TEST_F(RedisFaultsReal, OutOfMemoryIsNotReadyUntilThereIsRoom) {
  PrivateRedis server;
  ClientOn client(ioc, server.url());
  client.ask({"SET", "k", "v"});
  EXPECT_TRUE(client->usable());
  client.ask({"CONFIG", "SET", "maxmemory", "1"});

  // By the question that is asked each second, too: nothing else is going on.
  ASSERT_TRUE(client.wait([&] { return !client->usable(); }));
  EXPECT_TRUE(client->connected());
  EXPECT_THAT(client->last_error(), HasSubstr("OOM"));
  EXPECT_EQ(client.lines->count(R"("cause":"out_of_memory")"), 1);
  EXPECT_EQ(client.ask({"GET", "k"}).str(), "v") << "reading goes on";

  client.ask({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_TRUE(client.wait([&] { return client->usable(); }));
  EXPECT_EQ(client->last_error(), "");
  EXPECT_EQ(client.lines->count("redis_available"), 1);
  EXPECT_EQ(client->connections(), 1u);
  EXPECT_EQ(client.ask({"EXISTS", "work:probe"}).integer(), 0) << "asking leaves nothing behind";
}

TEST_F(RedisFaultsReal, ADiskThatCannotBeWrittenIsNotReady) {
  PrivateRedis server({.extra = {"--enable-protected-configs", "yes"}});
  ClientOn client(ioc, server.url());
  client.ask({"CONFIG", "SET", "save", "3600 1"});
  client.ask({"SET", "k", "v"});
  // A folder that is gone fails every save, root's too.
  const auto lost = server.folder() / "lost";
  std::filesystem::create_directory(lost);
  client.ask({"CONFIG", "SET", "dir", lost.string()});
  std::filesystem::remove(lost);
  client.ask({"BGSAVE"});

  ASSERT_TRUE(client.wait([&] { return !client->usable(); }));
  const auto error = client.refused({"SET", "k", "w"});
  EXPECT_EQ(error.code(), errc::redis_unavailable) << said(error);
  EXPECT_EQ(error.detail(), "MISCONF") << said(error);
  EXPECT_THAT(client->last_error(), HasSubstr("free space"));

  client.ask({"CONFIG", "SET", "dir", server.folder().string()});
  client.ask({"BGSAVE"});
  EXPECT_TRUE(client.wait([&] { return client->usable(); }));
}

TEST_F(RedisFaultsReal, AServerHeldUpByAScriptIsBusy) {
  PrivateRedis server({.extra = {"--busy-reply-threshold", "50"}});
  ClientOn client(ioc, server.url());
  ClientOn other(ioc, server.url());
  client.wait_connected();
  other.wait_connected();
  std::optional<Error> killed;
  boost::asio::co_spawn(ioc, other->command({"EVAL", "while true do end", "0"}, Deadline::in(20s)),
                        [&](std::exception_ptr failure, RedisReply) {
                          try {
                            std::rethrow_exception(failure);
                          } catch (const Error& error) {
                            killed = error;
                          }
                        });

  ASSERT_TRUE(client.wait([&] { return !client->usable(); }));
  EXPECT_EQ(client.refused({"SET", "k", "v"}).detail(), "BUSY");
  EXPECT_THAT(client->last_error(), HasSubstr("SCRIPT KILL"));
  EXPECT_EQ(client.lines->count(R"("cause":"busy")"), 1);
  client.ask({"SCRIPT", "KILL"});
  ASSERT_TRUE(client.wait([&] { return killed && client->usable(); }));
  EXPECT_EQ(client->connections(), 1u);
}

TEST_F(RedisFaultsReal, AReplicaIsNoPlaceToWorkAndItsPromotionIsNoticed) {
  PrivateRedis primary({.tcp = true});
  PrivateRedis server(
      {.tcp = true, .extra = {"--replicaof", fmt::format("127.0.0.1 {}", primary.port())}});
  ClientOn client(ioc, server.tcp_url());

  const auto error = client.refused({"SET", "k", "v"}, 300ms);
  EXPECT_EQ(error.detail(), "READONLY") << said(error);
  EXPECT_THAT(error.message(),
              HasSubstr(fmt::format("it is a replica of 127.0.0.1:{}", primary.port())));
  EXPECT_THAT(error.message(), HasSubstr("point REDIS_URL at the primary"));
  EXPECT_FALSE(client->usable());

  server.ask({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(client.ask({"SET", "k", "v"}).str(), "OK");
}

TEST_F(RedisFaultsReal, ADemotedPrimaryIsLeftEvenByAnIdleConnection) {
  PrivateRedis primary({.tcp = true});
  PrivateRedis server({.tcp = true});
  ClientOn client(ioc, server.tcp_url());
  client.wait_connected();

  // As a sentinel does, but without cutting the connections.
  server.ask({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});

  ASSERT_TRUE(client.wait([&] { return !client->connected(); }));
  ASSERT_TRUE(client.wait([&] { return client.lines->count("it is a replica of") > 0; }));
  EXPECT_EQ(client.lines->count(R"("cause":"read_only")"), 1);
}

TEST_F(RedisFaultsReal, TooFewReplicasAreNotReady) {
  PrivateRedis server({.extra = {"--min-replicas-to-write", "1"}});
  ClientOn client(ioc, server.url());
  client.wait_connected();

  const auto error = client.refused({"SET", "k", "v"});

  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_EQ(error.detail(), "NOREPLICAS");
  EXPECT_FALSE(client->usable());
}

TEST_F(RedisFaultsReal, WhatAUserMayNotDoIsSaidAndDoesNotEndTheConnection) {
  PrivateRedis server({.tcp = true});
  server.ask({"ACL", "SETUSER", "worker", "on", ">pw", "~*", "+get"});
  ClientOn client(ioc, fmt::format("redis://worker:pw@127.0.0.1:{}", server.port()));
  client.wait_connected();

  const auto error = client.refused({"SET", "k", "v"});

  EXPECT_EQ(error.code(), errc::redis_unavailable) << said(error);
  EXPECT_EQ(error.detail(), "NOPERM");
  EXPECT_THAT(error.message(), HasSubstr("ACL SETUSER"));
  EXPECT_FALSE(client->usable());
  EXPECT_TRUE(client.ask({"GET", "k"}).is_nil());
  server.ask({"ACL", "SETUSER", "worker", "+set"});
  EXPECT_EQ(client.ask({"SET", "k", "v"}).str(), "OK");
  EXPECT_TRUE(client.wait([&] { return client->usable(); }));
}

TEST_F(RedisFaultsReal, AServerWithoutScriptsIsNotReady) {
  PrivateRedis server({.extra = {"--rename-command", "EVALSHA", ""}});
  ClientOn client(ioc, server.url());
  client.wait_connected();

  const auto error = client.refused({"EVALSHA", "0123", "0"});

  EXPECT_EQ(error.code(), errc::redis_unavailable) << said(error);
  EXPECT_THAT(error.message(), HasSubstr("remove rename-command"));
  EXPECT_FALSE(client->usable());
  EXPECT_THAT(client->last_error(), HasSubstr("rename-command"));
  EXPECT_EQ(client.lines->count(R"("cause":"no_command")"), 1);
  client.ask({"SET", "k", "v"});
  EXPECT_FALSE(client->usable()) << "what else it takes says nothing about scripts";
}

TEST_F(RedisFaultsReal, AUserThatIsRemovedIsAskedForItsPasswordAgain) {
  PrivateRedis server({.tcp = true});
  server.ask({"ACL", "SETUSER", "worker", "on", ">pw", "~*", "+@all"});
  ClientOn client(ioc, fmt::format("redis://worker:pw@127.0.0.1:{}", server.port()));
  client.wait_connected();

  server.ask({"ACL", "DELUSER", "worker"});

  ASSERT_TRUE(client.wait([&] { return client.lines->count("wrong_password") > 0; }));
  EXPECT_THAT(client->last_error(), HasSubstr("WRONGPASS"));
}

TEST_F(RedisFaultsReal, AServerThatSleepsTimesOutAndIsFoundAgain) {
  PrivateRedis server({.extra = {"--enable-debug-command", "yes"}});
  ClientOn client(ioc, server.url(), {.connect_timeout = 200ms, .command_timeout = 200ms});
  client.wait_connected();

  const auto error = client.refused({"DEBUG", "SLEEP", "1"}, 250ms);
  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_EQ(error.detail(), "outcome_unknown");
  EXPECT_THAT(error.message(), HasSubstr("no reply in time"));

  ASSERT_TRUE(client.wait([&] { return client->connections() == 2; }));
  EXPECT_EQ(client.lines->count(R"("cause":"time_out")"), 1);
}

TEST_F(RedisFaultsReal, ASentinelIsNoServer) {
  FakeRedis server(ioc);
  server.answers["ROLE"] = "*2\r\n$8\r\nsentinel\r\n*0\r\n";
  ClientOn client(ioc, server.url());
  EXPECT_THAT(client.refused({"PING"}, 300ms).message(), HasSubstr("redis+sentinel://"));
}

TEST_F(RedisFaultsReal, AClusterIsRefused) {
  FakeRedis server(ioc);
  server.answers["INFO"] = "$42\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n\r\n";
  ClientOn client(ioc, server.url());
  EXPECT_THAT(client.refused({"PING"}, 300ms).message(),
              HasSubstr("Redis Cluster is not supported"));
}

TEST_F(RedisFaultsReal, AServerThatRefusesWhatWeCanDoWithoutIsTaken) {
  FakeRedis server(ioc);
  for (const auto* word : {"CLIENT", "INFO", "ROLE", "SETRANGE"})
    server.answers[word] = "-NOPERM this user has no permissions to run it\r\n";
  ClientOn client(ioc, server.url());
  client.wait_connected();
  ASSERT_TRUE(client.wait([&] { return server.asked["SETRANGE"] > 0; }));
  EXPECT_EQ(client.ask({"SET", "k", "v"}).str(), "OK");
  EXPECT_TRUE(client->usable());
}

TEST_F(RedisFaultsReal, WhatTheServerTurnsIntoEndsTheConnection) {
  for (const std::string text :
       {"LOADING Redis is loading", "MASTERDOWN Link with MASTER is down",
        "READONLY You can't write", "NOAUTH Authentication required.", "MOVED 1 127.0.0.1:1"}) {
    FakeRedis server(ioc);
    ClientOn client(ioc, server.url());
    client.wait_connected();
    server.answers["SET"] = "-" + text + "\r\n";
    EXPECT_EQ(client.refused({"SET", "k", "v"}).detail(), error_word(text));
    EXPECT_TRUE(client.wait([&] { return client->connections() == 2; })) << text;
    EXPECT_EQ(client.lines->count("redis_connection_lost"), 1);
  }
}

TEST_F(RedisFaultsReal, EachWayToFailToConnectHasItsCause) {
  const auto cause = [&](const std::string& url) {
    ClientOn client(ioc, url, {.connect_timeout = 2s});
    EXPECT_TRUE(client.wait([&] { return client.lines->count("redis_unavailable") > 0; })) << url;
    const auto& line = client.lines->all.front();
    EXPECT_THAT(line, HasSubstr("Error connecting to Redis: ")) << url;
    EXPECT_THAT(line, testing::Not(HasSubstr(R"("fix":"")"))) << url;
    const auto at = line.find(R"("cause":")") + 9;
    return line.substr(at, line.find('"', at) - at);
  };
  boost::asio::ip::tcp::acceptor taken(ioc, {boost::asio::ip::make_address("127.0.0.1"), 0});
  const auto port = taken.local_endpoint().port();
  taken.close();

  EXPECT_EQ(cause(fmt::format("redis://127.0.0.1:{}", port)), "connection_refused");
  EXPECT_EQ(cause("unix:///nowhere/redis.sock"), "connection_refused");
  EXPECT_EQ(cause("redis://no-such-host.invalid"), "name_unknown");
  FakeRedis full(ioc);
  full.answers["CLIENT"] = "-ERR max number of clients reached\r\n";
  EXPECT_EQ(cause(full.url()), "max_clients");
  FakeRedis loading(ioc);
  loading.answers["PING"] = "-LOADING Redis is loading\r\n";
  EXPECT_EQ(cause(loading.url()), "loading");
}

TEST_F(RedisFaultsReal, ConnectionsToOneServerTellOfItsAbsenceOnce) {
  PrivateRedis server;
  ClientOn one(ioc, server.url());
  ClientOn other(ioc, server.url());
  one.wait_connected();
  other.wait_connected();
  server.kill9();
  ASSERT_TRUE(one.wait([&] { return !one->connected() && !other->connected(); }));
  ASSERT_TRUE(one.wait([&] {
    return one->last_error() == "Connection refused" && other->last_error() == "Connection refused";
  }));
  EXPECT_EQ(one.lines->count("redis_unavailable") + other.lines->count("redis_unavailable"), 1);
  server.start();
  one.wait_connected();
  EXPECT_EQ(one.lines->count("redis_connected"), 2);
}

}  // namespace
}  // namespace botburrow::net
