-- lib_claim: taking an item. Uses base, item, dead, lease.
local SCAN_MAX = 1000      -- elements looked at in one queue
local UNREADABLE_MAX = 16  -- moved to the dead letters in one call; the rest waits for the next

local function claim_reply(lane, lease, item, fence, generation, lease_ms, activation)
  return {lane, fence, generation, string.format('%.0f', lease.attempt), lease.work, activation,
          lease_ms, item.agent_id, item.agent_name, item.task_type, item.priority,
          string.format('%.0f', item.inbox_count), string.format('%.6f', item.created_at),
          item.notification_id, string.format('%.0f', math.max(0, now - item.created_at) * 1000),
          history_text(item.history)}
end

-- Compared as text: Lua's numbers are exact only to 2^53.
local function above(counter, other)
  return #counter > #other or (#counter == #other and counter > other)
end

-- What this activation took before, when its answer was lost.
local function claimed_before(activation, generation)
  local record = call('GET', 'activation:' .. activation)
  local ok, fields = pcall(cjson.decode, record or '')
  if not ok or type(fields) ~= 'table' or type(fields.agent_id) ~= 'string' then return nil end
  local agent = fields.agent_id
  local lease = lease_of(agent)
  if not lease or lease.activation ~= activation then return nil end
  local item = read_item(lease.element)
  local value = call('HGET', 'work:leases', agent)
  if not item or not value then return nil end
  -- A counter that was not given out in this generation would stand above its fences to come. The
  -- first answer was not read, so a new fence takes nothing from anybody.
  if above(lease.fence, call('GET', 'work:fence') or '0') then
    call('INCR', 'work:fence')
    lease.fence = call('GET', 'work:fence')
    local rest = string.match(call('HGET', 'work:processing', agent), '^%S+( .*)$')
    call('HSET', 'work:processing', agent, lease.fence .. rest)
    value = lease.fence .. ':0:' .. (string.match(value, ':(%d+)$') or '10000')
    call('HSET', 'work:leases', agent, value)
  end
  return claim_reply(lease.lane, lease, item, lease.fence, generation,
                     string.match(value, ':(%d+)$') or '10000', activation)
end

-- ARGV from `at` on: runner id, mode, lease ms, activation id, retry, longest wait s (0 = off),
-- started_at, deadline, then agents to pass over.
-- Answers {claim or {}, unreadable elements {id, queue, reason, bytes}, dead letters dropped}.
local function claim(at)
  local runner, mode, lease_ms, activation = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local max_wait = tonumber(ARGV[at + 5])
  local unreadable, dropped = {}, {}
  local generation = string.match(call('GET', 'work:generation') or '', ':(%d+)$')
  if not generation then return {{}, unreadable, dropped} end
  if ARGV[at + 4] == '1' then
    local before = claimed_before(activation, generation)
    if before then return {before, unreadable, dropped} end
  end
  local any_paused = call('SCARD', 'work:paused') > 0
  if any_paused and call('SISMEMBER', 'work:paused', '*') == 1 then return {{}, unreadable, dropped} end
  local excluded = {}
  for i = at + 8, #ARGV do excluded[ARGV[i]] = true end
  local wanted = ({notification = 'inbox', exploration = 'discovery'})[mode]
  local found_any = false

  local function may_take(item)
    if item.newer or excluded[item.agent_id] or (wanted and item.task_type ~= wanted) then return false end
    if call('HEXISTS', 'work:active', item.agent_id) == 1 then return false end
    if call('HEXISTS', 'work:leases', item.agent_id) == 1 then return false end
    return not any_paused or call('SISMEMBER', 'work:paused', item.agent_id) == 0
  end

  -- Our own elements of the other task type are passed over without parsing them.
  local function plainly_unwanted(element)
    if not wanted then return false end
    local task_type = string.match(
        element, '^{"agent_id": "[^"\\]*", "agent_name": "[^"\\]*", "task_type": "(%a+)"')
    return (task_type == 'inbox' or task_type == 'discovery') and task_type ~= wanted
  end

  -- The first element from the right that may be taken, and its item.
  local function scan(lane)
    local last, size, looked = -1, 4, 0
    while looked < SCAN_MAX do
      local part = call('LRANGE', lane, last - size + 1, last)
      local removed = 0
      for i = #part, 1, -1 do
        found_any = true
        local element = part[i]
        if not plainly_unwanted(element) then
          local item, reason = read_item(element)
          if item and may_take(item) then return element, item end
          if not item and #unreadable < UNREADABLE_MAX then
            local id = bury_unreadable(element, reason, dropped)
            call('LREM', lane, -1, element)
            removed = removed + 1
            unreadable[#unreadable + 1] = {id, lane, reason, string.sub(element, 1, 200)}
          end
        end
      end
      if #part < size then return nil end
      looked = looked + size
      last = last - size + removed
      size = math.min(size * 4, SCAN_MAX - looked)
    end
    return nil
  end

  local function waited_too_long(lane)
    local oldest = call('LINDEX', lane, -1)
    if not oldest then return false end
    local created = tonumber(string.match(oldest, '"created_at": ?([%d%.]+)') or '0') or 0
    return waited_longer(created, max_wait)
  end

  local lane, element, item
  if max_wait > 0 and (waited_too_long(LANES[2]) or waited_too_long(LANES[3])) then
    -- The oldest of those that waited too long, of whichever queue.
    for _, candidate in ipairs(LANES) do
      local its_element, its_item = scan(candidate)
      if its_item and waited_longer(its_item.created_at, max_wait)
         and (not item or its_item.created_at < item.created_at) then
        lane, element, item = candidate, its_element, its_item
      end
    end
  end
  if not item then
    for _, candidate in ipairs(LANES) do
      lane = candidate
      element, item = scan(lane)
      if item then break end
    end
  end
  if not item then
    -- Nothing waits at all: rings that nobody needed would only wake runners in vain.
    if not found_any then call('DEL', 'work:bell:inbox', 'work:bell:discovery') end
    return {{}, unreadable, dropped}
  end

  -- The element leaves its queue last: an error in between (a key of the wrong type) loses nothing.
  call('INCR', 'work:fence')
  local fence = call('GET', 'work:fence')
  local agent = item.agent_id
  local lease = {attempt = item.attempt + 1, work = item.work_id or activation}
  local record = string.format(
      '{"agent_id": %s, "agent_name": %s, "runner_id": "%s", "task_type": "%s", "started_at": "%s",'
      .. ' "activation_id": "%s", "deadline": "%s"}', js(agent), js(item.agent_name), runner,
      item.task_type, ARGV[at + 6], activation, ARGV[at + 7])
  call('HSET', 'work:processing', agent, string.format('%s %.0f %s %s %s %s\n%s', fence, lease.attempt,
       lane, runner, activation, lease.work, element))
  call('HSET', 'work:leases', agent, fence .. ':0:' .. lease_ms)
  call('HSET', 'work:active', agent, runner)
  call('MSET', 'agent_lock:' .. agent, runner, 'agent:activation:' .. agent, record,
       'activation:' .. activation, record)
  if call('HDEL', 'work:queued', agent) == 0 then count('enqueued', 1) end
  call('LREM', lane, -1, element)
  return {claim_reply(lane, lease, item, fence, generation, lease_ms, activation), unreadable, dropped}
end
