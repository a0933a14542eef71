#include "mcp/json_rpc.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using testing::HasSubstr;
using Kind = Message::Kind;

TEST(JsonRpc, EachKindOfMessageIsTold) {
  const auto kind = [](std::string_view text) {
    const auto read = read_message(text);
    EXPECT_TRUE(read.message) << text << ": " << read.fault;
    return read.message ? read.message->kind : Kind::notification;
  };

  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":1,"method":"ping"})"), Kind::request);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":"a","method":"ping","params":{}})"), Kind::request);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","method":"notifications/x","params":null})"),
            Kind::notification);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":1,"result":{}})"), Kind::result);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}})"), Kind::error);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":null,"error":{"code":-1}})"), Kind::error);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","error":{"code":-1}})"), Kind::error);
}

TEST(JsonRpc, WhatIsNoMessageHasAFaultAndACode) {
  const auto fault = [](std::string_view text, std::int64_t code) {
    const auto read = read_message(text);
    EXPECT_FALSE(read.message) << text;
    EXPECT_EQ(read.code, code) << text;
    EXPECT_FALSE(read.fault.empty()) << text;
    return read.fault;
  };

  EXPECT_THAT(fault("{\"jsonrpc\": \"2.0", rpc_code::kParseError), HasSubstr("not JSON"));
  EXPECT_THAT(fault("\xff\xfe", rpc_code::kParseError), HasSubstr("not JSON"));
  fault("", rpc_code::kParseError);
  fault("7", rpc_code::kInvalidRequest);
  fault("null", rpc_code::kInvalidRequest);
  fault(R"({"id":1,"method":"ping"})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"1.0","id":1,"method":"ping"})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1,"method":7})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1,"method":""})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1]})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1.5,"method":"m"})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":null,"method":"m"})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":{},"method":"m"})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1,"result":[]})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","result":{}})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1,"error":{"code":"x"}})", rpc_code::kInvalidRequest);
  fault(R"({"jsonrpc":"2.0","id":1,"error":null})", rpc_code::kInvalidRequest);
}

TEST(JsonRpc, AFaultKnowsTheIdThatItsAnswerNeeds) {
  EXPECT_EQ(read_message(R"({"jsonrpc":"2.0","id":7,"method":"m","params":3})").id, 7);
  EXPECT_TRUE(read_message(R"({"jsonrpc":"2.0","id":7.5,"method":"m"})").id.is_null());
}

TEST(JsonRpc, ABatchIsReadElementByElement) {
  const auto read = read_messages(
      R"([{"jsonrpc":"2.0","id":1,"method":"ping"}, 7, {"jsonrpc":"2.0","method":"n"}])");

  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].message->kind, Kind::request);
  EXPECT_FALSE(read[1].message);
  EXPECT_EQ(read[2].message->kind, Kind::notification);
  EXPECT_TRUE(is_batch("  [1]"));
  EXPECT_FALSE(is_batch("{}"));
  EXPECT_FALSE(is_batch(""));
}

TEST(JsonRpc, ABatchIsNeitherEmptyNorEndless) {
  std::string many = "[1";
  for (std::size_t i = 1; i < kBatchMax; ++i)
    many += ",1";

  EXPECT_EQ(read_messages("[]").front().code, rpc_code::kInvalidRequest);
  EXPECT_EQ(read_messages(many + "]").size(), kBatchMax);
  EXPECT_EQ(read_messages(many + ",1]").size(), 1u);
}

TEST(JsonRpc, WhatIsWrittenIsReadBack) {
  const auto request = *read_message(request_text(5, "tools/call", {{"name", "x\ny"}})).message;
  EXPECT_EQ(request.id, 5);
  EXPECT_EQ(request.method, "tools/call");
  EXPECT_EQ(request.params.at("name"), "x\ny");

  const auto result = *read_message(result_text("a", {{"n", 1}})).message;
  EXPECT_EQ(result.id, "a");
  EXPECT_EQ(result.result.at("n"), 1);

  const auto error =
      *read_message(error_text(9, {.code = -32601, .message = "no", .data = 7})).message;
  EXPECT_EQ(error.error.code, -32601);
  EXPECT_EQ(error.error.message, "no");
  EXPECT_EQ(error.error.data, 7);
}

TEST(JsonRpc, AMessageIsOneLineAndHasNoEmptyParts) {
  EXPECT_EQ(notification_text("notifications/initialized", {}),
            R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  EXPECT_EQ(request_text(1, "m", {{"t", "a\nb"}}).find('\n'), std::string::npos);
  EXPECT_EQ(error_text(nullptr, {.code = -32700, .message = "m"}),
            R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}})");
}

}  // namespace
}  // namespace botburrow::mcp
