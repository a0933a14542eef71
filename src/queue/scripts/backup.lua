-- backup: everything that must outlive the server, as it stands at one moment.
-- Uses   census
-- KEYS   none; reads all keys of ours but those that are made anew (heartbeats, caches, bells, terms)
-- ARGV   1 keys at most
-- Reply  {TOO_MANY, keys} where there are more, before any is read; else
--        {epoch, generation, the census' reply, key, ttl ms (-1: none), DUMP, key, ttl, DUMP, ...}
local keys = {}
for _, pattern in ipairs({'work:*', 'agent:*', 'agent_lock:*', 'activation:*', 'journal:*', 'memory:*', 'mcp:*'}) do
  for _, key in ipairs(redis.call('KEYS', pattern)) do
    if not string.find(key, '^work:bell:') and key ~= 'work:generation' and key ~= 'work:restored' then
      keys[#keys + 1] = key
    end
  end
end
if #keys > tonumber(ARGV[1]) then return {'TOO_MANY', #keys} end
local reply = {redis.call('GET', 'coordinator:epoch') or '0', redis.call('GET', 'work:generation') or '',
               census()}
for _, key in ipairs(keys) do
  local payload = redis.call('DUMP', key)
  if payload then
    reply[#reply + 1] = key
    reply[#reply + 1] = tostring(redis.call('PTTL', key))
    reply[#reply + 1] = payload
  end
end
return reply
