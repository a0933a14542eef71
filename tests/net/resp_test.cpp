#include "net/resp.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

std::string shown(const RedisReply& reply) {
  struct Show {
    std::string operator()(const RedisReply::Nil&) const { return "nil"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(const std::string& text) const { return "'" + text + "'"; }
    std::string operator()(const RedisReply::Status& status) const { return "+" + status.text; }
    std::string operator()(const RedisReply::Failure& failure) const { return "-" + failure.text; }
    std::string operator()(const RedisReply::Array& items) const {
      std::string out = "[";
      for (const auto& item : items)
        out += shown(item) + ",";
      return out + "]";
    }
  };
  return std::visit(Show{}, reply.value);
}

constexpr std::string_view kStream =
    "+OK\r\n:-7\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n*0\r\n-ERR no\r\n"
    "*3\r\n*2\r\n:1\r\n$1\r\nx\r\n-WRONG y\r\n*1\r\n*1\r\n$0\r\n\r\n:9\r\n";
constexpr std::string_view kShown =
    "+OK -7 'a\r\nbc' nil nil [] -ERR no [[1,'x',],-WRONG y,[['',],],] 9 ";

TEST(RespReader, ReadsEveryKindWhateverThePieces) {
  for (std::size_t piece = 1; piece <= kStream.size(); ++piece) {
    RespReader reader(1000);
    std::string out;
    for (std::size_t at = 0; at < kStream.size(); at += piece) {
      reader.feed(kStream.substr(at, piece));
      while (auto* reply = reader.next())
        out += shown(*reply) + " ";
    }
    ASSERT_EQ(out, kShown) << "pieces of " << piece;
  }
}

TEST(RespReader, ArraysLargerThanTheirReserveKeepTheirElements) {
  RespReader reader(10u << 20);
  std::string bytes = "*2\r\n*5000\r\n";
  for (int i = 0; i < 5000; ++i)
    bytes += "*1\r\n:" + std::to_string(i) + "\r\n";
  bytes += ":-1\r\n";
  reader.feed(bytes);

  const auto* reply = reader.next();

  ASSERT_NE(reply, nullptr);
  EXPECT_EQ(reply->array()[0].array()[4999].array()[0].integer(), 4999);
  EXPECT_EQ(reply->array()[1].integer(), -1);
}

TEST(RespReader, RefusesALargeReplyBeforeItIsWhole) {
  RespReader reader(1000);
  reader.feed("$5000\r\n" + std::string(900, 'x'));
  EXPECT_EQ(reader.next(), nullptr);
  reader.feed(std::string(200, 'x'));

  try {
    reader.next();
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::limit);
  }
}

TEST(RespReader, ManySmallRepliesAreNoLargeOne) {
  RespReader reader(1000);
  std::string bytes;
  for (int i = 0; i < 1000; ++i)
    bytes += ":1\r\n";
  reader.feed(bytes);
  int count = 0;
  while (reader.next())
    ++count;
  EXPECT_EQ(count, 1000);
}

TEST(RespReader, AnAnnouncedCountIsNotTrustedWithMemory) {
  RespReader reader(1000);
  reader.feed("*2000000000\r\n*2000000000\r\n:1\r\n");
  EXPECT_EQ(reader.next(), nullptr);
}

TEST(RespReader, RefusesWhatIsNoReply) {
  for (const auto* bytes : {"HTTP/1.1 400 Bad Request\r\n\r\n", "?\r\n",
                            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    RespReader reader(1000);
    reader.feed(bytes);
    EXPECT_THROW(reader.next(), Error) << bytes;
  }
}

TEST(RespReader, SurvivesNoise) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    RespReader reader(1000);
    try {
      for (int i = 0; i < 20; ++i) {
        constexpr std::string_view kAlphabet = "*$:+-0123\r\n\r\n\r\nxy";
        std::string bytes;
        for (int j = 0; j < 10; ++j)
          bytes += kAlphabet[random.next() % kAlphabet.size()];
        reader.feed(bytes);
        while (auto* reply = reader.next())
          shown(*reply);
      }
    } catch (const Error&) {
      // Refusing is right; crashing is not.
    }
  }
}

TEST(RespWriter, WritesBinaryArguments) {
  std::string out;
  append_command(out, std::vector<std::string>{"SET", "", std::string("a\0\r\n", 4)});
  EXPECT_EQ(out, std::string("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\0\r\n\r\n", 29));
}

TEST(RedisReply, WrongKindsAreProtocolErrors) {
  const RedisReply number{std::int64_t{1}};
  const RedisReply text{std::string("x")};
  const RedisReply status{RedisReply::Status{"OK"}};
  EXPECT_EQ(status.str(), "OK");
  EXPECT_THROW(number.str(), Error);
  EXPECT_THROW(text.integer(), Error);
  EXPECT_THROW(text.array(), Error);
  EXPECT_TRUE(RedisReply{}.is_nil());
  EXPECT_FALSE(number.is_nil());
}

TEST(RedisErrorText, AreToldApart) {
  EXPECT_EQ(fault_of("LOADING Redis is loading"), RedisFault::loading);
  EXPECT_EQ(fault_of("MASTERDOWN Link with MASTER is down"), RedisFault::master_down);
  EXPECT_EQ(fault_of("READONLY You can't write"), RedisFault::read_only);
  EXPECT_EQ(fault_of("MISCONF Redis is configured to save"), RedisFault::disk_full);
  EXPECT_EQ(fault_of("OOM command not allowed"), RedisFault::out_of_memory);
  EXPECT_EQ(fault_of("BUSY Redis is busy"), RedisFault::busy);
  EXPECT_EQ(fault_of("BUSYGROUP Consumer Group name already exists"), RedisFault::other);
  EXPECT_EQ(fault_of("NOSCRIPT No matching script"), RedisFault::no_script);
  EXPECT_EQ(fault_of("WRONGPASS invalid"), RedisFault::wrong_password);
  EXPECT_EQ(fault_of("MOVED 1 h:1"), RedisFault::cluster);
  EXPECT_EQ(fault_of("WRONGTYPE Operation"), RedisFault::other);
  EXPECT_EQ(fault_of(""), RedisFault::other);
}

TEST(RedisErrorText, ErrorsWrappedByOldServersAreFound) {
  EXPECT_EQ(fault_of("ERR Error running script (call to f_1): @user_script:1: @user_script: 1: "
                     "-OOM command not "
                     "allowed when used memory > 'maxmemory'."),
            RedisFault::out_of_memory);
  EXPECT_EQ(error_word("ERR Error running script (call to f_1): @user_script:1: user code"), "ERR");
}

TEST(RedisErrorText, WhatMayPassIsUnavailable) {
  EXPECT_EQ(server_error("OOM x", "SET").code(), errc::redis_unavailable);
  EXPECT_EQ(server_error("OOM x", "SET").retry(), Retry::after_backoff);
  EXPECT_EQ(server_error("OOM x", "SET").detail(), "OOM");
  EXPECT_EQ(server_error("WRONGTYPE x", "SET").code(), errc::redis_error);
  EXPECT_EQ(server_error("WRONGTYPE x", "SET").retry(), Retry::never);
  EXPECT_EQ(server_error("WRONGTYPE x", "SET").detail(), "WRONGTYPE");
}

}  // namespace
}  // namespace botburrow::net
