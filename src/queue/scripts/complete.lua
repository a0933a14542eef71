-- complete: end leases with an outcome, and perhaps claim the next items.
-- Safe to repeat: a second call finds no lease and answers NOT_OWNER; its claims repeat as claim does.
-- Many in one call cost the server about a third of many calls: what can be is said once for all.
-- Uses   base item dead lease journal claim
-- KEYS   none; writes what claim wrote, work:failures work:backoff work:why work:dirty work:outbox
--        work:queue:* work:queued work:stats work:bell:* activation:results journal:*
-- ARGV   1 how many; for each: agent id, activation id, fence,
--        success|failure|timeout|skipped|cancelled|over_budget, hold-off s, reason, result or empty,
--        outbox key or empty, outbox entry, last lines of the journal or empty; then, if anything is
--        to be claimed, as claim
-- Reply  {{OK|NOT_OWNER, failures in a row, seconds held off, follow-up queued 0|1} for each, claim's
--        reply}
local WIDTH = 10
local total = tonumber(ARGV[1])

-- Those of the call that are ours to end, each with `at`, where its arguments begin.
local function ours()
  local agents = {}
  for i = 1, total do agents[i] = ARGV[2 + (i - 1) * WIDTH] end
  local lines = call('HMGET', 'work:processing', unpack(agents))
  local mine, seen = {}, {}
  for i, agent in ipairs(agents) do
    local at = 2 + (i - 1) * WIDTH
    local fence, activation, work = owner_of(lines[i])
    if activation == ARGV[at + 1] and fence == ARGV[at + 2] and not seen[agent] then
      seen[agent] = true
      mine[#mine + 1] = {number = i, at = at, agent = agent, activation = activation, work = work,
                         outcome = ARGV[at + 3]}
    end
  end
  return mine
end

local function remove_leases(mine)
  local agents, keys = {}, {}
  for i, one in ipairs(mine) do
    agents[i] = one.agent
    keys[#keys + 1] = 'agent_lock:' .. one.agent
    keys[#keys + 1] = 'agent:activation:' .. one.agent
    keys[#keys + 1] = 'activation:' .. one.activation
  end
  call('HDEL', 'work:active', unpack(agents))
  call('HDEL', 'work:leases', unpack(agents))
  call('HDEL', 'work:processing', unpack(agents))
  call('DEL', unpack(keys))
  count('done', #mine)
end

local function forget_trouble(mine)
  local agents = {}
  for _, one in ipairs(mine) do
    if one.outcome == 'success' then agents[#agents + 1] = one.agent end
  end
  if #agents == 0 then return end
  call('HDEL', 'work:failures', unpack(agents))
  call('HDEL', 'work:backoff', unpack(agents))
  call('HDEL', 'work:why', unpack(agents))
end

-- Answers failures in a row and the seconds held off.
local function judge(one)
  local failures, seconds = 0, tonumber(ARGV[one.at + 4])
  local reason = ARGV[one.at + 5]
  if one.outcome == 'success' then
    if seconds > 0 then note_why(one.agent, one.outcome, reason, false) end
  else
    local failed = one.outcome == 'failure' or one.outcome == 'timeout'
    if failed then
      failures = count_failure(one.agent, 1)
      seconds = math.max(seconds, backoff_after(failures))
    else
      failures = tonumber(call('HGET', 'work:failures', one.agent) or '') or 0
    end
    if failed or seconds > 0 then note_why(one.agent, one.outcome, reason, failed) end
  end
  return failures, math.floor(hold_off(one.agent, seconds) + 0.5)
end

local function keep_records(mine)
  local results, outbox = {}, {}
  for _, one in ipairs(mine) do
    if ARGV[one.at + 6] ~= '' then results[#results + 1] = ARGV[one.at + 6] end
    if ARGV[one.at + 7] ~= '' then
      outbox[#outbox + 1] = ARGV[one.at + 7]
      outbox[#outbox + 1] = ARGV[one.at + 8]
    end
    close_journal(one.work, ARGV[one.at + 9])
    expire_journal(one.work)
  end
  if #results > 0 then
    call('LPUSH', 'activation:results', unpack(results))
    call('LTRIM', 'activation:results', 0, 999)
  end
  if #outbox > 0 then call('HSET', 'work:outbox', unpack(outbox)) end
end

-- `element` came during the run; `waiting` is what work:queued says of the agent. Answers how many
-- were queued.
local function queue_follow_up(agent, element, waiting)
  if element then call('HDEL', 'work:dirty', agent) end
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

local replies = {}
for i = 1, total do replies[i] = {'NOT_OWNER', 0, 0, 0} end
local mine = ours()
if #mine > 0 then
  remove_leases(mine)
  forget_trouble(mine)
  local agents = {}
  for i, one in ipairs(mine) do
    local failures, held = judge(one)
    replies[one.number] = {'OK', failures, held, 0}
    agents[i] = one.agent
  end
  keep_records(mine)
  local dirty = call('HMGET', 'work:dirty', unpack(agents))
  local waiting = call('HMGET', 'work:queued', unpack(agents))
  for i, one in ipairs(mine) do
    if dirty[i] or waiting[i] then
      replies[one.number][4] = queue_follow_up(one.agent, dirty[i], waiting[i])
    end
  end
end
return {replies, claim(2 + total * WIDTH)}
