#include "console/access.hpp"

#include <gtest/gtest.h>

namespace botburrow::console {
namespace {

const Secret kKey("the-key");

net::ServerRequest request_with(net::HttpHeaders headers, bool loopback = true) {
  net::ServerRequest request;
  request.method = "POST";
  request.headers = std::move(headers);
  request.peer_is_loopback = loopback;
  return request;
}

net::HttpHeaders good_act() {
  return {{"host", "127.0.0.1:9090"},
          {"authorization", "Bearer the-key"},
          {"content-type", "application/json"}};
}

std::string act_code(net::HttpHeaders headers, const Secret& key = kKey) {
  const auto request = request_with(std::move(headers));
  const auto refusal = refuse_act(request, access_of(request, key), key);
  return refusal ? refusal->code : "";
}

net::HttpHeaders with(net::HttpHeaders headers, std::string name, std::string value) {
  for (auto& header : headers) {
    if (header.first == name) {
      header.second = std::move(value);
      return headers;
    }
  }
  headers.emplace_back(std::move(name), std::move(value));
  return headers;
}

bool local(std::string host, bool loopback = true, net::HttpHeaders more = {}) {
  more.emplace_back("host", std::move(host));
  return access_of(request_with(std::move(more), loopback), kKey).local;
}

TEST(ConsoleAccess, TheKeyOpensWhateverTheCaseOfItsScheme) {
  for (const char* scheme : {"Bearer", "bearer", "BEARER"}) {
    const auto access =
        access_of(request_with({{"authorization", std::string(scheme) + " the-key"}}), kKey);
    EXPECT_EQ(access.key, Access::Key::right) << scheme;
    EXPECT_TRUE(access.may_act());
    EXPECT_TRUE(access.may_read_transcripts());
  }
}

TEST(ConsoleAccess, AnyOtherKeyIsWrongAndNoneIsNone) {
  for (const char* given : {"Bearer the-kez", "Bearer the-key ", "Bearer ", "Bearer", "the-key",
                            "Basic dGhlLWtleQ==", "", "Bearer the-keyx"}) {
    EXPECT_EQ(access_of(request_with({{"authorization", given}}), kKey).key, Access::Key::wrong)
        << given;
  }
  EXPECT_EQ(access_of(request_with({}), kKey).key, Access::Key::none);
}

TEST(ConsoleAccess, AnEmptyKeyIsNeverRight) {
  EXPECT_EQ(access_of(request_with({{"authorization", "Bearer "}}), Secret()).key,
            Access::Key::wrong);
  EXPECT_EQ(act_code(good_act(), Secret()), "read_only");
  EXPECT_EQ(act_code(with(good_act(), "authorization", "Bearer "), Secret()), "read_only");
}

TEST(ConsoleAccess, LocalIsALoopbackPeerThatAsksForThisMachine) {
  EXPECT_TRUE(local("localhost"));
  EXPECT_TRUE(local("LocalHost:9090"));
  EXPECT_TRUE(local("127.0.0.1:9090"));
  EXPECT_TRUE(local("[::1]:9090"));
  // A page elsewhere whose name was made to point here.
  EXPECT_FALSE(local("evil.example:9090"));
  EXPECT_FALSE(local("localhost.evil.example"));
  EXPECT_FALSE(local("127.0.0.1.evil.example"));
  EXPECT_FALSE(local(""));
  EXPECT_FALSE(local("localhost", false));
}

TEST(ConsoleAccess, WhatAProxyPassesOnIsNotLocal) {
  for (const char* header : {"x-forwarded-for", "forwarded", "x-real-ip", "via"})
    EXPECT_FALSE(local("localhost", true, {{header, "10.0.0.9"}})) << header;
}

TEST(ConsoleAccess, WhereLoopbackIsNotTrustedNobodyIsLocal) {
  const auto request = request_with({{"host", "127.0.0.1:9090"}});
  EXPECT_TRUE(access_of(request, kKey, Loopback::trusted).local);
  EXPECT_FALSE(access_of(request, kKey, Loopback::like_others).local);
}

TEST(ConsoleAccess, NameThatWasMadeToPointHereLooksAtNothingWithoutTheKey) {
  const auto refusal = [](net::HttpHeaders headers, bool loopback = true) {
    const auto request = request_with(std::move(headers), loopback);
    return refuse_look(request, access_of(request, kKey), kKey);
  };
  const auto rebound = refusal({{"host", "evil.example:9090"}});
  ASSERT_TRUE(rebound);
  EXPECT_EQ(rebound->status, 403);
  EXPECT_EQ(rebound->code, "host_refused");
  EXPECT_NE(rebound->text.find("evil.example:9090"), std::string::npos);
  EXPECT_FALSE(refusal({{"host", "localhost:9090"}}));
  EXPECT_FALSE(refusal({{"host", "evil.example"}, {"authorization", "Bearer the-key"}}));
  EXPECT_FALSE(refusal({{"host", "bots.example"}, {"x-forwarded-for", "10.0.0.9"}}));
  EXPECT_FALSE(refusal({{"host", "coordinator:9090"}}, false)) << "over the network";
}

TEST(ConsoleAccess, TranscriptsNeedTheKeyOrThisMachine) {
  const auto code = [](const Access& access) {
    const auto refusal = refuse_transcript(request_with({}), access, kKey);
    return refusal ? refusal->code : "";
  };
  EXPECT_EQ(code({.key = Access::Key::right, .local = false}), "");
  EXPECT_EQ(code({.key = Access::Key::none, .local = true}), "");
  EXPECT_EQ(code({.key = Access::Key::none, .local = false}), "key_missing");
  EXPECT_EQ(code({.key = Access::Key::wrong, .local = true}), "key_refused");
}

TEST(ConsoleAccess, PagesElsewhereGetNothingToLookAt) {
  const auto code = [](net::HttpHeaders headers) {
    const auto request = request_with(std::move(headers));
    const auto refusal = refuse_look(request, access_of(request, kKey), kKey);
    return refusal ? refusal->code : "";
  };
  EXPECT_EQ(code({}), "") << "a program";
  EXPECT_EQ(code({{"sec-fetch-site", "same-origin"}}), "");
  EXPECT_EQ(code({{"sec-fetch-site", "none"}}), "") << "typed into the address bar";
  EXPECT_EQ(code({{"sec-fetch-site", "cross-site"}}), "cross_origin");
  EXPECT_EQ(code({{"host", "127.0.0.1"}, {"origin", "https://evil.example"}}), "cross_origin");
}

TEST(ConsoleAccess, ActsNeedTheKeyEvenOnThisMachine) {
  EXPECT_EQ(act_code(good_act()), "");
  auto headers = good_act();
  std::erase_if(headers, [](const auto& header) { return header.first == "authorization"; });
  EXPECT_EQ(act_code(headers), "key_missing");
  EXPECT_EQ(act_code(with(good_act(), "authorization", "Bearer other")), "key_refused");
}

TEST(ConsoleAccess, ActsFromElsewhereAreRefusedWhateverTheKey) {
  EXPECT_EQ(act_code(with(good_act(), "origin", "http://127.0.0.1:9090")), "");
  EXPECT_EQ(act_code(with(good_act(), "origin", "https://127.0.0.1:9090")), "") << "TLS in front";
  EXPECT_EQ(act_code(with(good_act(), "origin", "http://evil.example")), "cross_origin");
  EXPECT_EQ(act_code(with(good_act(), "origin", "http://127.0.0.1:9091")), "cross_origin");
  EXPECT_EQ(act_code(with(good_act(), "origin", "null")), "cross_origin");
  EXPECT_EQ(act_code(with(good_act(), "sec-fetch-site", "same-origin")), "");
  EXPECT_EQ(act_code(with(good_act(), "sec-fetch-site", "cross-site")), "cross_origin");
  EXPECT_EQ(act_code(with(good_act(), "sec-fetch-site", "same-site")), "cross_origin");
}

// Forms of other pages can send these without asking the browser's leave, JSON they cannot.
TEST(ConsoleAccess, WhatAFormCanSendIsNoAct) {
  for (const char* type : {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain",
                           "text/plain; application/json", ""})
    EXPECT_EQ(act_code(with(good_act(), "content-type", type)), "not_json") << type;
  EXPECT_EQ(act_code(with(good_act(), "content-type", "Application/JSON; charset=utf-8")), "");
}

TEST(ConsoleAccess, RefusalsSayWhatHelpsAndNotTheKey) {
  const auto request = request_with(with(good_act(), "authorization", "Bearer wrong-secret"));
  const auto refusal = refuse_act(request, access_of(request, kKey), kKey);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 401);
  EXPECT_NE(refusal->text.find("ADMIN_KEY"), std::string::npos);
  EXPECT_EQ(refusal->text.find("wrong-secret"), std::string::npos);
  EXPECT_EQ(refusal->text.find("the-key"), std::string::npos);
}

}  // namespace
}  // namespace botburrow::console
