#include "net/redis.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

namespace botburrow::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::PrivateRedis;
using test::run_task;
using test::run_until;
using testing::Contains;
using testing::HasSubstr;

class Lines final : public LogSink {
 public:
  void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

class Client {
 public:
  explicit Client(RedisAddress address, Redis::Options options = {})
      : redis_(ioc.get_executor(), std::move(address), std::move(options), Log(lines, {}),
               random_) {
    redis_.start();
  }
  explicit Client(const std::string& url, Redis::Options options = {})
      : Client(parse_redis_url(url), std::move(options)) {}
  ~Client() {
    run_task(ioc, redis_.stop());
    ioc.poll();
  }

  Redis& operator*() { return redis_; }
  Redis* operator->() { return &redis_; }
  RedisReply ask(Redis::Args args, std::chrono::nanoseconds within = 10s) {
    return run_task(ioc, redis_.command(std::move(args), Deadline::in(within)));
  }
  /// The error that `args` ends with.
  Error refused(Redis::Args args, std::chrono::nanoseconds within = 10s) {
    return failure_of(redis_.command(std::move(args), Deadline::in(within)));
  }
  template <class T>
  Error failure_of(Task<T> task) {
    try {
      run_task(ioc, std::move(task));
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return Error(errc::internal, "no error");
  }
  void wait_connected() { run_task(ioc, redis_.ready(Deadline::in(10s))); }

  asio::io_context ioc{1};
  std::shared_ptr<Lines> lines = std::make_shared<Lines>();

 private:
  SeededRandom random_{1};
  Redis redis_;
};

/// One command under way, with the means to cancel it.
struct Asked {
  bool done = false;
  std::optional<RedisReply> reply;
  std::exception_ptr failure;
  asio::cancellation_signal signal;
};

std::shared_ptr<Asked> begin(Client& client, Redis::Args args,
                             Deadline deadline = Deadline::in(20s)) {
  auto asked = std::make_shared<Asked>();
  asio::co_spawn(client.ioc, client->command(std::move(args), deadline),
                 asio::bind_cancellation_slot(
                     asked->signal.slot(), [asked](std::exception_ptr failure, RedisReply reply) {
                       asked->done = true;
                       asked->failure = failure;
                       if (!failure) asked->reply = std::move(reply);
                     }));
  return asked;
}

bool wait_done(Client& client, const Asked& asked) {
  return run_until(client.ioc, [&] { return asked.done; });
}

TEST(Redis, AnswersCommandsOfEveryKind) {
  PrivateRedis server;
  Client client(server.url());

  EXPECT_EQ(client.ask({"SET", "k", std::string("a\0\r\nb", 5)}).str(), "OK");
  EXPECT_EQ(client.ask({"GET", "k"}).str(), std::string("a\0\r\nb", 5));
  EXPECT_EQ(client.ask({"INCR", "n"}).integer(), 1);
  EXPECT_TRUE(client.ask({"GET", "none"}).is_nil());
  EXPECT_EQ(client.ask({"MGET", "none", "n"}).array()[1].str(), "1");
  EXPECT_TRUE(client->connected());
  EXPECT_EQ(client->last_error(), "");
  EXPECT_EQ(client->connections(), 1u);
  EXPECT_GE(client->server_version().major, 6);
}

TEST(Redis, TellsItsNameAndLogsItsConnectionWithoutThePassword) {
  PrivateRedis server({.tcp = true, .password = "hunter2"});
  Client client(server.tcp_url(), {.name = "runner-1"});

  EXPECT_EQ(client.ask({"CLIENT", "GETNAME"}).str(), "runner-1");
  ASSERT_EQ(client.lines->lines.size(), 1u);
  EXPECT_THAT(client.lines->lines[0], HasSubstr("redis_connected"));
  EXPECT_THAT(client.lines->lines[0], HasSubstr("redis://:***@127.0.0.1"));
  EXPECT_THAT(client.lines->lines[0], testing::Not(HasSubstr("hunter2")));
}

TEST(Redis, ServerErrorsAreToldApart) {
  PrivateRedis server;
  Client client(server.url());
  client.ask({"SET", "text", "x"});

  const auto error = client.refused({"LPUSH", "text", "y"});

  EXPECT_EQ(error.code(), errc::redis_error);
  EXPECT_EQ(error.detail(), "WRONGTYPE");
  EXPECT_THAT(error.message(), HasSubstr("LPUSH"));
  EXPECT_EQ(client.refused({"NOSUCH"}).detail(), "ERR");
}

TEST(Redis, AFullServerIsUnavailable) {
  PrivateRedis server({.extra = {"--maxmemory", "1mb", "--maxmemory-policy", "noeviction"}});
  Client client(server.url());

  const auto error = client.refused({"SET", "k", std::string(2 << 20, 'x')});

  // The first large write passes the check; the next one does not.
  const auto next = error.code() == errc::internal ? client.refused({"SET", "k2", "x"}) : error;
  EXPECT_EQ(next.code(), errc::redis_unavailable);
  EXPECT_EQ(next.detail(), "OOM");
  EXPECT_THAT(next.message(), HasSubstr("; raise maxmemory of the server"));
}

TEST(Redis, AnEmptyCommandIsRefusedBeforeItConfusesTheReplies) {
  PrivateRedis server;
  Client client(server.url());

  EXPECT_EQ(client.refused({}).code(), errc::invalid_argument);
  EXPECT_EQ(client.failure_of(client->pipeline({{"PING"}, {}}, Deadline::in(5s))).code(),
            errc::invalid_argument);
  EXPECT_EQ(client.ask({"ECHO", "still"}).str(), "still");
}

TEST(Redis, SelectsTheDatabaseOfTheUrl) {
  PrivateRedis server;
  Client client(server.url() + "?db=5");

  client.ask({"SET", "k", "v"});

  EXPECT_THAT(server.ask({"INFO", "keyspace"}).str(), HasSubstr("db5:keys=1"));
}

TEST(Redis, ADatabaseThatDoesNotExistIsNoConnection) {
  PrivateRedis server;
  Client client(server.url() + "?db=99");

  const auto error = client.refused({"PING"}, 300ms);

  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_THAT(error.message(), HasSubstr("SELECT: ERR DB index is out of range"));
}

TEST(Redis, AWrongPasswordIsUnavailableAndSaysSo) {
  PrivateRedis server({.tcp = true, .password = "right"});
  Client client(fmt::format("redis://:wrong@127.0.0.1:{}", server.port()));

  const auto error = client.refused({"PING"}, 300ms);

  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_EQ(error.detail(), "WRONGPASS");
  EXPECT_THAT(client.lines->lines,
              Contains(HasSubstr("Error connecting to Redis: AUTH: WRONGPASS")));
  EXPECT_FALSE(client->connected());
}

TEST(Redis, AMissingPasswordIsUnavailableAndSaysSo) {
  PrivateRedis server({.tcp = true, .password = "right"});
  Client client(fmt::format("redis://127.0.0.1:{}", server.port()));

  EXPECT_EQ(client.refused({"PING"}, 300ms).detail(), "NOAUTH");
}

TEST(Redis, LogsOnceWhyItCannotConnect) {
  asio::io_context other;
  asio::ip::tcp::acceptor taken(other, {asio::ip::make_address("127.0.0.1"), 0});
  const auto port = taken.local_endpoint().port();
  taken.close();
  Client client(fmt::format("redis://127.0.0.1:{}", port));

  const auto error = client.refused({"GET", "k"}, 600ms);

  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_EQ(error.retry(), Retry::after_backoff);
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_EQ(client->last_error(), "Connection refused");
  ASSERT_EQ(client.lines->lines.size(), 1u);
  EXPECT_THAT(client.lines->lines[0], HasSubstr("redis_unavailable"));
  EXPECT_THAT(client.lines->lines[0], HasSubstr("Error connecting to Redis: Connection refused"));
  EXPECT_THAT(client.lines->lines[0], HasSubstr(R"("cause":"connection_refused")"));
  EXPECT_THAT(error.message(), HasSubstr("start Redis, or correct host and port in REDIS_URL"));
}

TEST(Redis, APassedDeadlineAsksNothing) {
  PrivateRedis server;
  Client client(server.url());
  client.wait_connected();

  EXPECT_EQ(client.refused({"SET", "k", "v"}, -1s).detail(), "not_sent");
  EXPECT_EQ(client.ask({"EXISTS", "k"}).integer(), 0);
}

TEST(Redis, TenThousandCommandsAtOnceKeepTheirOrder) {
  PrivateRedis server;
  Client client(server.url());
  int wrong = 0;
  int done = 0;
  const auto one = [](Client& from, int number, int& bad, int& count) -> Task<> {
    const auto reply = co_await from->command({"ECHO", std::to_string(number)});
    bad += reply.str() == std::to_string(number) ? 0 : 1;
    ++count;
  };
  for (int i = 0; i < 10'000; ++i)
    asio::co_spawn(client.ioc, one(client, i, wrong, done), asio::detached);

  EXPECT_TRUE(run_until(client.ioc, [&] { return done == 10'000; }));
  EXPECT_EQ(wrong, 0);
}

TEST(Redis, CommandsOfOneClientRunInTheOrderAsked) {
  PrivateRedis server;
  Client client(server.url());
  int done = 0;
  const auto push = [](Client& from, int number, int& count) -> Task<> {
    co_await from->command({"RPUSH", "list", std::to_string(number)});
    ++count;
  };
  // The first half is asked before there is a connection.
  for (int i = 0; i < 50; ++i)
    asio::co_spawn(client.ioc, push(client, i, done), asio::detached);
  client.wait_connected();
  for (int i = 50; i < 100; ++i)
    asio::co_spawn(client.ioc, push(client, i, done), asio::detached);
  ASSERT_TRUE(run_until(client.ioc, [&] { return done == 100; }));

  const auto list = client.ask({"LRANGE", "list", "0", "-1"});

  ASSERT_EQ(list.array().size(), 100u);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(list.array()[static_cast<std::size_t>(i)].str(), std::to_string(i));
}

TEST(Redis, PipelineAnswersInOrderWithErrorsInPlace) {
  PrivateRedis server;
  Client client(server.url());

  const auto replies = run_task(
      client.ioc,
      client->pipeline({{"SET", "k", "1"}, {"LPUSH", "k", "x"}, {"INCR", "k"}}, Deadline::in(5s)));

  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0].str(), "OK");
  EXPECT_TRUE(std::holds_alternative<RedisReply::Failure>(replies[1].value));
  EXPECT_EQ(replies[2].integer(), 2);
  EXPECT_TRUE(run_task(client.ioc, client->pipeline({}, Deadline::in(5s))).empty());
}

TEST(Redis, LargeValuesPassBothWays) {
  PrivateRedis server;
  Client client(server.url());
  std::string large(20 << 20, '\0');
  for (std::size_t i = 0; i < large.size(); i += 4096)
    large[i] = static_cast<char>('a' + i / 4096 % 26);

  client.ask({"SET", "large", large});

  EXPECT_TRUE(client.ask({"GET", "large"}).str() == large);
}

TEST(Redis, AReplyOverTheLimitFailsItsCommandOnly) {
  PrivateRedis server;
  Client client(server.url(), {.reply_bytes_max = 100'000});
  client.ask({"SET", "large", std::string(200'000, 'x')});

  EXPECT_EQ(client.refused({"GET", "large"}).code(), errc::limit);
  EXPECT_EQ(client.ask({"STRLEN", "large"}).integer(), 200'000);
  EXPECT_EQ(client->connections(), 2u);
}

TEST(Redis, ACancelledCommandLeavesTheLaterRepliesInPlace) {
  PrivateRedis server;
  Client client(server.url());
  client.wait_connected();
  const auto blocked = begin(client, {"BLPOP", "bell", "0"});
  const auto behind = begin(client, {"ECHO", "behind"});
  ASSERT_TRUE(run_until(client.ioc, [&] {
    return server.ask({"CLIENT", "LIST"}).str().find("cmd=blpop") != std::string::npos;
  }));

  blocked->signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(wait_done(client, *blocked));
  EXPECT_TRUE(is_cancellation(blocked->failure));
  EXPECT_FALSE(behind->done);
  server.ask({"RPUSH", "bell", "dropped"});

  ASSERT_TRUE(wait_done(client, *behind));
  ASSERT_TRUE(behind->reply);
  EXPECT_EQ(behind->reply->str(), "behind");
  EXPECT_EQ(client.ask({"ECHO", "later"}).str(), "later");
  EXPECT_EQ(client->connections(), 1u);
}

TEST(Redis, ACommandCancelledWhileThereIsNoConnectionIsNeverSent) {
  PrivateRedis server({.appendonly = true});
  Client client(server.url());
  client.wait_connected();
  server.kill9();
  ASSERT_TRUE(run_until(client.ioc, [&] { return !client->connected(); }));
  const auto asked = begin(client, {"SET", "k", "v"});
  client.ioc.poll();

  asked->signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(wait_done(client, *asked));
  server.start();

  EXPECT_EQ(client.ask({"EXISTS", "k"}).integer(), 0);
}

TEST(Redis, ADeadlineWhileTheServerIsSilentLeavesTheOutcomeOpen) {
  PrivateRedis server;
  Client client(server.url());
  client.wait_connected();

  const auto error = client.refused({"BLPOP", "bell", "1"}, 50ms);

  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_EQ(error.detail(), "outcome_unknown");
  EXPECT_EQ(client.ask({"ECHO", "later"}).str(), "later");
  EXPECT_EQ(client->connections(), 1u);
}

TEST(Redis, AServerThatStopsAnsweringIsLeft) {
  PrivateRedis server;
  Client client(server.url(), {.connect_timeout = 300ms, .command_timeout = 200ms});
  client.wait_connected();
  server.freeze();

  const auto asked = begin(client, {"PING"}, Deadline::in(250ms));
  ASSERT_TRUE(wait_done(client, *asked));
  ASSERT_TRUE(run_until(client.ioc, [&] { return !client->connected(); }));
  server.thaw();

  EXPECT_EQ(client.ask({"PING"}).str(), "PONG");
  EXPECT_GE(client->connections(), 2u);
}

TEST(Redis, ConnectsAgainAfterTheServerWasKilled) {
  PrivateRedis server({.appendonly = true});
  Client client(server.url());
  client.ask({"SET", "k", "v"});

  server.restart();

  // The loss may be seen by this very command: then nobody knows, and asking again is its caller's
  // part.
  std::string value;
  try {
    value = client.ask({"GET", "k"}).str();
  } catch (const Error& error) {
    EXPECT_EQ(error.detail(), "outcome_unknown");
    value = client.ask({"GET", "k"}).str();
  }
  EXPECT_EQ(value, "v");
  EXPECT_EQ(client->connections(), 2u);
}

TEST(Redis, WhatIsAskedWhileTheServerIsDownWaitsForIt) {
  PrivateRedis server({.appendonly = true});
  Client client(server.url());
  client.wait_connected();
  server.kill9();
  ASSERT_TRUE(run_until(client.ioc, [&] { return !client->connected(); }));
  const auto waits = begin(client, {"INCR", "n"});
  const auto gives_up = begin(client, {"INCR", "n"}, Deadline::in(100ms));

  ASSERT_TRUE(wait_done(client, *gives_up));
  EXPECT_TRUE(gives_up->failure);
  EXPECT_FALSE(waits->done);
  server.start();

  ASSERT_TRUE(wait_done(client, *waits));
  ASSERT_TRUE(waits->reply);
  EXPECT_EQ(waits->reply->integer(), 1);
}

TEST(Redis, ALossLeavesTheOutcomeOfWhatWasSentOpen) {
  PrivateRedis server;
  Client client(server.url());
  client.wait_connected();
  const auto blocked = begin(client, {"BLPOP", "bell", "0"});
  const auto behind = begin(client, {"INCR", "n"});
  ASSERT_TRUE(run_until(client.ioc, [&] {
    return server.ask({"CLIENT", "LIST"}).str().find("cmd=blpop") != std::string::npos;
  }));

  server.kill9();

  for (const auto& asked : {blocked, behind}) {
    ASSERT_TRUE(wait_done(client, *asked));
    ASSERT_TRUE(asked->failure);
    try {
      std::rethrow_exception(asked->failure);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), errc::redis_unavailable);
      EXPECT_EQ(error.retry(), Retry::after_backoff);
      EXPECT_EQ(error.detail(), "outcome_unknown");
    }
  }
  EXPECT_FALSE(client->connected());
  EXPECT_NE(client->last_error(), "");
}

TEST(Redis, ScriptsAreLoadedAtFirstUseAndAgainAfterTheyWereFlushed) {
  PrivateRedis server;
  Client client(server.url());
  const RedisScript script("redis.call('INCRBY', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1]}");
  const auto run = [&] {
    return run_task(client.ioc, client->eval(script, {"n"}, {"5"}, Deadline::in(5s)));
  };

  EXPECT_EQ(run().array()[1].str(), "5");
  EXPECT_EQ(run().array()[0].str(), "n");
  server.ask({"SCRIPT", "FLUSH"});
  EXPECT_EQ(run().array()[1].str(), "5");

  EXPECT_EQ(client.ask({"GET", "n"}).str(), "15");
  EXPECT_THAT(server.ask({"INFO", "commandstats"}).str(), HasSubstr("cmdstat_eval:calls=2"));
}

TEST(Redis, ErrorsOfScriptsCarryTheirWord) {
  PrivateRedis server;
  Client client(server.url());
  const RedisScript script("return redis.error_reply('STALE_LEADER epoch 3')");

  EXPECT_EQ(client.failure_of(client->eval(script, {}, {})).detail(), "STALE_LEADER");
}

TEST(Redis, ReadyWaitsForTheConnectionAndGivesUpInTime) {
  PrivateRedis server;
  server.kill9();
  Client client(server.url());

  const auto error = client.failure_of(client->ready(Deadline::in(100ms)));
  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_THAT(error.message(), HasSubstr("Connection refused"));
  server.start();

  run_task(client.ioc, client->ready(Deadline::in(10s)));
  EXPECT_TRUE(client->connected());
}

TEST(Redis, StoppingFailsWhatWaitsAndRefusesWhatComes) {
  PrivateRedis server;
  Client client(server.url());
  client.wait_connected();
  const auto blocked = begin(client, {"BLPOP", "bell", "0"});
  ASSERT_TRUE(run_until(client.ioc, [&] {
    return server.ask({"CLIENT", "LIST"}).str().find("cmd=blpop") != std::string::npos;
  }));

  run_task(client.ioc, client->stop());
  ASSERT_TRUE(wait_done(client, *blocked));

  EXPECT_TRUE(blocked->failure);
  EXPECT_FALSE(client->connected());
  EXPECT_EQ(client.refused({"PING"}).code(), errc::redis_unavailable);
  run_task(client.ioc, client->stop());
}

TEST(Redis, StartsAndStopsAtAnyMoment) {
  PrivateRedis server;
  for (int steps = 0; steps < 60; ++steps) {
    Client client(server.url());
    const auto asked = begin(client, {"PING"});
    for (int i = 0; i < steps; ++i)
      client.ioc.poll_one();
    run_task(client.ioc, client->stop());
    ASSERT_TRUE(wait_done(client, *asked));
  }
}

TEST(Redis, AnUnstoppedClientLeavesNobodyWaitingInItsMemory) {
  PrivateRedis server;
  asio::io_context ioc;
  SeededRandom random(1);
  {
    Redis redis(ioc.get_executor(), server.address(), {}, Log::none(), random);
    redis.start();
    run_task(ioc, redis.ready(Deadline::in(10s)));
    asio::co_spawn(ioc, redis.command({"BLPOP", "bell", "0"}),
                   [](std::exception_ptr, RedisReply) {});
    ioc.poll();
  }
  EXPECT_TRUE(run_until(ioc, [&] { return ioc.poll() == 0; }));
}

/// Speaks for a server: one line of `answers` for each connection, then closes.
class Impostor {
 public:
  explicit Impostor(asio::io_context& ioc, std::string answer)
      : acceptor_(ioc, {asio::ip::make_address("127.0.0.1"), 0}), answer_(std::move(answer)) {
    accept();
  }
  std::string url() const {
    return fmt::format("redis://127.0.0.1:{}", acceptor_.local_endpoint().port());
  }
  int accepted = 0;

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code failure, asio::ip::tcp::socket peer) {
      if (failure) return;
      ++accepted;
      answer(std::make_shared<Peer>(std::move(peer)));
      accept();
    });
  }
  struct Peer {
    explicit Peer(asio::ip::tcp::socket s) : socket(std::move(s)) {}
    asio::ip::tcp::socket socket;
    std::array<char, 4096> read{};
  };
  // Reads first: closing with bytes unread would take the answer away from the client.
  void answer(std::shared_ptr<Peer> peer) {
    peer->socket.async_read_some(asio::buffer(peer->read),
                                 [this, peer](boost::system::error_code failure, std::size_t) {
                                   if (failure) return;
                                   boost::system::error_code ignored;
                                   asio::write(peer->socket, asio::buffer(answer_), ignored);
                                   if (answer_.empty()) answer(peer);
                                 });
  }
  asio::ip::tcp::acceptor acceptor_;
  std::string answer_;
};

Error refused_by(const std::string& answer, std::chrono::milliseconds connect_timeout = 5s) {
  asio::io_context ioc;
  SeededRandom random(1);
  Impostor server(ioc, answer);
  Redis redis(ioc.get_executor(), parse_redis_url(server.url()),
              {.connect_timeout = connect_timeout}, Log::none(), random);
  redis.start();
  std::optional<Error> seen;
  try {
    run_task(ioc, redis.ready(Deadline::in(400ms)));
  } catch (const Error& error) {
    seen = error;
  }
  run_task(ioc, redis.stop());
  return seen.value_or(Error(errc::internal, "connected"));
}

TEST(RedisHandshake, ALoadingServerIsNotThereYet) {
  const auto error = refused_by(
      "+OK\r\n$20\r\nredis_version:7.0.15\r\n*0\r\n-LOADING Redis is loading the dataset in "
      "memory\r\n");
  EXPECT_EQ(error.code(), errc::redis_unavailable);
  EXPECT_EQ(error.detail(), "LOADING");
}

TEST(RedisHandshake, OtherProtocolsAreRefused) {
  EXPECT_THAT(refused_by("HTTP/1.1 400 Bad Request\r\n\r\n").message(),
              HasSubstr("Protocol error"));
}

TEST(RedisHandshake, AServerAtItsLimitOfClientsSaysSo) {
  EXPECT_THAT(refused_by("-ERR max number of clients reached\r\n").message(),
              HasSubstr("max number of clients"));
}

TEST(RedisHandshake, APeerThatClosesOrKeepsSilentIsNoServer) {
  EXPECT_EQ(refused_by("+").code(), errc::redis_unavailable);
  EXPECT_THAT(refused_by("", 100ms).message(), HasSubstr("no answer within 100 ms"));
}

TEST(RedisHandshake, AReplyNobodyAskedForEndsTheConnection) {
  asio::io_context ioc;
  SeededRandom random(1);
  Impostor server(ioc, "+OK\r\n$3\r\nx:1\r\n*0\r\n+PONG\r\n+surprise\r\n");
  Redis redis(ioc.get_executor(), parse_redis_url(server.url()), {}, Log::none(), random);
  redis.start();

  // Bounded by the back-off: 50 ms, doubled each time.
  EXPECT_TRUE(run_until(ioc, [&] { return server.accepted >= 3; }));
  EXPECT_GE(redis.connections(), 2u);
  run_task(ioc, redis.stop());
}

TEST(RedisTls, ChecksTheCertificateAgainstTheStoreAndTheName) {
  PrivateRedis plain;  // for its folder
  const auto folder = plain.folder();
  const auto cert = (folder / "cert.pem").string();
  const auto key = (folder / "key.pem").string();
  const std::string make = fmt::format(
      "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost "
      "-keyout {} -out {} 2>/dev/null",
      key, cert);
  ASSERT_EQ(std::system(make.c_str()), 0);
  PrivateRedis::Options options{.tcp = true};
  PrivateRedis finder(options);
  const int port = finder.port();
  finder.kill9();
  PrivateRedis server(
      {.extra = {"--tls-port", std::to_string(port), "--tls-cert-file", cert, "--tls-key-file", key,
                 "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"}});
  const auto url = [&](std::string_view host) { return fmt::format("rediss://{}:{}", host, port); };

  {
    Client stranger(url("localhost"));
    EXPECT_THAT(stranger.refused({"PING"}, 500ms).message(), HasSubstr("self-signed certificate"));
  }
  ::setenv("SSL_CERT_FILE", cert.c_str(), 1);
  {
    Client client(url("localhost"));
    EXPECT_EQ(client.ask({"PING"}).str(), "PONG");
    const std::string large(1 << 20, 'x');
    client.ask({"SET", "k", large});
    EXPECT_TRUE(client.ask({"GET", "k"}).str() == large);
    Client wrong_name(url("127.0.0.1"));
    EXPECT_FALSE(wrong_name.refused({"PING"}, 500ms).message().empty());
    EXPECT_FALSE(wrong_name->connected());
  }
  ::unsetenv("SSL_CERT_FILE");
}

}  // namespace
}  // namespace botburrow::net
