-- enqueue: let agents wait for a runner, each at most once.
-- Safe to repeat: a second call finds the agent waiting. The first write needs memory, so a full
-- server refuses the whole call.
-- Uses   base item
-- KEYS   none; reads coordinator:epoch work:paused work:active work:leases work:backoff, writes
--        work:queue:* work:queued work:deferred work:dirty work:stats work:bell:*
-- ARGV   1 epoch, - = an operator  2 force 0|1  3 mark 0|1, then for each item: agent id, priority,
--        task type, element up to created_at, created_at or empty = now, rest of the element
-- Reply  one of ENQUEUED UPGRADED DUP_ACTIVE DUP_QUEUED BACKOFF PAUSED STALE_LEADER for each item
local force, mark = ARGV[2] == '1', ARGV[3] == '1'
local replies = {}
if ARGV[1] ~= '-' and call('GET', 'coordinator:epoch') ~= ARGV[1] then
  for _ = 4, #ARGV, 6 do replies[#replies + 1] = 'STALE_LEADER' end
  return replies
end
local fleet_paused = call('SISMEMBER', 'work:paused', '*') == 1

-- Elements of a queue by agent, made at the first need: one pass serves every upgrade of the call.
local indexes = {}
local function waiting_element(lane, agent)
  if not indexes[lane] then
    local index = {}
    for _, element in ipairs(call('LRANGE', lane, 0, -1)) do
      local name = string.match(element, '^{"agent_id": "([^"\\]*)", ')
      if not name then
        local item = read_item(element)
        name = item and item.agent_id
      end
      if name then index[name] = element end
    end
    indexes[lane] = index
  end
  return indexes[lane][agent]
end

-- The new item in the place of the old one: how long it waited, and what happened to it, stays.
local function merged(old, new_element)
  local before, after = read_item(old), read_item(new_element)
  if not before or before.newer then return new_element end
  after.created_at = math.min(before.created_at, after.created_at)
  local head = plain_head(after)
  if before.work_id or before.attempt > 0 then
    return stamped(head .. '}', after, before.work_id or '', before.attempt, before.history)
  end
  return head .. '}'
end

local function upgrade(agent, old_priority, priority, task_type, element)
  local old_lane, lane = 'work:queue:' .. old_priority, 'work:queue:' .. priority
  local old = waiting_element(old_lane, agent)
  if old then
    call('LPUSH', lane, merged(old, element))
    call('LREM', old_lane, -1, old)
    indexes[old_lane][agent] = nil
  else
    for _, deferred in ipairs(call('ZRANGE', 'work:deferred', 0, -1)) do
      local item = read_item(deferred)
      if item and item.agent_id == agent then old = deferred break end
    end
    if not old then return false end
    call('ZADD', 'work:deferred', call('ZSCORE', 'work:deferred', old), merged(old, element))
    call('ZREM', 'work:deferred', old)
  end
  call('HSET', 'work:queued', agent, priority .. ':' .. task_type)
  ring(task_type)
  return true
end

local function keep_as_dirty(agent, priority, element)
  local before = call('HGET', 'work:dirty', agent)
  local item = before and read_item(before)
  if not item or item.newer or RANK[priority] <= RANK[item.priority] then
    call('HSET', 'work:dirty', agent, element)
  end
end

local function enqueue(agent, priority, task_type, element)
  if not force and (fleet_paused or call('SISMEMBER', 'work:paused', agent) == 1) then return 'PAUSED' end
  local has_lease = call('HEXISTS', 'work:leases', agent) == 1
  if has_lease or call('HEXISTS', 'work:active', agent) == 1 then
    if mark and has_lease then keep_as_dirty(agent, priority, element) end
    return 'DUP_ACTIVE'
  end
  local vanished = false
  local waiting = call('HGET', 'work:queued', agent)
  if waiting then
    local old_priority = string.match(waiting, '^(%a+):')
    if not RANK[old_priority] or RANK[priority] >= RANK[old_priority] then return 'DUP_QUEUED' end
    if upgrade(agent, old_priority, priority, task_type, element) then return 'UPGRADED' end
    -- Another program took it from the list: this one is new.
    vanished = true
  end
  local till = call('HGET', 'work:backoff', agent)
  if till and not force and (tonumber(till) or 0) > now then return 'BACKOFF' end
  call('LPUSH', 'work:queue:' .. priority, element)
  call('HSET', 'work:queued', agent, priority .. ':' .. task_type)
  count('enqueued', 1)
  if vanished then count('done', 1) end
  if till and (tonumber(till) or 0) <= now then call('HDEL', 'work:backoff', agent) end
  ring(task_type)
  return 'ENQUEUED'
end

for i = 4, #ARGV, 6 do
  local created = ARGV[i + 4] ~= '' and ARGV[i + 4] or now_text
  replies[#replies + 1] = enqueue(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] .. created .. ARGV[i + 5])
end
return replies
