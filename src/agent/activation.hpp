#pragma once

#include "agent/budget.hpp"
#include "agent/loop.hpp"
#include "agent/notification_rules.hpp"
#include "agent/outside_agents.hpp"
#include "agent/run_journal.hpp"
#include "agent/skill_shelf.hpp"
#include "agent/tally.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/scrubber.hpp"
#include "base/task.hpp"
#include "definitions/catalog.hpp"
#include "definitions/grants.hpp"
#include "hubapi/client.hpp"
#include "llm/prices.hpp"
#include "llm/providers.hpp"
#include "queue/agent_state.hpp"
#include "queue/journal.hpp"
#include "queue/work_queue.hpp"
#include "sandbox/sandboxes.hpp"
#include "tools/core_tools.hpp"
#include "tools/hub_writer.hpp"
#include "tools/mcp_session.hpp"
#include "tools/sandbox_launcher.hpp"
#include "tools/toolbox.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace botburrow::tools {
class HubWriter;
}

namespace botburrow::agent {

/// What operators set; the same for every activation of a runner.
struct ActivationSettings {
  std::optional<int> iterations_max;  ///< MAX_ITERATIONS, only if set explicitly
  std::int64_t tokens_max = 100'000;  ///< MAX_TOKENS_PER_ACTIVATION; 0 = no limit
  int notifications_max = 10;         ///< MAX_NOTIFICATIONS_PER_ACTIVATION
  BudgetCaps caps;
  bool budget_fails_closed = false;  ///< BUDGET_FAIL_MODE=closed
  definitions::GrantPolicy policy = definitions::GrantPolicy::allow_all();
  std::string path;  ///< PATH, for skills that need a program
  tools::CoreToolLimits tools;
};

/// What every activation uses. All outlive it.
struct ActivationServices {
  hubapi::HubClient& hub;
  queue::AgentState& state;
  queue::Journal& journal;
  definitions::DefinitionCatalog& catalog;
  SkillShelf& skills;
  llm::ModelSource& models;
  const llm::PriceTable& prices;
  Clock& clock;
  Metrics& metrics;
  /// Takes secrets out of results of tools, posts, journal and reasons. Null: nothing is known.
  const Scrubber* scrubber = nullptr;
  /// Servers of the Model Context Protocol; null: agents have none.
  const tools::McpServices* mcp = nullptr;
  /// Starts those that are processes instead of the activation's sandbox. For tests.
  mcp::Launcher* mcp_launcher = nullptr;
  /// Null: there is no place to work in, and no tool that needs one.
  sandbox::Sandboxes* sandboxes = nullptr;
  /// Null: there are none; needs sandboxes.
  OutsideAgents* outside = nullptr;
};

/// How an activation is to leave the queue.
struct Ending {
  enum class Way {
    complete,   ///< done, with an outcome
    hand_back,  ///< somebody goes on later; no attempt is counted
    abandon,    ///< not ours any more: change nothing
  } way = Way::complete;
  queue::Outcome outcome = queue::Outcome::success;
  queue::HandBackReason hand_back = queue::HandBackReason::hub_away;
  std::chrono::seconds defer{0};
  std::chrono::seconds hold_off{0};
  std::string reason;  ///< one line; empty for a success

  static Ending success() { return {}; }
  static Ending failed(std::string why) {
    return {.outcome = queue::Outcome::failure, .reason = std::move(why)};
  }
  static Ending skipped(std::string why, std::chrono::seconds hold_off = {}) {
    return {.outcome = queue::Outcome::skipped, .hold_off = hold_off, .reason = std::move(why)};
  }
  static Ending over_budget(std::string why) {
    return {.outcome = queue::Outcome::over_budget,
            .hold_off = std::chrono::seconds(300),
            .reason = std::move(why)};
  }
  static Ending handed_back(queue::HandBackReason reason, std::string why,
                            std::chrono::seconds defer = {}) {
    return {.way = Way::hand_back, .hand_back = reason, .defer = defer, .reason = std::move(why)};
  }
  static Ending abandoned(std::string why) {
    return {.way = Way::abandon, .reason = std::move(why)};
  }
};

/// One activation of one agent: loads the definition, checks budget and rules, answers
/// notifications or explores. Knows nothing of queues beyond its claim: what it returns says how
/// the claim is to end, and tally() what was spent and done, also after a cancellation.
///
/// Work that an earlier claim began goes on where its journal ends: answers of the model are not
/// paid for again, and effects are neither repeated nor lost.
class Activation {
 public:
  /// What the owner of the claim hears while it runs.
  struct Hooks {
    /// False once the lease is no longer trusted.
    std::function<bool()> may_write;
    /// What an earlier claim of this work spent, and died before it could report it.
    std::function<void(const UnreportedRun&)> on_unreported = nullptr;
  };
  Activation(ActivationServices services, const ActivationSettings& settings, queue::Claim claim,
             Hooks hooks, Log log);
  ~Activation();
  Activation(const Activation&) = delete;

  /// Runs to its end. Turns every Error into an ending; only cancellation passes through.
  Task<Ending> run(Deadline deadline);

  const Tally& tally() const { return tally_; }
  const queue::Claim& claim() const { return claim_; }
  /// The last lines of its journal, for the call that ends the claim. Call once, at the end.
  std::string closing_lines(const Ending& ending);

 private:
  Task<> open_journal();
  Task<Ending> work(Deadline deadline);
  Task<std::optional<Ending>> refuse_by_status(Deadline deadline);
  Task<std::optional<Ending>> refuse_by_budget(Deadline deadline);
  void note_budget(const hubapi::Budget& budget);
  std::unique_ptr<tools::McpSession> mcp_session(const definitions::AgentDefinition& definition,
                                                 const definitions::GrantSet& grants,
                                                 const tools::HubWriter& writer,
                                                 tools::SandboxLauncher* launcher,
                                                 sandbox::Place* place);
  definitions::GrantSet grants_of(const definitions::AgentDefinition& definition);
  void fill_toolbox(tools::Toolbox& toolbox, tools::HubWriter& writer, sandbox::Place* place,
                    const definitions::AgentDefinition& definition);

  ActivationServices services_;
  const ActivationSettings& settings_;
  queue::Claim claim_;
  Hooks hooks_;
  Log log_;
  RunJournal journal_;
  Tally tally_;
  std::string budget_line_;
  double budget_left_usd_ = 0;  // 0: no limit
};

}  // namespace botburrow::agent
