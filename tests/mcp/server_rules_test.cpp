#include "mcp/server_rules.hpp"

#include "mcp/http_server_rules.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using testing::HasSubstr;
using Kind = ServerStep::Kind;

Task<ToolReply> nothing() {
  co_return ToolReply::text("ok");
}

ServerRules make_rules() {
  std::vector<ServerTool> tools;
  tools.push_back({.name = "echo",
                   .description = "says it",
                   .input_schema = parse_json(
                       R"({"type":"object","required":["text"],
                           "properties":{"text":{"type":"string"},
                                         "region":{"type":"string","x-mcp-header":"Region"},
                                         "n":{"type":"integer","x-mcp-header":"N"}}})",
                       "schema"),
                   .handler = [](json::object, CallProgress&) { return nothing(); }});
  return ServerRules({.name = "ours", .version = "1"}, std::move(tools));
}

const ServerRules& rules() {
  static const ServerRules all = make_rules();
  return all;
}

const char* kMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
                "io.modelcontextprotocol/clientCapabilities":{}})";

Message message(const std::string& text) {
  auto read = read_message(text);
  EXPECT_TRUE(read.message) << text << read.fault;
  return *std::move(read.message);
}
Message legacy(const std::string& method, const std::string& params = "{}") {
  return message(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" + params +
                 "}");
}
Message modern(const std::string& method, const std::string& more = "") {
  return legacy(method, std::string("{") + kMeta + (more.empty() ? "" : "," + more) + "}");
}

json::value answered(const Message& request) {
  const auto step = rules().step(request);
  EXPECT_EQ(step.kind, Kind::answer);
  return parse_json(step.reply, "reply");
}

TEST(ServerRules, AnInitializeIsAnsweredWithARevisionThatHasIt) {
  const auto reply = answered(legacy("initialize", R"({"protocolVersion":"2025-03-26"})"));
  EXPECT_EQ(reply.at("result").at("protocolVersion"), "2025-03-26");
  EXPECT_EQ(reply.at("result").at("serverInfo").at("name"), "ours");
  EXPECT_EQ(reply.at("result").at("capabilities").at("tools").at("listChanged"), false);
  const auto later = answered(legacy("initialize", R"({"protocolVersion":"2026-07-28"})"));
  EXPECT_EQ(later.at("result").at("protocolVersion"), "2025-11-25");
}

TEST(ServerRules, TheModernEraDiscovers) {
  const auto reply = answered(modern("server/discover"));
  EXPECT_EQ(reply.at("result").at("supportedVersions").at(0), "2026-07-28");
  EXPECT_EQ(reply.at("result").at("resultType"), "complete");
  EXPECT_EQ(reply.at("result").at("_meta").at("io.modelcontextprotocol/serverInfo").at("name"),
            "ours");
}

TEST(ServerRules, ToolsAreListedInBothEras) {
  EXPECT_EQ(answered(legacy("tools/list")).at("result").at("tools").at(0).at("name"), "echo");
  const auto reply = answered(modern("tools/list"));
  EXPECT_EQ(reply.at("result").at("tools").at(0).at("name"), "echo");
  EXPECT_TRUE(reply.at("result").as_object().contains("ttlMs"));
  EXPECT_EQ(answered(legacy("tools/list", R"({"cursor":"x"})")).at("error").at("code"), -32602);
}

TEST(ServerRules, AModernRequestSaysWhatItSpeaksAndCan) {
  const auto wrong = answered(legacy(
      "tools/list", R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"1900-01-01"}})"));
  EXPECT_EQ(wrong.at("error").at("code"), -32022);
  EXPECT_EQ(wrong.at("error").at("data").at("requested"), "1900-01-01");
  EXPECT_EQ(wrong.at("error").at("data").at("supported").at(0), "2026-07-28");
  const auto silent = answered(legacy(
      "tools/list", R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}})"));
  EXPECT_EQ(silent.at("error").at("code"), -32602);
  // Where the transport has said it, a request without any of it is at fault.
  const auto step = rules().step(legacy("tools/list"), true);
  EXPECT_EQ(step.error_code, -32602);
  EXPECT_EQ(status_of(step), 400);
}

TEST(ServerRules, NotificationsGetNoAnswer) {
  EXPECT_EQ(rules().step(message(R"({"jsonrpc":"2.0","method":"notifications/initialized"})")).kind,
            Kind::nothing);
  EXPECT_EQ(rules().step(message(R"({"jsonrpc":"2.0","method":"no/such/thing"})")).kind,
            Kind::nothing);
  EXPECT_EQ(rules().step(message(R"({"jsonrpc":"2.0","id":1,"result":{}})")).kind, Kind::nothing);
  const auto cancel = rules().step(
      message(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})"));
  EXPECT_EQ(cancel.kind, Kind::cancel);
  EXPECT_EQ(cancel.cancelled, 7);
}

