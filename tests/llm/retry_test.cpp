#include "llm/retry.hpp"

#include "tests/llm/samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ProviderConfig config() {
  auto config = config_for(Api::openai, "openai", "https://api.example/v1");
  config.key = Secret("sk-secret-0123456789");
  config.key_name = "OPENAI_API_KEY";
  return config;
}

Error failed(int status, std::string message = "", std::string type = "") {
  return error_of_status(config(), status, {std::move(message), std::move(type)});
}

TEST(ModelErrors, EachStatusHasItsCodeAndWhetherToRepeat) {
  struct Row {
    int status;
    std::string type;
    errc code;
    Retry retry;
  };
  for (const auto& row : std::vector<Row>{
           {401, "", errc::model_auth, Retry::never},
           {403, "", errc::model_auth, Retry::never},
           {402, "", errc::model_unavailable, Retry::never},
           {429, "insufficient_quota", errc::model_unavailable, Retry::never},
           {429, "", errc::model_rate_limited, Retry::after_backoff},
           {408, "", errc::model_unavailable, Retry::after_backoff},
           {500, "", errc::model_unavailable, Retry::after_backoff},
           {503, "", errc::model_unavailable, Retry::after_backoff},
           {529, "overloaded_error", errc::model_unavailable, Retry::after_backoff},
           {400, "", errc::model_refused_request, Retry::never},
           {404, "", errc::model_refused_request, Retry::never},
           {413, "", errc::model_refused_request, Retry::never},
           {422, "", errc::model_refused_request, Retry::never},
       }) {
    const auto error = failed(row.status, "words", row.type);
    EXPECT_EQ(error.code(), row.code) << row.status;
    EXPECT_EQ(error.retry(), row.retry) << row.status;
    EXPECT_EQ(error.status(), row.status);
    EXPECT_THAT(error.message(), HasSubstr("words"));
  }
}

TEST(ModelErrors, AWrongKeyIsNamedByItsVariableAndNeverShown) {
  const auto error =
      failed(401, "Incorrect API key provided: sk-secret-0123456789, or sk-ab***********yz.");
  EXPECT_THAT(error.message(), StartsWith("Invalid API key (openai): 401"));
  EXPECT_THAT(error.message(), HasSubstr("OPENAI_API_KEY"));
  EXPECT_THAT(error.message(), Not(HasSubstr("secret")));
  EXPECT_THAT(error.message(), Not(HasSubstr("sk-")));
}

TEST(ModelErrors, AMissingModelSaysWhatToDo) {
  EXPECT_THAT(failed(404).message(), HasSubstr("https://api.example/v1"));
  auto ollama = config_for(Api::ollama, "ollama", "http://x");
  EXPECT_THAT(error_of_status(ollama, 404, {}).message(), HasSubstr("ollama pull m-1"));
}

TEST(ModelErrors, VendorsWordsAreFoundInEveryForm) {
  EXPECT_EQ(parse_vendor_error(R"({"type":"error","error":{"type":"t","message":"m"}})").message,
            "m");
  EXPECT_EQ(parse_vendor_error(R"({"error":{"message":"m","type":"t","code":"c"}})").type, "c");
  EXPECT_EQ(parse_vendor_error(R"({"error":"m"})").message, "m");
  EXPECT_EQ(parse_vendor_error(R"([{"error":{"message":"m","status":"S"}}])").message, "m");
  EXPECT_EQ(parse_vendor_error(R"({"detail":"m"})").message, "m");
  EXPECT_EQ(parse_vendor_error(R"({"detail":[{"loc":["body",0],"msg":"m"},{"msg":"n"}]})").message,
            "body.0: m; n");
  EXPECT_EQ(parse_vendor_error(R"({"error":{"detail":{"msg":"m"}}})").message, "m");
  EXPECT_EQ(parse_vendor_error(R"({"error":true,"message":"m"})").message, "m");
  EXPECT_EQ(parse_vendor_error(R"({"reason":[1]})").message, R"({"reason":[1]})");
  EXPECT_EQ(parse_vendor_error("no model <m>").message, "no model <m>");
  EXPECT_EQ(parse_vendor_error(" \n<html>502</html>").message, "");
  EXPECT_EQ(parse_vendor_error("busy\nnow").message, "busy now");
  EXPECT_EQ(parse_vendor_error("<html>502</html>").message, "");
  EXPECT_LE(parse_vendor_error(std::string(100'000, 'x')).message.size(), 300u);
}

std::optional<std::chrono::nanoseconds> waits(const Error& error, int attempt, int max_retries,
                                              std::chrono::nanoseconds left, double share) {
  return wait_before_retry(error, {attempt, max_retries, 500ms, left, share});
}

TEST(RetryRule, WaitsLongerEachTimeAndGivesUpAfterTheLast) {
  const auto error = failed(500);
  EXPECT_EQ(waits(error, 1, 2, 1h, 0), 500ms);
  EXPECT_EQ(waits(error, 2, 2, 1h, 0), 1s);
  EXPECT_EQ(waits(error, 3, 2, 1h, 0), std::nullopt);
  EXPECT_EQ(waits(error, 9, 99, 1h, 0), 8s);
  EXPECT_EQ(waits(error, 1, 2, 1h, 0.999) < 626ms, true);
  EXPECT_EQ(waits(error, 1, 0, 1h, 0), std::nullopt);
  EXPECT_EQ(waits(failed(400), 1, 9, 1h, 0), std::nullopt);
}

TEST(RetryRule, HonoursRetryAfterAndNeverWaitsPastTheDeadline) {
  auto error = failed(429);
  error.with_retry_after(20);
  EXPECT_EQ(waits(error, 1, 2, 1h, 0), 20s);
  EXPECT_EQ(waits(error, 1, 2, 20s, 0), std::nullopt);
  EXPECT_EQ(waits(failed(500), 1, 2, 500ms, 0), std::nullopt);
}

TEST(RetryAfter, IsSecondsOrADate) {
  const auto now = from_unix(1770458400);  // 2026-02-07T10:00:00Z
  EXPECT_EQ(parse_retry_after("7", now), 7);
  EXPECT_EQ(parse_retry_after("0.5", now), 0.5);
  EXPECT_EQ(parse_retry_after("Sat, 07 Feb 2026 10:00:30 GMT", now), 30);
  EXPECT_EQ(parse_retry_after("Sat, 07 Feb 2026 09:00:30 GMT", now), 0);
  EXPECT_EQ(parse_retry_after("1e300", now), 86400);
  for (const auto* nonsense : {"", "soon", "-1", "nan", "7 s"})
    EXPECT_EQ(parse_retry_after(nonsense, now), std::nullopt) << nonsense;
}

}  // namespace
}  // namespace botburrow::llm
