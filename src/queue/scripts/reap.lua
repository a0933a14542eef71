-- reap: take an item back from a runner that stopped renewing.
-- Safe to repeat: the lease's value is gone after the first time.
-- Uses   base item dead lease journal
-- KEYS   none; reads coordinator:epoch, writes what claim wrote, work:dirty work:queue:* work:deferred
--        work:queued work:dead work:failures work:backoff work:why work:bell:* work:stats
--        journal:*
-- ARGV   1 epoch  2 agent id  3 lease value seen  4 crashes after which an item is dead
-- Reply  {REQUEUED|DEFERRED|DEAD|CANCELLED|MOVED, attempt, activation id, runner id, work id, task
--        type, failures, seconds held off, dead letter id, {dead letters dropped…}}
local agent = ARGV[2]
if call('GET', 'coordinator:epoch') ~= ARGV[1] or call('HGET', 'work:leases', agent) ~= ARGV[3] then
  return {'MOVED', 0, '', '', '', '', 0, 0, '', {}}
end
local lease = lease_of(agent)
local item = lease and read_item(lease.element)
if not item then
  -- Somebody deleted the element by hand: only the traces are left.
  remove_lease(agent, lease and lease.activation or '')
  call('HDEL', 'work:dirty', agent)
  count('done', 1)
  return {'MOVED', 0, '', '', '', '', 0, 0, '', {}}
end
local stopped = call('EXISTS', 'activation:' .. lease.activation) == 0
remove_lease(agent, lease.activation)
call('HDEL', 'work:dirty', agent)

local function reply(code, failures, held, dead_id, dropped)
  return {code, lease.attempt, lease.activation, lease.runner, lease.work, item.task_type, failures,
          math.floor(held + 0.5), dead_id, dropped}
end

if stopped then
  count('done', 1)
  expire_journal(lease.work)
  note_why(agent, 'cancelled', 'stopped by an operator', false)
  return reply('CANCELLED', 0, hold_off(agent, 60), '', {})
end

local crash = 'the runner stopped renewing the lease'
local history = item.history
history[#history + 1] = {activation_id = lease.activation, runner_id = lease.runner,
                         at = rfc3339(now), reason = crash}
if #history > 20 then table.remove(history, 1) end
local element = stamped(lease.element, item, lease.work, lease.attempt, history)
item.priority = string.match(lease.lane, '(%a+)$')

if lease.attempt >= tonumber(ARGV[4]) then
  local dropped = {}
  local failures = count_failure(agent, 5)
  local reason = string.format('crashed its runner %.0f times', lease.attempt)
  bury_item(lease.activation, element, agent, item.agent_name, reason, lease.attempt, history, dropped)
  note_why(agent, 'crash', reason, true)
  expire_journal(lease.work)
  return reply('DEAD', failures, hold_off(agent, backoff_after(failures)), lease.activation, dropped)
end
note_waiting(agent, item)
if lease.attempt > 1 then
  call('ZADD', 'work:deferred', string.format('%.6f', now + 5), element)
  return reply('DEFERRED', 0, 0, '', {})
end
call('RPUSH', lease.lane, element)
ring(item.task_type)
return reply('REQUEUED', 0, 0, '', {})
