// Agents, registration, keys and budgets.

#include "base/error.hpp"
#include "hub/budget_rules.hpp"
#include "hub/render.hpp"
#include "store_fixture.hpp"

#include <gmock/gmock.h>

namespace botburrow::hub {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::StartsWith;

class StoreAgentsTest : public StoreTest {
 protected:
  static Registration scribe(std::string source = "https://git.example.org/acme/agents.git") {
    Registration registration;
    registration.name = "scribe";
    registration.display_name = "Scribe";
    registration.config_source = std::move(source);
    registration.config_hash = "0123456789abcdef";
    return registration;
  }
  KeyState state_of(const std::string& key) { return store_->find_key(sha256_hex(key)).state; }
  double spend(std::string agent, double usd, std::string activation = "", std::string tool = "") {
    Consumption spent;
    spent.agent_id = agent;
    spent.tokens_input = 100;
    spent.tokens_output = 10;
    spent.cost_usd = usd;
    spent.activation_id = std::move(activation);
    spent.tool_type = std::move(tool);
    last_ = store_->record_consumption(spent);
    return store_->budget_health(agent).daily_used;
  }
  WriteResult last_;
};

TEST_F(StoreAgentsTest, ANewAgentGetsItsKeyOnce) {
  const auto first = store_->register_agent(scribe());
  EXPECT_EQ(first.kind, RegisterKind::registered);
  EXPECT_THAT(first.api_key, StartsWith("botburrow_agent_"));
  EXPECT_EQ(first.api_key.size(), 16U + 64U);
  EXPECT_EQ(first.agent.id, "scribe");
  EXPECT_EQ(first.agent.config_path, "agents/%s");
  EXPECT_EQ(first.agent.config_branch, "main");
  EXPECT_TRUE(render(first).contains("api_key"));

  const auto again = store_->register_agent(scribe("git@git.example.org:acme/agents"));
  EXPECT_EQ(again.kind, RegisterKind::unchanged);
  EXPECT_EQ(again.api_key, "");
  EXPECT_FALSE(render(again).contains("api_key"));
  EXPECT_EQ(state_of(first.api_key), KeyState::valid);
}

TEST_F(StoreAgentsTest, RegisteringAgainUpdatesWhenTheHashMoved) {
  store_->register_agent(scribe());
  auto renamed = scribe();
  renamed.display_name = "The Scribe";
  EXPECT_EQ(store_->register_agent(renamed).kind, RegisterKind::unchanged);
  renamed.force = true;
  EXPECT_EQ(store_->register_agent(renamed).kind, RegisterKind::updated);
  auto moved = scribe();
  moved.config_hash = "fedcba9876543210";
  moved.config_source = "";
  const auto updated = store_->register_agent(moved);
  EXPECT_EQ(updated.kind, RegisterKind::updated);
  EXPECT_EQ(updated.agent.config_hash, "fedcba9876543210");
  EXPECT_EQ(updated.agent.config_source, scribe().config_source);
}

TEST_F(StoreAgentsTest, AnotherSourceMayNotTakeAName) {
  const auto key = store_->register_agent(scribe()).api_key;
  const auto taken = store_->register_agent(scribe("https://git.example.org/evil/agents"));
  EXPECT_EQ(taken.kind, RegisterKind::name_taken);
  EXPECT_EQ(taken.agent.config_source, scribe().config_source);
  add_agent("owner", "human");
  Registration person;
  person.name = "owner";
  EXPECT_EQ(store_->register_agent(person).kind, RegisterKind::name_taken);
  EXPECT_EQ(state_of(key), KeyState::valid);
}

TEST_F(StoreAgentsTest, RotatingKeepsTheOldKeyForItsGrace) {
  const auto old_key = store_->register_agent(scribe()).api_key;
  auto request = scribe();
  request.rotate_key = true;
  const auto rotated = store_->register_agent(request);
  EXPECT_NE(rotated.api_key, "");
  EXPECT_EQ(state_of(rotated.api_key), KeyState::valid);
  EXPECT_EQ(state_of(old_key), KeyState::valid);
  clock_.advance(hours(24));
  EXPECT_EQ(state_of(old_key), KeyState::unknown);
  EXPECT_EQ(state_of(rotated.api_key), KeyState::valid);
}

TEST_F(StoreAgentsTest, RotationIsACompareAndSet) {
  const auto key = store_->register_agent(scribe()).api_key;
  RotateKey request;
  request.agent_id = "scribe";
  request.grace = hours(0);
  request.expected_hash = sha256_hex(key);
  const auto first = store_->rotate_key(request);
  EXPECT_FALSE(first->conflict);
  EXPECT_TRUE(store_->rotate_key(request)->conflict);
  EXPECT_EQ(state_of(key), KeyState::unknown);
  EXPECT_EQ(state_of(first->api_key), KeyState::valid);
  request.agent_id = "nobody";
  EXPECT_FALSE(store_->rotate_key(request));
}

TEST_F(StoreAgentsTest, KeysExpireAndRotationClearsTheEnd) {
  auto registration = scribe();
  registration.api_key_expires_at = clock_.wall() + minutes(10);
  const auto key = store_->register_agent(registration).api_key;
  EXPECT_EQ(state_of(key), KeyState::valid);
  RotateKey request;
  request.agent_id = "scribe";
  const auto rotated = store_->rotate_key(request);
  // Grace does not outlive the key's own end.
  EXPECT_EQ(rotated->old_key_expires_at, *registration.api_key_expires_at);
  clock_.advance(minutes(10));
  EXPECT_EQ(state_of(key), KeyState::unknown);
  EXPECT_EQ(state_of(rotated->api_key), KeyState::valid);
  EXPECT_FALSE(store_->find_agent("scribe")->api_key_expires_at);
  request.new_expires_at = clock_.wall() + seconds(1);
  const auto brief = store_->rotate_key(request);
  clock_.advance(seconds(1));
  EXPECT_EQ(state_of(brief->api_key), KeyState::expired);
}

TEST_F(StoreAgentsTest, RevokedKeysDieAtOnce) {
  const auto old_key = store_->register_agent(scribe()).api_key;
  RotateKey request;
  request.agent_id = "scribe";
  const auto key = store_->rotate_key(request)->api_key;
  EXPECT_TRUE(store_->revoke_keys("@Scribe"));
  EXPECT_EQ(state_of(key), KeyState::unknown);
  EXPECT_EQ(state_of(old_key), KeyState::unknown);
  EXPECT_TRUE(store_->find_agent("scribe"));
}

TEST_F(StoreAgentsTest, KeysThatTheCallerKeepsAreEnsured) {
  NewKey request;
  request.name = "fleet";
  request.type = "service";
  request.act_as = true;
  request.key = "botburrow_service_fixed";
  EXPECT_TRUE(store_->create_key(request).agent_created);
  EXPECT_FALSE(store_->create_key(request).agent_created);
  EXPECT_EQ(state_of(request.key), KeyState::valid);
  EXPECT_TRUE(store_->find_agent("fleet")->act_as);
  request.name = "other";
  EXPECT_THROW(store_->create_key(request), Error);
  request.key = "";
  EXPECT_THAT(store_->create_key(request).api_key, StartsWith("botburrow_service_"));
  EXPECT_EQ(store_->list_keys().size(), 2U);
}

TEST_F(StoreAgentsTest, UseStampsActivityOnceAMinute) {
  const auto key = store_->register_agent(scribe()).api_key;
  state_of(key);
  const auto first = store_->find_agent("scribe")->last_active_at;
  ASSERT_TRUE(first);
  clock_.advance(seconds(59));
  state_of(key);
  EXPECT_EQ(store_->find_agent("scribe")->last_active_at, first);
  clock_.advance(seconds(1));
  state_of(key);
  EXPECT_GT(store_->find_agent("scribe")->last_active_at, first);
}

TEST_F(StoreAgentsTest, AgentsAreFoundBySlugUuidAndSign) {
  const auto agent = store_->register_agent(scribe()).agent;
  for (const auto& reference :
       {std::string("scribe"), std::string("@scribe"), std::string("Scribe"), agent.uuid}) {
    ASSERT_TRUE(store_->find_agent(reference)) << reference;
    EXPECT_EQ(store_->find_agent(reference)->id, "scribe");
  }
  for (const auto* reference : {"", "@", "scrib", "' OR 1=1 --"})
    EXPECT_FALSE(store_->find_agent(reference));
}

TEST_F(StoreAgentsTest, ListsFilterAndPage) {
  store_->register_agent(scribe());
  add_agent("quiz", "goose");
  add_agent("owner", "human");
  const auto names = [&](const AgentFilter& filter, Page page = {}) {
    std::vector<std::string> found;
    for (const auto& agent : store_->list_agents(filter, page).items)
      found.push_back(agent.name);
    return found;
  };
  EXPECT_THAT(names({}), ElementsAre("owner", "quiz", "scribe"));
  AgentFilter filter;
  filter.type = "goose";
  EXPECT_THAT(names(filter), ElementsAre("quiz"));
  filter = {};
  filter.text = "RIB";
  EXPECT_THAT(names(filter), ElementsAre("scribe"));
  filter.text = "%";
  EXPECT_THAT(names(filter), ElementsAre());
  filter = {};
  filter.config_source = scribe().config_source;
  EXPECT_THAT(names(filter), ElementsAre("scribe"));
  const auto page = store_->list_agents({}, {.limit = 2, .offset = 0, .cursor = {}});
  EXPECT_EQ(page.total, 3);
  EXPECT_THAT(names({}, {.limit = 2, .offset = 0, .cursor = page.next_cursor}),
              ElementsAre("scribe"));
}

TEST_F(StoreAgentsTest, TheHubItselfCannotBeChanged) {
  EXPECT_FALSE(store_->update_agent("hub", {}));
  EXPECT_FALSE(store_->delete_agent("hub"));
  EXPECT_FALSE(store_->ban_agent("hub", "", std::nullopt));
}

TEST_F(StoreAgentsTest, BansEndByThemselves) {
  add_agent("quiz");
  store_->ban_agent("quiz", "noise", clock_.wall() + minutes(5));
  EXPECT_EQ(store_->find_agent("quiz")->status, AgentStatus::banned);
  clock_.advance(minutes(5));
  EXPECT_EQ(store_->find_agent("quiz")->status, AgentStatus::active);
  store_->ban_agent("quiz", "again", std::nullopt);
  EXPECT_EQ(store_->unban_agent("quiz")->status, AgentStatus::active);
}

// --- budgets

TEST_F(StoreAgentsTest, SpendingIsReportedOncePerActivation) {
  add_agent("quiz");
  EXPECT_DOUBLE_EQ(spend("quiz", 0.1, "act-1"), 0.1);
  EXPECT_EQ(last_.body, R"({"success":true,"status":"ok"})");
  EXPECT_DOUBLE_EQ(spend("quiz", 0.1, "act-1"), 0.1);
  EXPECT_EQ(last_.kind, WriteKind::replayed);
  EXPECT_DOUBLE_EQ(spend("quiz", 0.2, "act-2"), 0.3);
  EXPECT_EQ(spend("nobody", 1), 0);
  EXPECT_EQ(last_.kind, WriteKind::not_found);
}

TEST_F(StoreAgentsTest, WithoutAnActivationTheSameReportCountsOnceInThirtySeconds) {
  add_agent("quiz");
  spend("quiz", 0.1);
  EXPECT_DOUBLE_EQ(spend("quiz", 0.1), 0.1);
  clock_.advance(seconds(31));
  EXPECT_DOUBLE_EQ(spend("quiz", 0.1), 0.2);
}

TEST_F(StoreAgentsTest, AReportAloneMovesTheAgentOutOfTheStaleList) {
  add_agent("quiz");
  EXPECT_EQ(store_->stale_agents(seconds(900), {}).total, 1);
  spend("quiz", 0.1, "act-1");
  EXPECT_EQ(store_->stale_agents(seconds(900), {}).total, 0);
  EXPECT_EQ(store_->find_agent("quiz")->activation_count, 1);
  store_->stamp_activated("quiz");
  spend("quiz", 0.1, "act-2");
  EXPECT_EQ(store_->find_agent("quiz")->activation_count, 2);
}

TEST_F(StoreAgentsTest, SumsBeyondAllMeasureAreStillAnswered) {
  add_agent("quiz");
  spend("quiz", 9e12, "a", "claude-code");
  clock_.advance(hours(24));
  spend("quiz", 9e12, "b", "claude-code");
  EXPECT_GT(store_->budget_health("quiz").monthly_used, 9e12);
  EXPECT_FALSE(store_->budget_health("quiz").healthy);
  EXPECT_EQ(store_->consumption({}).size(), 1U);
}

TEST_F(StoreAgentsTest, DefaultsOverridesAndUnlimited) {
  add_agent("quiz");
  EXPECT_EQ(store_->budget_health("quiz").monthly_limit, 100);
  EXPECT_EQ(store_->budget_health("quiz").daily_limit, 0);
  AgentBudget budget;
  budget.daily_limit_usd = 1;
  budget.monthly_limit_usd = 0;
  store_->set_agent_budget("quiz", budget);
  spend("quiz", 0.85, "a");
  EXPECT_EQ(store_->budget_health("quiz").status, "warning");
  EXPECT_TRUE(store_->budget_health("quiz").healthy);
  spend("quiz", 0.15, "b");
  const auto health = store_->budget_health("quiz");
  EXPECT_FALSE(health.healthy);
  EXPECT_EQ(health.status, "critical");
  clock_.advance(hours(24));
  EXPECT_TRUE(store_->budget_health("quiz").healthy);
  EXPECT_DOUBLE_EQ(store_->budget_health("quiz").monthly_used, 1.0);
}

TEST_F(StoreAgentsTest, TokenCapsCountToo) {
  add_agent("quiz");
  AgentBudget budget;
  budget.daily_token_limit = 220;
  store_->set_agent_budget("quiz", budget);
  spend("quiz", 0, "a");
  EXPECT_TRUE(store_->budget_health("quiz").healthy);
  spend("quiz", 0, "b");
  EXPECT_FALSE(store_->budget_health("quiz").healthy);
}

TEST_F(StoreAgentsTest, ToolsHaveBudgetsOfTheirOwn) {
  add_agent("quiz");
  spend("quiz", 28, "a", "aider");
  const auto body = render(store_->budget_health("quiz"));
  EXPECT_EQ(body.at("tools").at("aider").at("status").as_string(), "throttle");
  EXPECT_EQ(body.at("tools").at("aider").at("recommendation").as_string(), "high_priority_only");
  EXPECT_EQ(body.at("tools").at("goose").at("status").as_string(), "healthy");
  EXPECT_EQ(body.at("collective").at("total_budget_usd").as_double(), 180);
  for (const auto* field : {"agent_id", "daily_limit", "daily_used", "monthly_limit",
                            "monthly_used", "healthy", "status", "billing_cycle"}) {
    EXPECT_TRUE(body.contains(field)) << field;
  }
  ToolBudget none;
  none.tool_type = "aider";
  store_->set_tool_budget(none);
  EXPECT_EQ(store_->budget_health("quiz").tools.front().status, "healthy");
}

TEST_F(StoreAgentsTest, TotalsGroupByDay) {
  add_agent("quiz");
  spend("quiz", 1, "a");
  clock_.advance(hours(24));
  spend("quiz", 2, "b");
  ConsumptionQuery query;
  query.agent_id = "quiz";
  ASSERT_EQ(store_->consumption(query).size(), 1U);
  EXPECT_EQ(store_->consumption(query).front().cost_usd, 3);
  query.by_day = true;
  ASSERT_EQ(store_->consumption(query).size(), 2U);
  EXPECT_EQ(store_->consumption(query).front().day, "2026-02-02");
}

TEST(BudgetRules, CyclesBeginOnTheResetDay) {
  const auto at = [](const char* text) { return *parse_rfc3339(text); };
  EXPECT_EQ(billing_cycle(at("2026-02-15T12:00:00Z"), 1).first_day, "2026-02-01");
  EXPECT_EQ(billing_cycle(at("2026-02-15T12:00:00Z"), 1).days_remaining, 14);
  EXPECT_EQ(billing_cycle(at("2026-01-04T23:59:59Z"), 5).first_day, "2025-12-05");
  EXPECT_EQ(billing_cycle(at("2026-01-05T00:00:00Z"), 5).first_day, "2026-01-05");
  EXPECT_EQ(billing_cycle(at("2026-03-01T00:00:00Z"), 31).first_day, "2026-02-28");
}

TEST(BudgetRules, StatusChangesAtItsMarks) {
  EXPECT_EQ(spending_status(79.9), "healthy");
  EXPECT_EQ(spending_status(80), "warning");
  EXPECT_EQ(spending_status(90), "throttle");
  EXPECT_EQ(spending_status(100), "critical");
  EXPECT_EQ(used_percent(5, 0), 0);
}

}  // namespace
}  // namespace botburrow::hub
