-- lib_lease: what a claim wrote, and how an agent is held off. Uses base.

-- The claim under way of an agent, or nil.
local function lease_of(agent)
  local line = call('HGET', 'work:processing', agent)
  if not line then return nil end
  local fence, attempt, lane, runner, activation, work, element =
      string.match(line, '^([^ ]+) ([0-9]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ \n]+)\n(.*)$')
  if not fence then return nil end
  return {fence = fence, attempt = tonumber(attempt), lane = lane, runner = runner,
          activation = activation, work = work, element = element}
end

-- The lease, if it is this activation's.
local function owned(agent, activation, fence)
  local lease = lease_of(agent)
  if lease and lease.fence == fence and lease.activation == activation then return lease end
  return nil
end

-- Fence, activation id and work id of a line of work:processing.
local function owner_of(line)
  return string.match(line or '', '^([^ ]+) [^ ]+ [^ ]+ [^ ]+ ([^ ]+) ([^ \n]+)\n')
end

local function remove_lease(agent, activation)
  call('HDEL', 'work:active', agent)
  call('HDEL', 'work:leases', agent)
  call('HDEL', 'work:processing', agent)
  call('DEL', 'agent_lock:' .. agent, 'agent:activation:' .. agent, 'activation:' .. activation)
end

local function backoff_after(failures)
  if failures < 5 then return 0 end
  if failures > 11 then return BACKOFF_MAX end
  return math.min(60 * 2 ^ (failures - 5), BACKOFF_MAX)
end

-- Counts a failure and answers how many there are in a row.
local function count_failure(agent, least)
  local failures = redis.pcall('HINCRBY', 'work:failures', agent, 1)
  if type(failures) ~= 'number' or failures < least then
    failures = least
    call('HSET', 'work:failures', agent, least)
  end
  return failures
end

-- Holds the agent off; a later end that stands already stays. Answers the seconds from now.
local function hold_off(agent, seconds)
  if seconds <= 0 then return 0 end
  local till = now + math.min(seconds, BACKOFF_MAX)
  local before = tonumber(call('HGET', 'work:backoff', agent) or '')
  if before and before > till then till = math.min(before, now + BACKOFF_MAX) end
  call('HSET', 'work:backoff', agent, string.format('%.6f', till))
  return till - now
end

local function held_off(agent)
  local till = tonumber(call('HGET', 'work:backoff', agent) or '')
  return till ~= nil and till > now
end

-- The last failure or hold-off, for people. failed_at keeps the time of the last failure when a
-- hold-off comes after it: failures decay 24 h after it.
local function note_why(agent, outcome, reason, failed)
  local failed_at = ''
  if failed then
    failed_at = rfc3339(now)
  else
    local before = call('HGET', 'work:why', agent)
    failed_at = before and string.match(before, '"failed_at": "([^"]*)"') or ''
  end
  local text = string.format('{"at": "%s", "outcome": %s, "reason": %s', rfc3339(now), js(outcome),
                             js(cut(reason, 200)))
  if failed_at ~= '' then text = text .. string.format(', "failed_at": "%s"', failed_at) end
  call('HSET', 'work:why', agent, text .. '}')
end

local function put_outbox(key, entry)
  if key ~= '' then call('HSET', 'work:outbox', key, entry) end
end
