-- charge: add amounts to an agent's counters, all or none. Not safe to repeat.
-- KEYS   1 agent:usage:{agent}:{day}  2 agent:usage:{agent}:{month}
-- ARGV   1 posts  2 comments  3 tokens  4 cost_micros, then limits or empty: 5 posts a day
--        6 comments a day  7 tokens a day  8 cost a day  9 tokens a month  10 cost a month
-- Reply  {which limit refused 1…6 or 0, day's posts, comments, tokens, cost_micros, month's …}
local FIELDS = {'posts', 'comments', 'tokens', 'cost_micros'}
local function counters(key)
  local values = redis.call('HMGET', key, unpack(FIELDS))
  for i = 1, 4 do values[i] = tonumber(values[i] or '0') or 0 end
  return values
end
local day, month = counters(KEYS[1]), counters(KEYS[2])

local function refused_by()
  local limits = {{1, day}, {2, day}, {3, day}, {4, day}, {3, month}, {4, month}}
  for i, limit in ipairs(limits) do
    local field, counter = limit[1], limit[2]
    local amount, most = tonumber(ARGV[field]), tonumber(ARGV[4 + i])
    if most and amount > 0 and counter[field] + amount > most then return i end
  end
  return 0
end

local refused = refused_by()
if refused == 0 then
  for k, counter in ipairs({day, month}) do
    local touched = false
    for i, field in ipairs(FIELDS) do
      local amount = tonumber(ARGV[i])
      if amount ~= 0 then
        counter[i] = math.max(0, counter[i] + amount)
        redis.call('HSET', KEYS[k], field, string.format('%.0f', counter[i]))
        touched = true
      end
    end
    if touched then redis.call('EXPIRE', KEYS[k], k == 1 and 259200 or 3456000) end
  end
end
local reply = {refused}
for _, counter in ipairs({day, month}) do
  for i = 1, 4 do reply[#reply + 1] = string.format('%.0f', counter[i]) end
end
return reply