TEST(ServerRules, WhatIsUnknownIsSaidToBe) {
  const auto older = rules().step(legacy("prompts/list"));
  EXPECT_EQ(older.error_code, -32601);
  EXPECT_EQ(status_of(older), 200);
  const auto newer = rules().step(modern("prompts/list"));
  EXPECT_EQ(newer.error_code, -32601);
  EXPECT_EQ(status_of(newer), 404);
  // The modern era has neither.
  EXPECT_EQ(rules().step(modern("ping")).error_code, -32601);
  EXPECT_EQ(rules().step(modern("initialize")).error_code, -32601);
  EXPECT_EQ(rules().step(legacy("tools/call", R"({"name":"nothing"})")).error_code, -32602);
  EXPECT_EQ(rules().step(legacy("tools/call", R"({"name":"echo","arguments":[]})")).error_code,
            -32602);
}

TEST(ServerRules, ArgumentsThatDoNotFitAreAResultThatAModelCanMend) {
  const auto reply = answered(legacy("tools/call", R"({"name":"echo","arguments":{"text":7}})"));
  EXPECT_EQ(reply.at("result").at("isError"), true);
  EXPECT_THAT(std::string(reply.at("result").at("content").at(0).at("text").as_string()),
              HasSubstr("/text"));
  EXPECT_EQ(answered(legacy("tools/call", R"({"name":"echo"})")).at("result").at("isError"), true);
}

TEST(ServerRules, AGoodCallIsHandedOut) {
  const auto step = rules().step(legacy(
      "tools/call", R"({"name":"echo","arguments":{"text":"a"},"_meta":{"progressToken":"t"}})"));
  EXPECT_EQ(step.kind, Kind::call);
  EXPECT_EQ(step.tool->name, "echo");
  EXPECT_EQ(step.arguments.at("text"), "a");
  EXPECT_EQ(step.progress_token, "t");
  EXPECT_FALSE(step.modern);
}

TEST(ServerRules, AListenerIsToldWhatItWillHear) {
  const auto step =
      rules().step(modern("subscriptions/listen", R"("notifications":{"toolsListChanged":true})"));
  EXPECT_EQ(step.kind, Kind::subscribe);
  const auto reply = parse_json(step.reply, "reply");
  EXPECT_EQ(reply.at("method"), "notifications/subscriptions/acknowledged");
  EXPECT_EQ(reply.at("params").at("_meta").at("io.modelcontextprotocol/subscriptionId"), 1);
  EXPECT_TRUE(reply.at("params").at("notifications").as_object().empty());
}

net::ServerRequest http(net::HttpHeaders headers) {
  net::ServerRequest request{.method = "POST"};
  request.headers = {{"host", "127.0.0.1:8000"}, {"content-type", "application/json"}};
  for (auto& [name, value] : headers)
    request.headers.emplace_back(name, value);
  return request;
}

int refused(net::HttpHeaders headers, HttpAccess access = {}) {
  const auto refusal = refuse_access(http(std::move(headers)), access);
  return refusal ? refusal->status : 0;
}

TEST(HttpAccess, PagesOfOtherPlacesMayNotAsk) {
  EXPECT_EQ(refused({}), 0);
  EXPECT_EQ(refused({{"origin", "http://localhost:3000"}}), 0);
  EXPECT_EQ(refused({{"origin", "http://[::1]"}}), 0);
  EXPECT_EQ(refused({{"origin", "http://evil.example"}}), 403);
  EXPECT_EQ(refused({{"origin", "null"}}), 403);
  EXPECT_EQ(refused({{"origin", "http://localhost.evil.example"}}), 403);
  EXPECT_EQ(refused({{"origin", "ftp://localhost"}}), 403);
}

TEST(HttpAccess, ANameThatLeadsHereFromElsewhereIsRefused) {
  net::ServerRequest request{.method = "POST"};
  request.headers = {{"host", "evil.example:8000"}, {"content-type", "application/json"}};
  EXPECT_EQ(refuse_access(request, {})->status, 403);
  EXPECT_FALSE(refuse_access(request, {.loopback_only = false}));
  request.headers.emplace_back("origin", "https://evil.example");
  EXPECT_FALSE(refuse_access(request, {.loopback_only = false}));
  request.headers.back().second = "https://other.example";
  EXPECT_EQ(refuse_access(request, {.loopback_only = false})->status, 403);
}

