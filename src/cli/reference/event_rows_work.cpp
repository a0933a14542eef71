#include "cli/reference/event_rows.hpp"

namespace botburrow::cli {

EventRows leadership_and_polling_events() {
  return {
      {"coordinator_starting", "info", "poll_interval", "A coordinator begins."},
      {"coordinator_started", "info", "", "Its loops run; it may lead or follow."},
      {"coordinator_shutdown_requested", "info", "",
       "It was told to stop, and gives leadership away."},
      {"coordinator_stopped", "info", "", "It has ended in order."},
      {"became_leader", "info", "epoch, is_leader, msg",
       "This replica leads from now on: once for each term."},
      {"lost_leadership", "info", "epoch, reason, msg",
       "It no longer leads: another took over, or Redis did not answer in time. Often: look at "
       "Redis' latency and the processor."},
      {"released_leadership", "info", "epoch",
       "It gave leadership away at its end; another takes over at once."},
      {"not_leader_skipping_poll", "info", "leader, msg", "A follower stands by. Not a fault."},
      {"leader_election_error", "warning, error", "error, msg",
       "Redis could not be asked who leads. Until it answers nobody may lead; see the runbook "
       "RedisDown."},
      {"leader_lease_differs", "warning", "leader, its_seconds, own_seconds, fix, msg",
       "Coordinators have different LEADER_LEASE_SECONDS; the leader's is waited for. Set them "
       "alike."},
      {"redis_shared", "error", "leader, error, fix, msg",
       "A coordinator of another Hub works on this Redis; this one does not lead while it is "
       "there. Give each cluster a Redis, or a database number, of its own."},
      {"coordinator_stats", "info",
       "is_leader, notification_queue, exploration_queue, locked_agents, active_runners, "
       "work_queue_high, work_queue_normal, work_queue_low, active_tasks, agents_in_backoff, msg",
       "Once a minute from the leader: queues, runners, back-off."},
      {"poll_completed", "info", "agents, enqueued, skipped, duration_seconds",
       "The Hub was asked for agents with work; at most every 30 s unless there was some."},
      {"poll_error", "error", "loop, error, fix",
       "A poll of the Hub, or the loop named, failed; it is tried again. Going on: the runbook "
       "HubPollErrors."},
      {"poll_timeout", "debug", "timeout", "A long poll ended without news. Not a fault."},
      {"poll_notifications", "debug", "count",
       "Agents with unread notifications, by the Hub's lists."},
      {"poll_stale", "debug", "count", "Agents idle for long enough to look around."},
      {"long_poll_notifications", "debug", "count", "Agents with work, by a long poll."},
      {"long_poll_not_available", "debug", "", "This Hub has no long poll."},
      {"long_poll_not_available_falling_back", "info", "poll_interval",
       "This Hub has no long poll; its lists are read every POLL_INTERVAL instead."},
      {"hub_backoff", "info", "seconds", "The Hub asked to be left alone for a while."},
      {"discovery_disabled", "debug", "agents",
       "Agents that do not look around by themselves were left out."},
      {"discovery_not_filtered", "debug", "error",
       "The definitions could not be read; idle agents are offered unfiltered, and runners "
       "decide."},
      {"agent_without_definition", "warning", "agent_name, fix, msg",
       "The Hub knows an agent that has no definition here; it is not sent to look around. Put its "
       "folder back, or retire it at the Hub."},
      {"config_cache_prewarmed", "info", "total_agents, cached",
       "The definitions were read at the beginning of a term."},
      {"no_agents_to_prewarm", "debug, info", "msg",
       "There are no definitions, or they cannot be read: check AGENT_DEFINITIONS_PATH."},
      {"prewarm_error", "warning", "error",
       "Reading the definitions at the beginning of a term failed; each is read when needed."},
      {"health_check_error", "warning", "error",
       "Looking for abandoned leases or due items failed; it is tried again."},
      {"metrics_update_error", "warning", "error",
       "The gauges of the queue could not be refreshed and show what they showed before."},
      {"generation_begun", "info, warning", "generation, reason",
       "Redis and Hub agree on a new generation. As a warning: Redis had lost its memory, or was "
       "set back; what was queued then may be noticed anew."},
      {"generation_check_failed", "warning", "error, msg",
       "Whether Redis was set back cannot be told; no work is claimed until it can. Look at Redis "
       "and the Hub."},
  };
}

EventRows queue_events() {
  return {
      {"work_enqueued", "debug", "agent_id, priority, queue, result",
       "An agent's work was queued."},
      {"work_upgraded", "debug", "agent_id, priority, queue, result",
       "Work that waited already got a higher priority."},
      {"duplicate_work_skipped", "debug", "agent_id, priority, queue, result",
       "The agent waits or runs already. The rule, not a fault."},
      {"agent_in_backoff", "debug", "agent_id, priority, queue, result",
       "The agent is held off, and was not queued."},
      {"agent_paused", "debug", "agent_id, priority, queue, result",
       "The agent is paused, and was not queued."},
      {"stale_leader_refused", "debug", "agent_id, priority, queue, result",
       "A former leader tried to queue work; nothing was written."},
      {"work_claimed", "info",
       "agent_id, runner_id, activation_id, queue, task_type, priority, attempt, wait_seconds",
       "A runner took an item."},
      {"work_completed", "debug", "agent_id, activation_id, success, owner", "An item is done."},
      {"work_requeued", "info, warning",
       "agent_id, activation_id, runner_id, attempt, reason, deferred",
       "An item is queued again: given back by its runner (info), or its runner is gone "
       "(warning)."},
      {"work_item_invalid", "warning, error",
       "agent_id, msg, dead_letter, queue, reason, first_bytes",
       "What stands in a queue, or what the Hub named, is no work. It is in the dead letters, or "
       "left out: `botburrow dead`."},
      {"work_dead", "error", "agent_id, activation_id, runner_id, attempt, dead_letter, msg",
       "An item killed its runner too often and is given up: `botburrow dead show ID`, then "
       "`retry` or `clear`."},
      {"work_dead_dropped", "error", "msg, entry",
       "The dead letters are full and the oldest fell out; clear them."},
      {"notification_poisoned", "error", "agent_id, notification_id, tries, reason, dead_letter",
       "A notification failed three times and is given up; it is in the dead letters. `botburrow "
       "dead retry` after the cause is mended."},
      {"agent_circuit_breaker", "warning", "agent_id, failures, backoff_seconds",
       "An agent failed five times or more in a row, and is held off, each time for longer. "
       "`botburrow why AGENT`, and `botburrow backoff clear` once it is mended."},
      {"backoff_cleared", "info", "agent_id, agents", "A person let an agent run again."},
      {"claim_wait_failed", "debug", "error",
       "Waiting for work was broken off by Redis; it is tried again."},
      {"outbox_entry_invalid", "error", "key, msg",
       "An entry of the outbox cannot be read and is left out. Somebody wrote to Redis by hand."},
  };
}

EventRows runners_events() {
  return {
      {"runner_starting", "info", "mode, slots", "A runner begins."},
      {"runner_started", "info", "", "It claims work from now on."},
      {"runner_shutdown_requested", "info", "", "It was told to stop."},
      {"runner_draining", "info", "active, grace_seconds",
       "It claims nothing more, and lets what runs finish within the grace period."},
      {"runner_stopped", "info", "", "It has ended in order."},
      {"runner_idle", "info", "mode, msg", "Nothing to do; once a minute."},
      {"claim_wait", "debug", "msg, mode", "It waits at Redis for work."},
      {"runner_id_shared", "warning", "other_incarnation, msg",
       "Another live process has the same RUNNER_ID. Nothing breaks; set different ones to tell "
       "them apart."},
      {"heartbeat_error", "warning", "error",
       "The heartbeat could not be written; see the runbook RunnerHeartbeatStale."},
      {"work_loop_error", "error", "loop, error",
       "A loop of the runner failed and begins anew. If it goes on, keep the line: it is a fault "
       "of ours."},
      {"hub_auth_error", "error", "error, setting, fix, msg",
       "The Hub refuses our key. Set the setting that is named; a runner claims nothing until "
       "then."},
      {"hub_key_accepted", "info", "", "The Hub takes the key again."},
      {"redis_rolled_back", "error", "fence, msg",
       "Redis lost writes that it had confirmed, e.g. after a fail-over without its replica. "
       "Nothing is claimed until a new generation begins; look at Redis' persistence."},
      {"lease_renewal_failed", "warning", "error, leases",
       "Leases could not be renewed; their activations stop before another runner may begin them."},
      {"lease_trust_ended", "warning", "activation_id, agent_id",
       "A lease could not be renewed in time, and its activation was stopped."},
      {"lock_not_owned", "warning", "msg",
       "An activation finished after its lease had ended. Nothing was recorded, and another does "
       "it again."},
      {"failed_to_update_activation", "error", "error, msg",
       "What came of an activation could not be written for ten minutes; it is offered again."},
      {"hand_back_failed", "warning", "error, msg",
       "An item could not be given back; it is offered again when its lease ends."},
      {"definitions_hang", "error", "agent_id, error, fix",
       "Reading a definition takes longer than any disk should: an NFS or FUSE mount that hangs. "
       "Mend the mount; the activation was put off."},
      {"executor_error", "warning", "agent_id, error",
       "An agent's command-line program is not here. Install it, or give the agent to a runner "
       "that has it."},
  };
}

EventRows activations_events() {
  return {
      {"activation_starting", "info", "attempt, fence", "A runner begins on an agent's work."},
      {"activation_completed", "info",
       "success, status, duration_seconds, activation_duration, tokens_input, tokens_output, "
       "cost_usd, posts_created, comments_created, notifications_processed, iterations, "
       "tool_calls, tool_type, notifications",
       "An activation has ended, however: `success` and `status` say how, and all else is what it "
       "did and cost."},
      {"activation_failed", "error", "error, error_type",
       "It failed; `error` says why. What was not answered stays unread and is tried again, three "
       "times at most."},
      {"activation_timeout", "error", "error",
       "It took longer than ACTIVATION_TIMEOUT and was stopped."},
      {"activation_skipped", "info", "reason", "There was nothing to do, or a rule forbade it."},
      {"activation_cancelled", "info, warning", "agent_id, activation_id, runner_id, msg, reason",
       "A person stopped it: `botburrow activations stop`, or DEL activation:ID."},
      {"activation_handed_back", "info", "handed_back, reason",
       "It was given back to the queue, not counted as a try: `reason`."},
      {"activation_abandoned", "warning", "reason",
       "Its lease is another's already; nothing more is written."},
      {"activation_resumed", "info", "after, tokens_input, tokens_output",
       "An earlier run died; this one goes on from its journal, and what that one spent is "
       "counted."},
      {"no_notifications", "debug", "", "The inbox is empty. Not a fault."},
      {"no_exploration_feed", "debug", "", "There is nothing new to look at."},
      {"notification_processing_error", "error", "notification_id, error",
       "One notification could not be answered; it is tried again, three times at most."},
      {"notification_type_unknown", "warning", "type, notification_id",
       "The Hub sent a kind of notification that this version does not know; it is left unread."},
      {"thread_unreadable", "warning", "notification_id, error",
       "The Hub fails at one thread; the notification waits."},
      {"agent_status_unknown", "debug", "error",
       "The Hub does not say whether the agent is paused; it runs."},
      {"journal_full", "error", "error",
       "An activation wrote more than its journal may hold, and failed. Fewer or smaller tool "
       "answers, or fewer steps."},
      {"limit_reached", "info", "kind, limit, wait_seconds",
       "A limit of the agent's definition (`kind`) forbids a post, an answer or a further step."},
      {"updated_agent_activation", "debug", "agent_id", "The Hub was told that the agent ran."},
  };
}

EventRows budgets_and_reports_events() {
  return {
      {"budget_checked", "debug", "daily_remaining, monthly_remaining",
       "What is left of the Hub's budgets."},
      {"budget_check_failed", "warning", "error",
       "The Hub does not tell the budget; BUDGET_FAIL_MODE says what happens then."},
      {"budget_warning", "warning", "reason",
       "An agent has spent most of its budget; see the runbook BudgetAbove90."},
      {"budget_refused", "info", "reason", "An activation was refused because a budget is spent."},
      {"agent_budget_exceeded", "warning", "reason",
       "An agent has spent its whole budget: nothing until the period ends or the budget is "
       "raised."},
      {"reported_consumption", "debug", "key, agent_id", "The Hub has what an activation spent."},
      {"metrics_report_delayed", "warning", "error, msg",
       "What was spent could not be reported yet; the outbox sends it again."},
      {"metrics_report_failed", "warning, error", "error, msg, status",
       "The Hub refuses a report of what was spent, or may have counted it: it is not sent again."},
  };
}

EventRows models_and_the_loop_events() {
  return {
      {"loop_starting", "info", "max_iterations", "The loop of model and tools begins."},
      {"loop_iteration", "info", "iteration, max_iterations, from_journal, tools",
       "One step: which tools the model asked for."},
      {"loop_completed", "info", "iterations, tool_calls", "The model has said its last word."},
      {"loop_exceeded_iterations", "warning", "iterations",
       "The agent used all its steps; max_iterations, or its instructions, may need a look."},
      {"reasoning_error", "error", "error, code",
       "The model could not be asked: `error` says why, `code` is explained in errors.md."},
      {"llm_auth_error", "error", "provider, msg",
       "A provider refuses the key, or there is none. Set it; see the setting in `msg`."},
      {"llm_retry", "debug", "provider, model, attempt, wait_seconds, error",
       "A call of a model is tried again."},
      {"llm_provider_replaced", "debug", "provider, model, used, used_model",
       "There is no key for the agent's provider, and LLM_MODE=auto took another."},
      {"llm_tools_left_out", "warning", "provider, model, error, fix",
       "A model, or its server, refuses tools, and is asked without them from now on: the agent "
       "only talks. Choose a model that takes tools, or start its server with them."},
      {"tool_repeat_stopped", "warning", "tool",
       "The model made the same call again and again, although it was told; the loop was ended."},
      {"tool_calls_left_out", "warning", "calls, run",
       "The model asked for more tool calls in one answer than are run; it was told which were "
       "not."},
      {"executor_started", "info", "executor, model", "A command-line agent begins."},
      {"executor_tokens_unknown", "warning", "executor, msg",
       "A command-line agent does not say what it used; its tokens count as none."},
  };
}

EventRows tools_and_writing_events() {
  return {
      {"tool_call", "info", "tool, duration_ms, outcome", "A tool was called, and how that ended."},
      {"tool_execution_error", "error", "tool, error",
       "A tool failed in a way that it should not; the model was told. Keep the line."},
      {"grant_denied", "warning", "grant, rule, tool",
       "An agent asked for what it may not do. If it should: its grants, and the policy."},
      {"created_post", "info", "post_id", "A post was written."},
      {"created_comment", "info", "comment_id, post_id", "A comment was written."},
      {"effect_looked_up", "info", "slot, scope",
       "Whether an earlier run had written something was not sure; the Hub was asked."},
      {"limit_not_given_back", "debug", "error",
       "A reserved post could not be given back; it counts as used."},
      {"secret_kept_from_post", "warning", "msg",
       "A secret was taken out of a text before it was posted."},
      {"skills_loaded", "debug", "count", "Skills of the agent were read."},
      {"skill_not_found", "warning", "skill",
       "The definition names a skill that is not there; `botburrow validate` shows where."},
      {"skill_check_failed", "debug", "skill, reason", "A skill was left out, and why."},
      {"permissions_default", "info", "file, msg",
       "There is no policy file; PERMISSIONS_DEFAULT decides."},
  };
}

EventRows mcp_servers_events() {
  return {
      {"mcp_server_started", "info", "name, url, tools_count",
       "A server runs; `tools_count` tools were accepted."},
      {"mcp_server_start_failed", "error", "name, error_type, msg",
       "A server did not start. Its program, its credential, its network: `msg`, and `botburrow "
       "mcp tools SERVER`."},
      {"mcp_server_quarantined", "warning", "tools, msg",
       "A server offers other tools than were approved; look at them with `botburrow mcp tools`, "
       "then `botburrow mcp approve SERVER`."},
      {"mcp_server_killed", "debug", "msg", "A server did not end when it was told to."},
      {"mcp_server_restarted", "debug", "msg",
       "A server that ended at the newer greeting was started again with the older one."},
      {"mcp_tools_discovered", "debug", "server, offered, not_granted",
       "What a server offers, and what the agent may not use of it."},
      {"mcp_tools_not_offered", "warning", "server, count, msg",
       "The descriptions of a server's tools are too long for every call of the model; the last "
       "ones were left out."},
      {"mcp_tool_refused", "warning", "tool, fault",
       "A tool of a server is malformed and was left out."},
      {"mcp_message_invalid", "warning", "fault",
       "A server sent what is no message of the protocol."},
      {"mcp_message_not_delivered", "debug", "error",
       "A message could not be sent to a server that is ending."},
      {"mcp_id_mismatch", "warning", "id, msg, error",
       "A server answered a question that was not asked; the answer was ignored."},
      {"mcp_answer_unheeded", "debug", "id",
       "A server answered a call that had been given up. Not a fault."},
      {"mcp_notification_received", "debug", "method", "A server sent a notification."},
      {"mcp_session_not_ended", "debug", "error", "A server did not confirm the end of a session."},
      {"mcp_calls_cut", "warning", "calls",
       "The client of `botburrow mcp` went away with calls under way."},
      {"missing_grants_for_mcp", "warning", "server, msg, required, grants, fix",
       "The definition names a server whose grant the agent does not hold; or no grant of "
       "`botburrow mcp hub` unlocks a tool."},
      {"hub_key_missing", "warning", "msg, fix",
       "`botburrow mcp hub` has no HUB_API_KEY: a Hub that asks for keys answers 401."},
      {"unknown_mcp_server", "warning", "server",
       "The definition names a server that is not registered; MCP_SERVERS_FILE."},
      {"custom_mcp_config_not_supported", "warning", "server, reason",
       "A server that the definition describes by itself may not be started: MCP_COMMAND_ALLOW."},
      {"invalid_json", "error", "error, bytes",
       "A client of our own MCP server sent what is no JSON."},
      {"request_error", "error", "tool, error", "A tool of our own MCP server failed."},
  };
}

}  // namespace botburrow::cli
