#include "llm/prices.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

using testing::HasSubstr;

TEST(Prices, AreThoseOfTheTableAndUnknownModelsHaveTheDefault) {
  const PriceTable table;
  const Usage million{.input = 1'000'000, .output = 1'000'000};
  EXPECT_EQ(table.cost_usd("anthropic", "claude-opus-4-5-20251101", million), 90);
  EXPECT_EQ(table.cost_usd("anthropic", "claude-sonnet-4-20250514", million), 18);
  EXPECT_EQ(table.cost_usd("anthropic", "claude-haiku-3-20250515", million), 1.5);
  EXPECT_EQ(table.cost_usd("openai", "gpt-4-turbo", million), 40);
  EXPECT_EQ(table.cost_usd("openai", "gpt-4o", million), 20);
  EXPECT_EQ(table.cost_usd("openai", "gpt-4o-2024-08-06", million), 20);
  EXPECT_EQ(table.cost_usd("openai", "gpt-4o-mini", million), 0.75);
  EXPECT_EQ(table.cost_usd("x", "glm-4.7", million), 0);
  EXPECT_EQ(table.cost_usd("x", "new-model", million), 18);
  EXPECT_EQ(table.cost_usd("ollama", "new-model", million), 0);
  EXPECT_EQ(table.cost_usd("local", "new-model", million), 0);
  EXPECT_EQ(
      table.cost_usd({.usage = million, .model = "gpt-4o", .provider = "openai", .offline = true}),
      0);
  // Whoever says what it cost knows best.
  EXPECT_EQ(table.cost_usd(
                {.usage = million, .model = "gpt-4o", .provider = "openai", .cost_usd = 0.125}),
            0.125);
}

TEST(Prices, AreRoundedToSixDecimalsAndEstimatesToFour) {
  const PriceTable table;
  EXPECT_EQ(table.cost_usd("openai", "gpt-4o-mini", {.input = 1, .output = 0}), 0);
  EXPECT_EQ(table.cost_usd("openai", "gpt-4o-mini", {.input = 10, .output = 1}), 0.000002);
  EXPECT_EQ(table.estimate_usd("anthropic", "claude-sonnet-4-20250514"), 0.066);
  EXPECT_EQ(table.estimate_usd("openai", "gpt-4o-mini"), 0.0029);
}

TEST(Prices, CachedTokensAreCheaperAndStillPartOfTheInput) {
  const PriceTable table;
  const Usage usage{.input = 1'000'000, .output = 0, .cache_read = 900'000, .cache_write = 100'000};
  EXPECT_DOUBLE_EQ(table.cost_usd("anthropic", "claude-sonnet-4-20250514", usage), 0.27 + 0.375);
  EXPECT_DOUBLE_EQ(table.cost_usd("x", "unknown", usage), 3);
}

TEST(Prices, AFileReplacesAndAdds) {
  PriceTable table;
  table.read(
      R"({"gpt-4o":{"input":2.5,"output":10,"cache_read":1.25},"default":{"input":1,"output":1}})",
      "costs.json");
  const Usage million{.input = 1'000'000, .output = 1'000'000};
  EXPECT_EQ(table.cost_usd("openai", "gpt-4o", million), 12.5);
  EXPECT_EQ(table.cost_usd("openai", "other", million), 2);
  EXPECT_EQ(table.price_of("openai", "gpt-4o").cache_read, 1.25);
}

TEST(Prices, AFaultyFileIsRefusedWholeWithItsPlace) {
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {R"([1])", "expected an object"},
           {R"({"a":1})", "a.*"},
           {R"({"a":{"input":1}})", "a.output: missing"},
           {R"({"a":{"input":"x","output":1}})", "a.input: \"x\""},
           {R"({"a":{"input":-1,"output":1}})", "a.input: -1"},
           {R"({"a":{"input":1,"output":1,"typo":2}})", "a.typo: unknown field"},
           {R"({broken)", "not valid JSON"}}) {
    PriceTable table;
    try {
      table.read(
          R"({"gpt-4o":{"input":0,"output":0},)" + text.substr(text.starts_with("{\"a") ? 1 : 0),
          "costs.json");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), errc::bad_input);
      EXPECT_THAT(error.message(), HasSubstr("costs.json"));
      if (text.starts_with("{\"a")) {
        EXPECT_THAT(error.message(), HasSubstr(words));
      }
    }
    EXPECT_EQ(table.price_of("openai", "gpt-4o").input, 5);
  }
  PriceTable table;
  EXPECT_THROW(table.read("[1]", "costs.json"), Error);
}

}  // namespace
}  // namespace botburrow::llm