TEST(HttpAccess, OnlyAddressesOfThisMachineAreLoopback) {
  for (const auto* host : {"localhost", "127.0.0.1", "127.9.8.7", "::1"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const auto* host : {"127.example.org", "127.0.0.1.example.org", "128.0.0.1", "0.0.0.0",
                           "::", "localhost.example.org", ""})
    EXPECT_FALSE(is_loopback_host(host)) << host;
  net::ServerRequest request{.method = "POST"};
  request.headers = {{"host", "127.0.0.2:80"}, {"content-type", "application/json"}};
  EXPECT_FALSE(refuse_access(request, {}));
}

TEST(HttpAccess, TheTokenIsAskedForAsBearer) {
  const HttpAccess access{.token = Secret("the-token")};
  EXPECT_EQ(refused({}, access), 401);
  EXPECT_EQ(refused({{"authorization", "Bearer wrong"}}, access), 401);
  EXPECT_EQ(refused({{"authorization", "the-token"}}, access), 401);
  EXPECT_EQ(refused({{"authorization", "Bearer the-token"}}, access), 0);
  EXPECT_EQ(refused({{"authorization", "bearer the-token"}}, access), 0);
}

TEST(HttpAccess, ABodyOfAnotherTypeIsRefused) {
  net::ServerRequest request{.method = "POST"};
  request.headers = {{"host", "localhost"}, {"content-type", "text/plain"}};
  EXPECT_EQ(refuse_access(request, {})->status, 415);
}

HeaderVerdict judged(const Message& message, net::HttpHeaders headers) {
  return judge_headers(http(std::move(headers)), message, rules());
}
int status(const HeaderVerdict& verdict) {
  return verdict.refusal ? verdict.refusal->status : 0;
}

TEST(HttpHeaderRules, AModernRequestHasItsHeaders) {
  const auto list = modern("tools/list");
  EXPECT_TRUE(judged(list, {}).modern);
  EXPECT_EQ(status(judged(list, {})), 400);
  EXPECT_EQ(status(judged(list, {{"mcp-protocol-version", "2026-07-28"}})), 400);
  EXPECT_EQ(
      status(judged(list, {{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", "tools/list"}})),
      0);
  EXPECT_EQ(
      status(judged(list, {{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", "TOOLS/LIST"}})),
      400);
  EXPECT_EQ(
      status(judged(list, {{"mcp-protocol-version", "2025-11-25"}, {"mcp-method", "tools/list"}})),
      400);
}

TEST(HttpHeaderRules, MirroredValuesAreCompared) {
  const auto call =
      modern("tools/call", R"("name":"echo","arguments":{"text":"a","region":"süd","n":42})");
  const auto with = [&](std::string region, std::string n) {
    net::HttpHeaders headers{
        {"mcp-protocol-version", "2026-07-28"}, {"mcp-method", "tools/call"}, {"mcp-name", "echo"}};
    if (!region.empty()) headers.emplace_back("mcp-param-region", region);
    if (!n.empty()) headers.emplace_back("mcp-param-n", n);
    return status(judged(call, headers));
  };
  EXPECT_EQ(with("=?base64?c8O8ZA==?=", "42"), 0);
  EXPECT_EQ(with("=?base64?c8O8ZA==?=", "42.0"), 0);
  EXPECT_EQ(with("=?base64?c8O8ZA==?=", "43"), 400);
  EXPECT_EQ(with("", "42"), 400);
  EXPECT_EQ(with("nord", "42"), 400);
  EXPECT_EQ(with("=?base64?***?=", "42"), 400);
  const auto without = modern("tools/call", R"("name":"echo","arguments":{"text":"a"})");
  EXPECT_EQ(status(judged(without, {{"mcp-protocol-version", "2026-07-28"},
                                    {"mcp-method", "tools/call"},
                                    {"mcp-name", "echo"},
                                    {"mcp-param-region", "x"}})),
            400);
}

TEST(HttpHeaderRules, TheOlderErasAreLetThrough) {
  EXPECT_EQ(status(judged(legacy("tools/list"), {})), 0);
  EXPECT_EQ(status(judged(legacy("tools/list"), {{"mcp-protocol-version", "2025-06-18"}})), 0);
  EXPECT_EQ(status(judged(legacy("tools/list"), {{"mcp-protocol-version", "1999-01-01"}})), 400);
  EXPECT_FALSE(judged(legacy("initialize", "{}"), {{"mcp-protocol-version", "2026-07-28"}}).modern);
}

}  // namespace
}  // namespace botburrow::mcp
