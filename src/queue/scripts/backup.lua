-- backup: everything that must outlive the server, as it stands at one moment.
-- Uses   census
-- KEYS   none; reads all keys of ours but those that are made anew (heartbeats, caches, bells, terms)
-- ARGV   none
-- Reply  {epoch, generation, the census' reply, key, ttl ms (-1: none), DUMP, key, ttl, DUMP, ...}
local reply = {redis.call('GET', 'coordinator:epoch') or '0', redis.call('GET', 'work:generation') or '',
               census()}
for _, pattern in ipairs({'work:*', 'agent:*', 'agent_lock:*', 'activation:*', 'journal:*', 'memory:*', 'mcp:*'}) do
  for _, key in ipairs(redis.call('KEYS', pattern)) do
    if not string.find(key, '^work:bell:') and key ~= 'work:generation' and key ~= 'work:restored' then
      local payload = redis.call('DUMP', key)
      if payload then
        reply[#reply + 1] = key
        reply[#reply + 1] = tostring(redis.call('PTTL', key))
        reply[#reply + 1] = payload
      end
    end
  end
end
return reply
