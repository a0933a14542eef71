-- lib_claim: taking items. Uses base, item, dead, lease.
local SCAN_MAX = 1000      -- elements looked at in one queue
local UNREADABLE_MAX = 16  -- moved to the dead letters in one call; the rest waits for the next

local function claim_reply(lane, lease, item, fence, generation, lease_ms, activation)
  return {lane, fence, generation, lease.attempt, lease.work, activation, lease_ms, item.agent_id,
          item.agent_name, item.task_type, item.priority, item.inbox_count,
          item.created_text or string.format('%.6f', item.created_at), item.notification_id,
          math.max(0, now - item.created_at) * 1000, #item.history > 0 and history_text(item.history) or ''}
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

-- As many new fences as there are places.
local function new_fences(places)
  call('INCR', 'work:fence')
  local fences = {call('GET', 'work:fence')}
  if places > 1 and #fences[1] <= 15 then
    call('INCRBY', 'work:fence', places - 1)
    for i = 2, places do fences[i] = string.format('%d', tonumber(fences[1]) + i - 1) end
  else
    for i = 2, places do
      call('INCR', 'work:fence')
      fences[i] = call('GET', 'work:fence')
    end
  end
  return fences
end

-- What may be taken now, one item after another: take() answers {lane, element, item} or nil. Nothing
-- is removed but what cannot be read.
local function taking(wanted_type, excluded, any_paused, max_wait, most, unreadable, dropped)
  local taken, lanes = {}, {}
  local self = {found_any = false}

  local function lane_of(i)
    local lane = lanes[i]
    if not lane then
      lane = {name = LANES[i], at = 0, last = -1, size = most, looked = 0}
      lanes[i] = lane
    end
    return lane
  end

  local function is_busy(lane, agent)
    if lane.busy and lane.busy[agent] ~= nil then return lane.busy[agent] end
    return call('HEXISTS', 'work:active', agent) == 1 or call('HEXISTS', 'work:leases', agent) == 1
  end

  local function may_take(lane, item)
    local agent = item.agent_id
    if item.newer or excluded[agent] or taken[agent] or (wanted_type and item.task_type ~= wanted_type)
       or is_busy(lane, agent) then
      return false
    end
    return not any_paused or call('SISMEMBER', 'work:paused', agent) == 0
  end

  -- Our own elements of the other task type are passed over without parsing them.
  local function plainly_unwanted(element)
    if not wanted_type then return false end
    local task_type = string.match(
        element, '^{"agent_id": "[^"\\]*", "agent_name": "[^"\\]*", "task_type": "(%a+)"')
    return (task_type == 'inbox' or task_type == 'discovery') and task_type ~= wanted_type
  end

  -- Where many are wanted, most of the first part will be taken: who is busy is asked once for all.
  local function look_ahead(lane)
    local agents = {}
    lane.items, lane.busy = {}, {}
    for i, element in ipairs(lane.part) do
      local item = read_fresh(element)
      lane.items[i] = item
      if item then agents[#agents + 1] = item.agent_id end
    end
    if #agents == 0 then return end
    local active = call('HMGET', 'work:active', unpack(agents))
    local leased = call('HMGET', 'work:leases', unpack(agents))
    for i, agent in ipairs(agents) do lane.busy[agent] = (active[i] or leased[i]) and true or false end
  end

  -- The next elements from the right; false at the end.
  local function read_part(lane)
    if lane.done or lane.size == 0 then return false end
    lane.part = call('LRANGE', lane.name, lane.last - lane.size + 1, lane.last)
    lane.at = #lane.part
    lane.done = lane.at < lane.size
    lane.last = lane.last - lane.size
    lane.looked = lane.looked + lane.size
    lane.size = math.min(lane.size * 4, SCAN_MAX - lane.looked)
    lane.items = nil
    if lane.at == 0 then return false end
    self.found_any = true
    if most > 1 and not lane.busy then look_ahead(lane) end
    return true
  end

  local function bury(lane, element, reason)
    local id = bury_unreadable(element, reason, dropped)
    call('LREM', lane.name, -1, element)
    lane.last = lane.last + 1
    unreadable[#unreadable + 1] = {id, lane.name, reason, string.sub(element, 1, 200)}
  end

  -- The lane's first element that may be taken, and stays so until it is.
  local function peek(lane)
    while not lane.item or taken[lane.item.agent_id] do
      if lane.item then lane.item, lane.passed = nil, true end
      if lane.at == 0 and not read_part(lane) then return nil end
      local element, item, reason = lane.part[lane.at], lane.items and lane.items[lane.at], nil
      lane.at = lane.at - 1
      if not item and not plainly_unwanted(element) then item, reason = read_item(element) end
      if item and may_take(lane, item) then
        lane.element, lane.item = element, item
      elseif reason and #unreadable < UNREADABLE_MAX then
        bury(lane, element, reason)
      else
        lane.passed = true
      end
    end
    return lane.item
  end

  local function waited_too_long(name)
    local oldest = call('LINDEX', name, -1)
    if not oldest then return false end
    local created = tonumber(string.match(oldest, '"created_at": ?([%d%.]+)') or '0') or 0
    return waited_longer(created, max_wait)
  end
  local aged = max_wait > 0 and (waited_too_long(LANES[2]) or waited_too_long(LANES[3]))

  -- The oldest of those that waited too long, of whichever queue; else the first of the first queue.
  local function choose()
    local chosen
    if aged then
      for i = 1, #LANES do
        local lane = lane_of(i)
        local item = peek(lane)
        if item and waited_longer(item.created_at, max_wait)
           and (not chosen or item.created_at < chosen.item.created_at) then
          chosen = lane
        end
      end
    end
    if chosen then return chosen end
    for i = 1, #LANES do
      if peek(lane_of(i)) then return lanes[i] end
    end
  end

  function self.take()
    local lane = choose()
    if not lane then return nil end
    local item, element = lane.item, lane.element
    taken[item.agent_id] = true
    lane.item = nil
    lane.taken = lane.taken or {}
    lane.taken[#lane.taken + 1] = element
    -- Only what stands in one piece at the right end can be cut off in one go.
    lane.scattered = lane.scattered or lane.passed
    return {lane = lane.name, element = element, item = item}
  end

  function self.remove_taken()
    for _, lane in pairs(lanes) do
      if lane.taken and not lane.scattered then
        call('LTRIM', lane.name, 0, -#lane.taken - 1)
      else
        for _, element in ipairs(lane.taken or {}) do call('LREM', lane.name, -1, element) end
      end
    end
  end
  return self
end

-- ARGV from `at` on: runner id, mode, lease ms, longest wait s (0 = off), started_at, deadline, how
-- many, for each activation id and retry 0|1; then agents to pass over. Nothing there: no claim.
-- Answers {{claim or {} for each}, unreadable elements {id, queue, reason, bytes}, dead letters
-- dropped}.
local function claim(at)
  local runner, mode, lease_ms, max_wait = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3] or '')
  local many = tonumber(ARGV[at + 6] or '0')
  local claims, unreadable, dropped = {}, {}, {}
  local answer = {claims, unreadable, dropped}
  for i = 1, many do claims[i] = {} end
  local generation = many > 0 and string.match(call('GET', 'work:generation') or '', ':(%d+)$')
  if not generation then return answer end
  local open = {}  -- what was not claimed before: its number and activation id
  for i = 1, many do
    local activation, retry = ARGV[at + 5 + 2 * i], ARGV[at + 6 + 2 * i]
    local before = retry == '1' and claimed_before(activation, generation)
    if before then claims[i] = before else open[#open + 1] = {number = i, activation = activation} end
  end
  local any_paused = call('SCARD', 'work:paused') > 0
  if #open == 0 or (any_paused and call('SISMEMBER', 'work:paused', '*') == 1) then return answer end
  local excluded = {}
  for i = at + 7 + 2 * many, #ARGV do excluded[ARGV[i]] = true end
  local wanted_type = ({notification = 'inbox', exploration = 'discovery'})[mode]
  local source = taking(wanted_type, excluded, any_paused, max_wait, #open, unreadable, dropped)
  local taken = {}
  for i = 1, #open do
    taken[i] = source.take()
    if not taken[i] then break end
  end
  if #taken == 0 then
    -- Nothing waits at all: rings that nobody needed would only wake runners in vain.
    if not source.found_any then call('DEL', 'work:bell:inbox', 'work:bell:discovery') end
    return answer
  end

  -- The elements leave their queue last: an error in between (a key of the wrong type) loses nothing.
  local fences = new_fences(#taken)
  local agents, lines, leases, owners, records = {}, {}, {}, {}, {}
  for i, one in ipairs(taken) do
    local item, activation, fence = one.item, open[i].activation, fences[i]
    local agent = item.agent_id
    local lease = {attempt = item.attempt + 1, work = item.work_id or activation}
    local record = '{"agent_id": ' .. js(agent) .. ', "agent_name": ' .. js(item.agent_name)
        .. ', "runner_id": "' .. runner .. '", "task_type": "' .. item.task_type
        .. '", "started_at": "' .. ARGV[at + 4] .. '", "activation_id": "' .. activation
        .. '", "deadline": "' .. ARGV[at + 5] .. '"}'
    agents[i] = agent
    lines[2 * i - 1], lines[2 * i] = agent, fence .. ' ' .. string.format('%d', lease.attempt) .. ' '
        .. one.lane .. ' ' .. runner .. ' ' .. activation .. ' ' .. lease.work .. '\n' .. one.element
    leases[2 * i - 1], leases[2 * i] = agent, fence .. ':0:' .. lease_ms
    owners[2 * i - 1], owners[2 * i] = agent, runner
    local r = 6 * i - 6
    records[r + 1], records[r + 2] = 'agent_lock:' .. agent, runner
    records[r + 3], records[r + 4] = 'agent:activation:' .. agent, record
    records[r + 5], records[r + 6] = 'activation:' .. activation, record
    claims[open[i].number] = claim_reply(one.lane, lease, item, fence, generation, lease_ms, activation)
  end
  call('HSET', 'work:processing', unpack(lines))
  call('HSET', 'work:leases', unpack(leases))
  call('HSET', 'work:active', unpack(owners))
  call('MSET', unpack(records))
  count('enqueued', #taken - call('HDEL', 'work:queued', unpack(agents)))
  source.remove_taken()
  return answer
end
