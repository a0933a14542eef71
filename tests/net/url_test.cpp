#include "base/error.hpp"
#include "net/http_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Url, PartsOfAFullUrl) {
  const auto url = parse_url("https://user:pw@hub.example.com:8443/api/v1?x=1&y=2#part");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "hub.example.com");
  EXPECT_EQ(url.port, "8443");
  EXPECT_TRUE(url.explicit_port);
  EXPECT_EQ(url.path, "/api/v1");
  EXPECT_EQ(url.query, "x=1&y=2");
}

TEST(Url, PortOfTheSchemeWhereNoneIsNamed) {
  EXPECT_EQ(parse_url("http://h").port, "80");
  EXPECT_EQ(parse_url("https://h").port, "443");
  EXPECT_FALSE(parse_url("https://h").explicit_port);
  EXPECT_TRUE(parse_url("https://h:443").explicit_port);
  EXPECT_EQ(parse_url("http://h").path, "/");
}

TEST(Url, Ipv6HostHasNoBrackets) {
  EXPECT_EQ(parse_url("http://[::1]:8000/").host, "::1");
}

TEST(Url, WhatIsNoHttpUrlIsRefusedWithTheFix) {
  for (const char* bad :
       {"", "hub.example.com", "ftp://h/", "file:///etc/passwd", "http://", "http://h:99999/",
        "http://a b/", "http://h/\r\nX: 1", "//h/", "http:h:x"}) {
    try {
      const auto parts = parse_url(bad);
      ADD_FAILURE() << bad << " gave host " << parts.host;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), errc::invalid_argument);
      EXPECT_THAT(error.message(), HasSubstr("https://hub.example.com"));
      EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
    }
  }
  EXPECT_THROW(parse_url(std::string_view("http://h/\0x", 11)), Error);
}

TEST(Url, MessagesShowNeitherPasswordNorQuery) {
  try {
    parse_url("ftp://joe:secret1@h/p?token=secret2");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), Not(HasSubstr("secret")));
    EXPECT_THAT(error.message(), HasSubstr("ftp://***@h/p"));
  }
}

TEST(Url, EncodingRoundTripsEveryByte) {
  std::string all;
  for (int c = 0; c < 256; ++c)
    all += static_cast<char>(c);
  EXPECT_EQ(url_decode(url_encode(all)), all);
  EXPECT_EQ(url_encode("a b+c/d~é"), "a%20b%2Bc%2Fd~%C3%A9");
}

TEST(Url, DecodingLeavesBrokenEscapes) {
  EXPECT_EQ(url_decode("%"), "%");
  EXPECT_EQ(url_decode("%4"), "%4");
  EXPECT_EQ(url_decode("%zz1"), "%zz1");
  EXPECT_EQ(url_decode("a+b%20c"), "a b c");
}

TEST(Url, QueryString) {
  EXPECT_EQ(query_string({}), "");
  EXPECT_EQ(query_string({{"a", "1"}, {"b c", "x&y"}}), "?a=1&b%20c=x%26y");
}

}  // namespace
}  // namespace botburrow::net
