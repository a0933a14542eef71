// Rules of the way out: which hosts, which addresses, which requests.
#include "sandbox/egress_rules.hpp"

#include "sandbox/proxy_head.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::sandbox {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

bool is_public(const char* address) {
  return is_public_address(boost::asio::ip::make_address(address));
}

TEST(PublicAddress, IsWhatTheInternetHas) {
  for (const auto* address : {"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1",
                              "100.63.255.255", "100.128.0.0", "223.255.255.255", "192.167.1.1",
                              "169.253.1.1", "11.0.0.0", "2606:4700:4700::1111", "2a00:1450::1"})
    EXPECT_TRUE(is_public(address)) << address;
}

TEST(PublicAddress, IsNothingNearOrSpecial) {
  for (const auto* address : {"0.0.0.0",
                              "0.1.2.3",
                              "10.0.0.1",
                              "10.255.255.255",
                              "100.64.0.1",
                              "100.100.100.200",
                              "127.0.0.1",
                              "127.255.0.1",
                              "169.254.169.254",
                              "169.254.0.1",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.1",
                              "192.0.2.1",
                              "192.168.0.1",
                              "192.168.255.255",
                              "198.18.0.1",
                              "198.19.255.255",
                              "198.51.100.1",
                              "203.0.113.1",
                              "224.0.0.1",
                              "240.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::ffff:1.1.1.1",
                              "::ffff:127.0.0.1",
                              "::127.0.0.1",
                              "64:ff9b::7f00:1",
                              "64:ff9b:1::1",
                              "fe80::1",
                              "fec0::1",
                              "fc00::1",
                              "fd00:ec2::254",
                              "ff02::1",
                              "2001::1",
                              "2001:db8::1",
                              "2002:7f00:1::",
                              "3fff::1",
                              "4000::1",
                              "100::1"})
    EXPECT_FALSE(is_public(address)) << address;
}

TEST(HostPort, IsANameOrAnAddressInItsUsualForm) {
  const auto read = [](std::string_view text) { return parse_host_port(text, 443); };
  EXPECT_EQ(read("Example.COM"), (HostPort{"example.com", 443}));
  EXPECT_EQ(read("api.example.com:8443"), (HostPort{"api.example.com", 8443}));
  EXPECT_EQ(read("1.2.3.4:80"), (HostPort{"1.2.3.4", 80}));
  EXPECT_EQ(read("[2606:4700::1]:80"), (HostPort{"2606:4700::1", 80}));
  EXPECT_EQ(read("[2606:4700:0:0::1]"), (HostPort{"2606:4700::1", 443}));
  EXPECT_EQ(read("localhost"), (HostPort{"localhost", 443}));
  EXPECT_EQ(read("x-1.a_b.c0m"), (HostPort{"x-1.a_b.c0m", 443}));
}

TEST(HostPort, IsNothingThatTwoReadersCouldTakeForTwoThings) {
  for (const std::string_view text : {"",
                                      ":443",
                                      "example.com:",
                                      "example.com:0",
                                      "example.com:65536",
                                      "example.com:+80",
                                      "example.com:80:80",
                                      "example.com: 80",
                                      "exa mple.com",
                                      "*.example.com",
                                      "*",
                                      "127.1",
                                      "2130706433",
                                      "0x7f000001",
                                      "0x7f.0.0.1",
                                      "0177.0.0.1",
                                      "127.0.0.01",
                                      "1.2.3.4.",
                                      "1.2.3",
                                      "example.com.",
                                      ".example.com",
                                      "a..b",
                                      "-a.com",
                                      "a-.com",
                                      "user@example.com",
                                      "http://example.com",
                                      "example.com/",
                                      "2606:4700::1",
                                      "[::1",
                                      "[::1]x",
                                      "[fe80::1%eth0]",
                                      "example.com#",
                                      "ex\u00e4mple.com",
                                      "example.0x7f"})
    EXPECT_FALSE(parse_host_port(text, 443)) << text;
  EXPECT_FALSE(parse_host_port(std::string_view("example.com\0.evil.com", 21), 443));
  EXPECT_FALSE(parse_host_port(std::string(300, 'a') + ".com", 443));
}

TEST(EgressRules, AllowWhatIsListedAndNothingElse) {
  const EgressRules rules(
      {.enabled = true, .allowed_hosts = {"api.example.com", "other.org:8080", "*.wild.com"}}, {});
  EXPECT_EQ(rules.refusal({"api.example.com", 443}), std::nullopt);
  EXPECT_EQ(rules.refusal({"other.org", 8080}), std::nullopt);
  EXPECT_EQ(rules.refusal({"api.example.com", 80}),
            "api.example.com:80 is not in network.allowed_hosts of this agent");
  for (const HostPort& target : {HostPort{"example.com", 443}, HostPort{"x.api.example.com", 443},
                                 HostPort{"other.org", 443}, HostPort{"a.wild.com", 443}})
    EXPECT_TRUE(rules.refusal(target)) << target.host;
}

TEST(EgressRules, NothingListedOrSwitchedOffIsNoHost) {
  EXPECT_TRUE(EgressRules({.enabled = true}, {}).refusal({"a.com", 443}));
  EXPECT_EQ(EgressRules({.enabled = false, .allowed_hosts = {"a.com"}}, {}).refusal({"a.com", 443}),
            "network.enabled is false for this agent");
}

