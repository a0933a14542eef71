-- complete: end a lease with an outcome, and perhaps claim the next item.
-- Safe to repeat: a second call finds no lease and answers NOT_OWNER; its claim repeats as claim does.
-- Uses   base item dead lease journal claim
-- KEYS   none; writes what claim wrote, work:failures work:backoff work:why work:dirty work:outbox
--        work:queue:* work:queued work:stats work:bell:* activation:results journal:*
-- ARGV   1 agent id  2 activation id  3 fence  4 success|failure|timeout|skipped|cancelled|over_budget
--        5 hold-off s  6 reason  7 result or empty  8 outbox key or empty  9 outbox entry
--        10 last lines of the journal, or empty  11 claim 0|1  12… as claim
-- Reply  {OK|NOT_OWNER, failures in a row, seconds held off, follow-up queued 0|1, claim's reply}
local agent, outcome = ARGV[1], ARGV[4]
local lease = owned(agent, ARGV[2], ARGV[3])

local function queue_follow_up()
  local element = call('HGET', 'work:dirty', agent)
  if element then call('HDEL', 'work:dirty', agent) end
  local waiting = call('HGET', 'work:queued', agent)
  if waiting then
    -- It waited beside the activation and may be claimed now.
    ring(string.match(waiting, ':(%a+)$'))
    return 0
  end
  local item = element and read_item(element)
  if not item or held_off(agent) then return 0 end
  call('LPUSH', 'work:queue:' .. item.priority, element)
  note_waiting(agent, item)
  count('enqueued', 1)
  ring(item.task_type)
  return 1
end

local function settle()
  remove_lease(agent, lease.activation)
  count('done', 1)
  local failures, seconds = 0, tonumber(ARGV[5])
  if outcome == 'success' then
    call('HDEL', 'work:failures', agent)
    call('HDEL', 'work:backoff', agent)
    call('HDEL', 'work:why', agent)
    if seconds > 0 then note_why(agent, outcome, ARGV[6], false) end
  else
    local failed = outcome == 'failure' or outcome == 'timeout'
    if failed then
      failures = count_failure(agent, 1)
      seconds = math.max(seconds, backoff_after(failures))
    else
      failures = tonumber(call('HGET', 'work:failures', agent) or '') or 0
    end
    if failed or seconds > 0 then note_why(agent, outcome, ARGV[6], failed) end
  end
  local held = hold_off(agent, seconds)
  if ARGV[7] ~= '' then
    call('LPUSH', 'activation:results', ARGV[7])
    call('LTRIM', 'activation:results', 0, 999)
  end
  put_outbox(ARGV[8], ARGV[9])
  close_journal(lease.work, ARGV[10])
  expire_journal(lease.work)
  return {'OK', failures, math.floor(held + 0.5), queue_follow_up()}
end

local reply = lease and settle() or {'NOT_OWNER', 0, 0, 0}
reply[5] = ARGV[11] == '1' and claim(12) or {{}, {}, {}}
return reply
