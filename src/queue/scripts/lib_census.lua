-- lib_census: where every item of ours is: enqueued = waiting + leased + dead + done.
local function census()
  local stats = redis.call('HMGET', 'work:stats', 'enqueued', 'done')
  local dead = 0
  for _, entry in ipairs(redis.call('LRANGE', 'work:dead', 0, -1)) do
    if string.find(entry, '^{"id": "[^"]*", "kind": "item"') then dead = dead + 1 end
  end
  return {stats[1] or '0', redis.call('HLEN', 'work:queued'), redis.call('HLEN', 'work:leases'), dead,
          stats[2] or '0'}
end
