-- restore: puts back what backup read. The epoch moves on, so that whoever leads steps down; the
-- generation stays missing, so that nothing is claimed until a leader has compared Redis with the Hub;
-- what was being worked on waits again, uncounted.
-- Safe to repeat: it leaves its id, and does nothing where that stands already.
-- Uses   base item lease
-- KEYS   none; writes the keys that the backup holds, coordinator:epoch coordinator:term
--        coordinator:leader work:generation work:restored
-- ARGV   1 id  2 force (1: what is there goes)  3 epoch of the backup  4... key, ttl ms, DUMP of each
-- Reply  {OK} | {NOT_EMPTY, a key} | {BAD, what the server says}
if call('GET', 'work:restored') == ARGV[1] then return {'OK'} end
local there = {}
for _, pattern in ipairs({'work:*', 'agent:*', 'agent_lock:*', 'activation:*', 'journal:*', 'memory:*', 'mcp:*'}) do
  for _, key in ipairs(call('KEYS', pattern)) do there[#there + 1] = key end
end
if #there > 0 and ARGV[2] ~= '1' then return {'NOT_EMPTY', there[1]} end
-- A server that does not know this form says so before anything is gone.
if ARGV[4] then
  local tried = redis.pcall('RESTORE', 'work:restoring', '0', ARGV[6], 'REPLACE')
  call('DEL', 'work:restoring')
  if type(tried) == 'table' and tried.err then return {'BAD', tried.err} end
end
for _, key in ipairs(there) do call('DEL', key) end
for at = 4, #ARGV, 3 do
  call('RESTORE', ARGV[at], math.max(0, tonumber(ARGV[at + 1])), ARGV[at + 2], 'REPLACE')
end
local epoch = math.max(tonumber(ARGV[3]), tonumber(call('GET', 'coordinator:epoch') or '0'))
call('SET', 'coordinator:epoch', string.format('%d', epoch + 1))
call('DEL', 'coordinator:term', 'coordinator:leader', 'work:generation', 'work:dirty')
for _, agent in ipairs(call('HKEYS', 'work:processing')) do
  local lease = lease_of(agent)
  if lease then
    local item = read_item(lease.element)
    local element = stamped(lease.element, item, lease.work, math.max(0, lease.attempt - 1), item.history)
    remove_lease(agent, lease.activation)
    item.priority = string.match(lease.lane, '(%a+)$')
    note_waiting(agent, item)
    call('RPUSH', lease.lane, element)
  end
end
call('SET', 'work:restored', ARGV[1])
return {'OK'}