TEST(EgressRules, BlockedHostsAreTakenOut) {
  const EgressRules rules({.enabled = true,
                           .allowed_hosts = {"a.com", "a.com:80", "b.com", "b.com:80"},
                           .blocked_hosts = {"a.com", "b.com:80"}},
                          {});
  EXPECT_TRUE(rules.refusal({"a.com", 443}));
  EXPECT_TRUE(rules.refusal({"a.com", 80}));
  EXPECT_EQ(rules.refusal({"b.com", 443}), std::nullopt);
  EXPECT_TRUE(rules.refusal({"b.com", 80}));
}

TEST(EgressRules, PrivateAddressesNeedTheOperatorsWordForHostAndPort) {
  const EgressRules rules({.enabled = true, .allowed_hosts = {"git.lan:80", "db.lan:80"}},
                          {"git.lan:80"});
  const auto private_address = boost::asio::ip::make_address("10.0.0.5");
  EXPECT_EQ(rules.refusal({"git.lan", 80}, private_address), std::nullopt);
  EXPECT_THAT(rules.refusal({"db.lan", 80}, private_address).value(),
              HasSubstr("which is not public (EGRESS_PRIVATE_ALLOW)"));
  EXPECT_TRUE(rules.refusal({"git.lan", 443}, private_address));
  EXPECT_EQ(rules.refusal({"db.lan", 80}, boost::asio::ip::make_address("1.1.1.1")), std::nullopt);
}

std::expected<ProxyHead, ProxyFault> parsed(std::string text) {
  return parse_proxy_head(text + "\r\n");
}

TEST(ProxyHead, KnowsThreeKinds) {
  const auto tunnel = parsed("CONNECT api.example.com:443 HTTP/1.1\r\nHost: x\r\n");
  ASSERT_TRUE(tunnel);
  EXPECT_EQ(tunnel->kind, ProxyHead::Kind::tunnel);
  EXPECT_EQ(tunnel->target, (HostPort{"api.example.com", 443}));

  const auto forward = parsed("GET http://Example.com:8080/a?b=c HTTP/1.1\r\nHost: other\r\n");
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->kind, ProxyHead::Kind::forward);
  EXPECT_EQ(forward->target, (HostPort{"example.com", 8080}));
  EXPECT_EQ(forward->path, "/a?b=c");
  EXPECT_EQ(parsed("GET http://example.com HTTP/1.1\r\n")->path, "/");
  EXPECT_EQ(parsed("GET http://example.com?x HTTP/1.1\r\n")->path, "/?x");

  const auto local = parsed("POST /_/llm/anthropic/v1/messages HTTP/1.1\r\nContent-Length: 5\r\n");
  ASSERT_TRUE(local);
  EXPECT_EQ(local->kind, ProxyHead::Kind::local);
  EXPECT_EQ(local->body_bytes, 5U);
  EXPECT_EQ(parsed("GET http://127.0.0.1:3128/_/x HTTP/1.1\r\n")->kind, ProxyHead::Kind::local);
}

TEST(ProxyHead, RefusesWhatCouldBeReadInTwoWays) {
  for (const std::string text :
       {"",
        "GET\r\n",
        "GET /x HTTP/1.1\r\n",
        "GET http://a.com/ HTTP/2\r\n",
        "GET  http://a.com/ HTTP/1.1\r\n",
        "GET http://a.com/ HTTP/1.1 x\r\n",
        "GET https://a.com/ HTTP/1.1\r\n",
        "GET ftp://a.com/ HTTP/1.1\r\n",
        "GET http://u:p@a.com/ HTTP/1.1\r\n",
        "GET http://127.1/ HTTP/1.1\r\n",
        "GET http://0x7f000001/ HTTP/1.1\r\n",
        "CONNECT a.com HTTP/1.1\r\n",
        "CONNECT http://a.com:80 HTTP/1.1\r\n",
        "CONNECT 127.1:80 HTTP/1.1\r\n",
        "G\tET http://a.com/ HTTP/1.1\r\n",
        "GET http://a.com/ HTTP/1.1\nHost: x\r\n",
        "GET http://a.com/ HTTP/1.1\r\nNo colon\r\n",
        "GET http://a.com/ HTTP/1.1\r\n: x\r\n",
        "GET http://a.com/ HTTP/1.1\r\nA : x\r\n",
        "GET http://a.com/ HTTP/1.1\r\nA: x\r\n folded\r\n",
        "GET http://a.com/ HTTP/1.1\r\nA: x\ny\r\n",
        "POST http://a.com/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        "POST http://a.com/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "POST http://a.com/ HTTP/1.1\r\nContent-Length: -1\r\n",
        "POST http://a.com/ HTTP/1.1\r\nContent-Length: 1x\r\n",
        "POST http://a.com/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "POST http://a.com/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n"})
    EXPECT_FALSE(parsed(text)) << text;
  std::string many = "GET http://a.com/ HTTP/1.1\r\n";
  for (int header = 0; header < 101; ++header)
    many += "A: x\r\n";
  EXPECT_EQ(parsed(many).error().status, 431);
}

TEST(ProxyHead, WhatIsForwardedSaysNothingOfTheProxy) {
  const auto head = parsed(
      "POST http://example.com:8080/a HTTP/1.1\r\nHost: evil.com\r\nProxy-Authorization: x\r\n"
      "Connection: keep-alive\r\nX-Mine: 1\r\nContent-Length: 3\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(forwarded_head(*head),
            "POST /a HTTP/1.1\r\nHost: example.com:8080\r\nConnection: close\r\nx-mine: 1\r\n"
            "content-length: 3\r\n\r\n");
}

TEST(ProxyAnswer, IsOneWholeAnswer) {
  EXPECT_THAT(proxy_answer(403, "no \"way\""), StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_THAT(proxy_answer(403, "no \"way\""), HasSubstr(R"("message":"no \"way\"")"));
}

}  // namespace
}  // namespace botburrow::sandbox
