-- sweep: what time brings.
-- Uses   base item dead
-- KEYS   none; reads coordinator:epoch, writes work:deferred work:queue:* work:queued work:bell:*
--        work:backoff work:failures work:why work:leases work:dead work:stats
-- ARGV   1 epoch  2 full 0|1
-- Reply  {OK|STALE_LEADER, due items moved, back-offs ended, failures decayed, elements adopted,
--        elements vanished, {{id, queue, reason, first bytes}…}, {dead letters dropped…}}
if call('GET', 'coordinator:epoch') ~= ARGV[1] then return {'STALE_LEADER', 0, 0, 0, 0, 0, {}, {}} end
local unreadable, dropped = {}, {}

local function move_due()
  local due = call('ZRANGEBYSCORE', 'work:deferred', '-inf', now_text, 'LIMIT', 0, 1000)
  -- From the last to the first, so that the one due first is taken first.
  for i = #due, 1, -1 do
    local item, reason = read_item(due[i])
    if item then
      call('RPUSH', 'work:queue:' .. item.priority, due[i])
      ring(item.task_type)
    else
      local id = bury_unreadable(due[i], reason, dropped)
      unreadable[#unreadable + 1] = {id, 'work:deferred', reason, string.sub(due[i], 1, 200)}
    end
    call('ZREM', 'work:deferred', due[i])
  end
  return #due
end

-- After a jump of the clock nothing waits longer than an hour more.
local function cut_late(latest, latest_text)
  local late = call('ZRANGEBYSCORE', 'work:deferred', '(' .. latest_text, '+inf', 'LIMIT', 0, 1000)
  for _, element in ipairs(late) do call('ZADD', 'work:deferred', latest_text, element) end
end

local function end_backoffs(latest, latest_text)
  local ended = 0
  local all = call('HGETALL', 'work:backoff')
  for i = 1, #all, 2 do
    local till = tonumber(all[i + 1]) or 0
    if till <= now then
      call('HDEL', 'work:backoff', all[i])
      ended = ended + 1
    elseif till > latest then
      call('HSET', 'work:backoff', all[i], latest_text)
    end
  end
  return ended
end

-- Failures, and what is known about them, fade 24 h after the last one.
local function decay()
  local decayed = 0
  local old, ahead = rfc3339(now - 86400), rfc3339(now + BACKOFF_MAX)
  local all = call('HGETALL', 'work:failures')
  for i = 1, #all, 2 do
    local why = call('HGET', 'work:why', all[i])
    local failed_at = why and string.match(why, '"failed_at": "([^"]*)"')
    if not failed_at then
      -- Counted by another program: 24 h from now on.
      call('HSET', 'work:why', all[i], string.format(
          '{"at": "%s", "outcome": "failure", "reason": "", "failed_at": "%s"}', rfc3339(now), rfc3339(now)))
    elseif failed_at > ahead then
      -- The clock was set back since.
      call('HSET', 'work:why', all[i], (string.gsub(why, '"failed_at": "[^"]*"',
                                                    '"failed_at": "' .. rfc3339(now) .. '"')))
    elseif failed_at < old then
      call('HDEL', 'work:failures', all[i])
      call('HDEL', 'work:why', all[i])
      decayed = decayed + 1
    end
  end
  if call('HLEN', 'work:why') > call('HLEN', 'work:failures') then
    local whys = call('HGETALL', 'work:why')
    for i = 1, #whys, 2 do
      if (string.match(whys[i + 1], '"at": "([^"]*)"') or '') < old
         and call('HEXISTS', 'work:failures', whys[i]) == 0 then
        call('HDEL', 'work:why', whys[i])
      end
    end
  end
  return decayed
end

-- Makes work:queued say what really waits, after foreign pushes, pops and removals by hand.
local function rebuild()
  local waiting = call('ZCARD', 'work:deferred')
  for _, lane in ipairs(LANES) do waiting = waiting + call('LLEN', lane) end
  if waiting == call('HLEN', 'work:queued') then return 0, 0 end
  local found, adopted, vanished = {}, 0, 0
  local function note(element, priority)
    local agent, task_type = string.match(
        element, '^{"agent_id": "([^"\\]*)", "agent_name": "[^"\\]*", "task_type": "(%a+)"')
    if not agent or not (task_type == 'inbox' or task_type == 'discovery') then
      local item = read_item(element)
      agent, task_type = item and item.agent_id, item and item.task_type
      priority = priority or (item and item.priority)
    end
    if not priority then priority = string.match(element, '"priority": "(%a+)"') or 'normal' end
    if agent and not found[agent] then found[agent] = priority .. ':' .. task_type end
  end
  for _, lane in ipairs(LANES) do
    local priority = string.match(lane, '(%a+)$')
    for _, element in ipairs(call('LRANGE', lane, 0, -1)) do note(element, priority) end
  end
  for _, element in ipairs(call('ZRANGE', 'work:deferred', 0, -1)) do note(element, nil) end
  for _, agent in ipairs(call('HKEYS', 'work:queued')) do
    if not found[agent] then
      call('HDEL', 'work:queued', agent)
      vanished = vanished + 1
    end
  end
  for agent, value in pairs(found) do
    adopted = adopted + call('HSET', 'work:queued', agent, value)
  end
  count('enqueued', adopted)
  count('done', vanished)
  return adopted, vanished
end

-- A claim whose lease was deleted by hand would never be reaped.
local function mend_leases()
  if call('HLEN', 'work:processing') == call('HLEN', 'work:leases') then return end
  local all = call('HGETALL', 'work:processing')
  for i = 1, #all, 2 do
    call('HSETNX', 'work:leases', all[i], (string.match(all[i + 1], '^(%d+) ') or '0') .. ':0:10000')
  end
end

local due = move_due()
if ARGV[2] ~= '1' then return {'OK', due, 0, 0, 0, 0, unreadable, dropped} end
local latest = now + BACKOFF_MAX
local latest_text = string.format('%.6f', latest)
cut_late(latest, latest_text)
local ended = end_backoffs(latest, latest_text)
local decayed = decay()
mend_leases()
local adopted, vanished = rebuild()
return {'OK', due, ended, decayed, adopted, vanished, unreadable, dropped}
