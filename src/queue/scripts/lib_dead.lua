-- lib_dead: the dead letters. Uses base, item.
local DEAD_MAX = 10000

local function base64(bytes)
  local letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  local pair = {}
  for i = 0, 4095 do
    local high, low = math.floor(i / 64) + 1, i % 64 + 1
    pair[i] = string.sub(letters, high, high) .. string.sub(letters, low, low)
  end
  local out = {}
  for i = 1, #bytes - 2, 3 do
    local a, b, c = string.byte(bytes, i, i + 2)
    out[#out + 1] = pair[a * 16 + math.floor(b / 16)] .. pair[(b % 16) * 256 + c]
  end
  local left = #bytes % 3
  if left == 1 then
    out[#out + 1] = pair[string.byte(bytes, -1) * 16] .. '=='
  elseif left == 2 then
    local a, b = string.byte(bytes, -2, -1)
    out[#out + 1] = pair[a * 16 + math.floor(b / 16)] .. string.sub(pair[(b % 16) * 256], 1, 1) .. '='
  end
  return table.concat(out)
end

-- One entry leaves the dead letters for good.
local function count_cleared(entry)
  if string.find(entry, '^{"id": "[^"]*", "kind": "item"') then count('done', 1) end
end

-- Adds an entry; what falls out at the far end is appended to `dropped`, whole.
local function bury(entry, dropped)
  local length = call('LPUSH', 'work:dead', entry)
  while length > DEAD_MAX do
    local last = call('RPOP', 'work:dead')
    count_cleared(last)
    dropped[#dropped + 1] = last
    length = length - 1
  end
end

local function bury_item(id, element, agent_id, agent_name, reason, attempts, history, dropped)
  bury(string.format('{"id": %s, "kind": "item", "agent_id": %s, "agent_name": %s, "reason": %s,'
                     .. ' "attempts": %.0f, "history": %s, "at": "%s", "item": %s}', js(id),
                     js(agent_id), js(agent_name), js(reason), attempts, history_text(history),
                     rfc3339(now), element), dropped)
end

-- Answers the new entry's id.
local function bury_unreadable(bytes, reason, dropped)
  local id = string.sub(redis.sha1hex(now_text .. bytes), 1, 32)
  bury(string.format('{"id": "%s", "kind": "unreadable", "agent_id": "", "reason": %s, "attempts": 0,'
                     .. ' "history": [], "at": "%s", "raw_base64": "%s"}', id, js(reason),
                     rfc3339(now), base64(bytes)), dropped)
  return id
end
