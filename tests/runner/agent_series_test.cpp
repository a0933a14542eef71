#include "runner/agent_series.hpp"

#include "base/metric_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::runner {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{std::chrono::hours(1000)};

struct AgentSeriesTest : testing::Test {
  Metrics metrics;
  AgentSeries series{metrics};

  void run(const std::string& agent, Instant now) {
    series.saw(agent, now);
    series_of(metrics, "botburrow_budget_health_ratio").with({agent, "monthly"}).set(0.95);
    series_of(metrics, "botburrow_budget_reserved_usd").with({agent}).set(0);
    series_of(metrics, "botburrow_activations_total").with({agent, "inbox", "success"}).add();
    histogram_of(metrics, "botburrow_activation_duration_seconds")
        .with({agent, "inbox"})
        .observe(1);
    series_of(metrics, "botburrow_definition_errors").with({agent}).set(1);
  }

  bool exposes(const std::string& name, const std::string& agent) {
    return metrics.expose().find(name + "{agent_id=\"" + agent + "\"") != std::string::npos;
  }
};

TEST_F(AgentSeriesTest, WhatWasHeardOfABudgetEndsAfterAnHour) {
  run("scribe", kStart);

  series.forget_unseen(kStart + 1h - 1s);
  EXPECT_TRUE(exposes("botburrow_budget_health_ratio", "scribe"));
  series.forget_unseen(kStart + 1h);
  EXPECT_FALSE(exposes("botburrow_budget_health_ratio", "scribe"));
  EXPECT_TRUE(exposes("botburrow_activations_total", "scribe"));

  run("scribe", kStart + 2h);
  series.forget_unseen(kStart + 3h - 1s);
  EXPECT_TRUE(exposes("botburrow_budget_health_ratio", "scribe"));
}

TEST_F(AgentSeriesTest, AllOfAnAgentEndsAfterADayAndNothingOfOthers) {
  run("scribe", kStart);
  run("scribe-2", kStart + 2h);

  series.forget_unseen(kStart + 24h - 1s);
  EXPECT_TRUE(exposes("botburrow_activations_total", "scribe"));
  series.forget_unseen(kStart + 24h);
  EXPECT_FALSE(exposes("botburrow_activations_total", "scribe"));
  EXPECT_FALSE(exposes("botburrow_activation_duration_seconds_count", "scribe"));
  EXPECT_TRUE(exposes("botburrow_activations_total", "scribe-2"));
  EXPECT_TRUE(exposes("botburrow_activation_duration_seconds_count", "scribe-2"));
}

TEST_F(AgentSeriesTest, LeavesAloneWhatOthersHoldOrKeep) {
  run("scribe", kStart);

  series.forget_unseen(kStart + 48h);

  EXPECT_TRUE(exposes("botburrow_budget_reserved_usd", "scribe"));
  EXPECT_TRUE(exposes("botburrow_definition_errors", "scribe"));
}

}  // namespace
}  // namespace botburrow::runner
