#include "cli/reference/event_rows.hpp"

namespace botburrow::cli {

EventRows sandbox_events() {
  return {
      {"sandbox_probed", "info, warning", "tier, reason",
       "What keeps programs in on this machine: `tier`, and why not a better one. `none`: the "
       "runbook SandboxMissing."},
      {"sandbox_started", "info", "workspace", "A sandbox was made for an activation."},
      {"sandbox_stopped", "info", "", "It and all its processes are gone."},
      {"workspaces_swept", "info", "removed, msg",
       "Workspaces that an earlier runner left behind were removed."},
      {"workspace_cleanup_error", "warning", "workspace, msg, left, root",
       "A workspace could not be removed; remove it by hand."},
      {"egress_connect", "debug, info", "host, port, address",
       "A sandboxed program was let out to a host."},
      {"egress_denied", "warning", "host, port, reason",
       "A sandboxed program asked for a host that the agent's network grants do not allow."},
      {"egress_connection_ended", "debug", "reason",
       "A connection of a sandboxed program broke off."},
  };
}

EventRows definitions_events() {
  return {
      {"agent_config_loaded", "debug", "agent_id, commit, agent_name",
       "A definition was read anew."},
      {"agent_config_cache_hit", "debug", "agent_name", "A definition is unchanged."},
      {"agent_config_skipped", "debug", "agent_id, error",
       "A definition vanished, or could not be read, while all were listed."},
      {"agent_folder_ignored", "warning", "folder, problem, fix",
       "A folder or link among the definitions is passed over: `problem` and `fix`."},
      {"agent_config_invalid", "error", "agent_id, error, errors, in_use",
       "A definition has errors; the last good version is used if there is one. `botburrow "
       "validate`."},
      {"agent_config_recovered", "info", "agent_id", "It has none any more."},
      {"agent_config_problem", "warning", "agent_id, field, problem",
       "A definition is usable, and something in it is not right."},
      {"agent_config_unknown_key", "warning", "agent_id, field, problem",
       "A definition has a key that nobody reads; perhaps a slip."},
      {"definition_not_kept", "warning", "agent_id, error",
       "The last good version could not be stored; after a restart an invalid one has nothing to "
       "fall back to."},
      {"config_cache_write_failed", "debug", "error",
       "The cache of definitions in Redis could not be written."},
      {"cache_invalidated", "info", "agent", "Somebody asked to forget a cached definition."},
      {"cache_invalidated_all", "info", "count",
       "Somebody asked to forget all cached definitions."},
  };
}

EventRows calls_of_the_hub_events() {
  return {
      {"hub_answer_unreadable", "warning", "call, first_bytes",
       "What answers at HUB_URL is no Hub: often a proxy's page. Check the address."},
      {"hub_call_retried", "warning", "error, fix",
       "A call of the Hub failed and is tried again. Going on: does the Hub run, is it ready, is "
       "it reached at HUB_URL?"},
      {"hub_items_unreadable", "warning", "list, count, msg",
       "Some items of a list could not be read and were left out; Hub and agents have different "
       "versions, or the Hub has a fault."},
      {"marked_notifications_read", "debug", "count", "Notifications were marked as read."},
  };
}

EventRows hub_events() {
  return {
      {"hub_started", "info", "url", "The Hub listens."},
      {"hub_stopped", "info", "", "It has ended in order."},
      {"hub_database_open", "info", "path", "Its database is open."},
      {"hub_database_unavailable", "warning", "error, cause, retry_seconds",
       "Its database cannot be opened yet; it is tried again."},
      {"hub_database_unusable", "error", "error",
       "Its database is of another kind, or another process serves it; the Hub ends."},
      {"hub_database_failed", "error", "error, cause",
       "Its database does not answer, and requests are answered 503: `cause`. See the runbook "
       "HubDatabaseDown."},
      {"hub_database_recovered", "info", "", "Its database answers again."},
      {"hub_request", "debug", "method, endpoint, status, seconds", "A request was answered."},
      {"hub_request_failed", "error", "endpoint, request_id, error, cause, unsaid",
       "A request was answered with 5xx; `request_id` is the one that the client got. 500 is a "
       "fault of ours."},
      {"hub_task_failed", "error", "task, error", "A task of the Hub failed; keep the line."},
      {"hub_admin_key_missing", "warning", "msg", "HUB_ADMIN_KEY is not set; no key can be made."},
      {"agent_type_unknown", "warning", "agent, type",
       "An agent was registered with a type that this version does not know; it is kept all the "
       "same."},
  };
}

EventRows redis_events() {
  return {
      {"redis_connected", "info", "url, server, version, failed_attempts, away_seconds",
       "There is a connection."},
      {"redis_connection_lost", "warning", "error, url, commands_failed",
       "The connection broke; commands under way failed, and it is made again."},
      {"redis_unavailable", "debug, warning",
       "error, cause, url, fix, attempts, away_seconds, refused",
       "Redis cannot be reached, or refuses work: `cause`, and `fix` where there is one. See the "
       "runbook RedisDown."},
      {"redis_available", "info", "url, away_seconds", "Redis takes work again."},
      {"redis_task_failed", "error", "task, error",
       "A task of a connection failed; keep the line."},
      {"redis_exited", "error", "code, signal, cause, error, fix, log, restart_in_seconds",
       "The Redis that `up` started has ended; it is started again."},
      {"redis_start_failed", "error", "error, retry_in_seconds",
       "The Redis of `up` could not be started; it is tried again."},
      {"redis_left_over", "warning", "msg",
       "A Redis of an earlier `up` was still there and was shut down."},
      {"redis_supervisor_failed", "error", "error",
       "Nobody watches the Redis of `up` any more; start `up` anew."},
  };
}

EventRows console_events() {
  return {
      {"console_act", "info", "act, result, changed, peer, asked",
       "A person did something in the console."},
      {"console_key_refused", "warning", "peer, route, msg",
       "Somebody came to the console with a wrong key."},
      {"console_task_failed", "error", "task, error",
       "A task of the console failed; keep the line."},
      {"console_without_redis", "debug", "error", "The console shows what it last knew."},
      {"console_history_unread", "debug", "error",
       "Plots of the time before the restart could not be read."},
      {"console_history_unkept", "debug", "error", "A minute of the plots could not be kept."},
  };
}

EventRows services_events() {
  return {
      {"settings_loaded", "info", "settings", "The settings in force, secrets masked."},
      {"setting_conflict", "warning", "setting, msg",
       "Two names of one setting have different values; which is used."},
      {"setting_unknown", "warning", "setting, msg",
       "A variable BOTBURROW_… that nobody reads; the nearest name."},
      {"setting_adjusted", "warning", "setting, msg", "A value was raised, or has no effect."},
      {"metrics_server_started", "info", "url", "Health, metrics and administration are served."},
      {"stop_requested", "info", "signal, msg",
       "A signal, which is named, asked the service to end: running work is finished or handed "
       "back."},
      {"http_connections_full", "warning", "connections, connections_max, turned_away, msg",
       "There are as many connections as may be open; the longest idle gave way, or a newcomer was "
       "turned away."},
      {"http_accept_failed", "error", "error, connections",
       "No further connection can be taken, mostly for want of file descriptors."},
      {"http_connection_failed", "error", "error", "Serving one connection failed."},
      {"http_handler_failed", "error", "route, method, error, error_type",
       "Answering one request failed; keep the line."},
      {"agents_not_listed", "warning", "error",
       "`up` could not register the agents of the definitions yet; it is tried again."},
      {"task_failed", "error", "task, error", "A task of `up` failed; keep the line."},
  };
}

}  // namespace botburrow::cli
