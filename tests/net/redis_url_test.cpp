#include "base/error.hpp"
#include "net/redis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

using testing::HasSubstr;
using testing::Not;
using Transport = RedisAddress::Transport;

std::string refusal_of(std::string_view url) {
  try {
    parse_redis_url(url);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::invalid_argument) << url;
    return error.message();
  }
  return "accepted";
}

TEST(RedisUrl, TakesHostPortAndDatabase) {
  const auto address = parse_redis_url("redis://valkey.example.svc:6380/3");

  EXPECT_EQ(address.transport, Transport::tcp);
  EXPECT_EQ(address.host, "valkey.example.svc");
  EXPECT_EQ(address.port, 6380);
  EXPECT_EQ(address.db, 3);
}

TEST(RedisUrl, PortAndDatabaseHaveDefaults) {
  for (const auto* url : {"redis://localhost", "redis://localhost/", "redis://localhost/?"}) {
    const auto address = parse_redis_url(url);
    EXPECT_EQ(address.host, "localhost") << url;
    EXPECT_EQ(address.port, 6379) << url;
    EXPECT_EQ(address.db, 0) << url;
  }
}

TEST(RedisUrl, RedissIsTls) {
  EXPECT_EQ(parse_redis_url("rediss://h").transport, Transport::tls);
}

TEST(RedisUrl, TakesUserAndPasswordPercentDecoded) {
  const auto address = parse_redis_url("redis://us%65r:p%40%2Fs%3As:w@h");

  EXPECT_EQ(address.user, "user");
  EXPECT_EQ(address.password.reveal(), "p@/s:s:w");
  EXPECT_EQ(address.host, "h");
}

TEST(RedisUrl, AnUnescapedAtBelongsToThePassword) {
  EXPECT_EQ(parse_redis_url("redis://:p@ss@h").password.reveal(), "p@ss");
}

TEST(RedisUrl, TakesIpv6InBrackets) {
  const auto address = parse_redis_url("redis://[::1]:7000/1");

  EXPECT_EQ(address.host, "::1");
  EXPECT_EQ(address.port, 7000);
  EXPECT_EQ(address.masked(), "redis://[::1]:7000/1");
}

TEST(RedisUrl, TakesUnixSocketWithDatabase) {
  const auto address = parse_redis_url("unix:///run/a%20b/redis.sock?db=4");

  EXPECT_EQ(address.transport, Transport::unix_socket);
  EXPECT_EQ(address.path, "/run/a b/redis.sock");
  EXPECT_EQ(address.db, 4);
  EXPECT_EQ(parse_redis_url("unix://:pw@/r.sock").password.reveal(), "pw");
}

TEST(RedisUrl, MaskedShowsEverythingButThePassword) {
  EXPECT_EQ(parse_redis_url("rediss://u:secret@h:1/2").masked(), "rediss://u:***@h:1/2");
  EXPECT_EQ(parse_redis_url("redis://:secret@h").masked(), "redis://:***@h:6379");
  EXPECT_EQ(parse_redis_url("unix://:secret@/r.sock?db=1").masked(), "unix://:***@/r.sock?db=1");
  EXPECT_EQ(parse_redis_url("redis://h").masked(), "redis://h:6379");
}

TEST(RedisUrl, SaysWhatIsMissing) {
  EXPECT_EQ(refusal_of("valkey:6379"), "missing scheme, expected redis://, rediss:// or unix://");
  EXPECT_EQ(refusal_of(""), "missing scheme, expected redis://, rediss:// or unix://");
  EXPECT_EQ(refusal_of("http://h"),
            "unknown scheme \"http\", expected redis://, rediss:// or unix://");
}

TEST(RedisUrl, RefusesWhatIsOutOfRange) {
  EXPECT_EQ(refusal_of("redis://h:0"), "port \"0\": expected 1..65535");
  EXPECT_EQ(refusal_of("redis://h:65536"), "port \"65536\": expected 1..65535");
  EXPECT_EQ(refusal_of("redis://h:63x"), "port \"63x\": expected 1..65535");
  EXPECT_EQ(refusal_of("redis://h/-1"), "database \"-1\": expected a number from 0");
  EXPECT_EQ(refusal_of("redis://h/a"), "database \"a\": expected a number from 0");
  EXPECT_EQ(parse_redis_url("redis://h:65535").port, 65535);
}

