-- lib_base: what the scripts share. Put in front of those that say `uses base`.
-- There is no cluster, so scripts name their keys themselves; many depend on the data anyway.
local call = redis.call
local LANES = {'work:queue:high', 'work:queue:normal', 'work:queue:low'}
local RANK = {high = 1, normal = 2, low = 3}
local BACKOFF_MAX = 3600
local clock = call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local now_text = string.format('%s.%06d', clock[1], tonumber(clock[2]))

-- Whether something has waited for longer than `most` seconds since then. A time more than an hour
-- ahead tells that the clock was set back meanwhile: nobody waits until it has caught up.
local function waited_longer(since, most)
  return now - since > most or since - now > BACKOFF_MAX
end

-- A JSON string. Slashes stay as they are: cjson would write \/.
local function js(text)
  -- Nothing to escape in most. Ranges match several times faster than %c and the like; the class is
  -- all that is printable but " and \.
  if string.match(text, '^[]-~ !#-[\128-\255]*$') then return '"' .. text .. '"' end
  return (string.gsub(cjson.encode(text), '\\/', '/'))
end

-- RFC 3339 in UTC with milliseconds; always 24 bytes, so that such texts compare as times do.
local function rfc3339(seconds)
  local whole = math.floor(seconds)
  local day = math.floor(whole / 86400)
  local rest = whole - day * 86400
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
                          - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month,
                       doy - math.floor((153 * mp + 2) / 5) + 1, math.floor(rest / 3600),
                       math.floor(rest / 60) % 60, rest % 60, math.floor((seconds - whole) * 1000))
end

-- Cut to at most `bytes`, never inside a UTF-8 sequence.
local function cut(text, bytes)
  if #text <= bytes then return text end
  while bytes > 0 and string.find(string.sub(text, bytes + 1, bytes + 1), '^[\128-\191]') do
    bytes = bytes - 1
  end
  return string.sub(text, 1, bytes)
end

local function count(what, by)
  if by ~= 0 then call('HINCRBY', 'work:stats', what, by) end
end

-- Wakes one idle runner of the kind.
local function ring(task_type)
  local bell = task_type == 'discovery' and 'work:bell:discovery' or 'work:bell:inbox'
  call('LPUSH', bell, '1')
  call('LTRIM', bell, 0, 63)
end