TEST(RedisUrl, RefusesBrokenParts) {
  for (const auto* url :
       {"redis://", "redis://:6379", "redis://h:", "redis://::1", "redis://[::1", "redis://[::1]x",
        "redis://:%zz@h", "redis://:%4@h", "redis://:%00@h", "redis://h?timeout=1", "redis://h?db",
        "unix://run/redis.sock", "unix://", "redis://a b", "redis://h#x"}) {
    EXPECT_NE(refusal_of(url), "accepted") << url;
  }
  EXPECT_THAT(refusal_of("unix:///" + std::string(200, 'x')),
              HasSubstr("socket path of 201 bytes"));
}

TEST(RedisUrl, TakesSentinelsAndTheNameTheyWatch) {
  const auto address =
      parse_redis_url("redis+sentinel://us%65r:p%40w@h1:5000,h2,[::1]:26380/my.master-1/3");

  EXPECT_TRUE(address.by_sentinel());
  EXPECT_EQ(address.transport, Transport::tcp);
  EXPECT_EQ(address.sentinels,
            (std::vector<RedisHost>{{"h1", 5000}, {"h2", 26379}, {"::1", 26380}}));
  EXPECT_EQ(address.master, "my.master-1");
  EXPECT_EQ(address.db, 3);
  EXPECT_EQ(address.user, "user");
  EXPECT_EQ(address.password.reveal(), "p@w");
  EXPECT_EQ(address.masked(),
            "redis+sentinel://user:***@h1:5000,h2:26379,[::1]:26380/my.master-1/3");
  const auto tls = parse_redis_url("rediss+sentinel://h/m");
  EXPECT_EQ(tls.transport, Transport::tls);
  EXPECT_EQ(tls.masked(), "rediss+sentinel://h:26379/m");
  EXPECT_FALSE(parse_redis_url("redis://h/1").by_sentinel());
}

TEST(RedisUrl, SaysWhatIsWrongWithSentinels) {
  EXPECT_EQ(refusal_of("redis+sentinel://h"),
            "missing master name, expected redis+sentinel://host:26379/master");
  EXPECT_EQ(refusal_of("redis+sentinel://h/"),
            "missing master name, expected redis+sentinel://host:26379/master");
  EXPECT_EQ(refusal_of("redis+sentinel://h,/m"),
            "missing host, expected e.g. redis+sentinel://host:26379/master");
  EXPECT_EQ(refusal_of("redis+sentinel:///m"),
            "missing host, expected e.g. redis+sentinel://host:26379/master");
  EXPECT_EQ(refusal_of("redis+sentinel://a,b:99999/m"), "port \"99999\": expected 1..65535");
  EXPECT_EQ(refusal_of("redis+sentinel://a/m/x"), "database \"x\": expected a number from 0");
  EXPECT_EQ(refusal_of("redis+sentinel://a/m%20n"),
            "master name of 5 characters: expected letters, digits, '.', '-' and '_'");
  std::string many = "redis+sentinel://h0";
  for (int i = 0; i < 40; ++i)
    many += ",h";
  EXPECT_EQ(refusal_of(many + "/m"), "more than 32 sentinels");
}

TEST(RedisUrl, NeverRepeatsAPieceOfThePassword) {
  for (const auto* url : {"redis://:hunter/two@h", "redis://:hunter?two@h",
                          "redis://u:hunter#two@h", "redis://:hunter%2@h", "redis://u:hunter@h:x",
                          "redis+sentinel://:hunter/two@h/m", "redis+sentinel://:hunter@h"}) {
    EXPECT_THAT(refusal_of(url), Not(HasSubstr("hunter"))) << url;
    EXPECT_NE(refusal_of(url), "accepted") << url;
  }
}

}  // namespace
}  // namespace botburrow::net
