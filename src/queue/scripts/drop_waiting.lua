-- drop_waiting: take an agent's waiting item out of the queues. Safe to repeat.
-- Uses   base item journal
-- KEYS   none; writes work:queue:* work:deferred work:queued work:stats journal:*
-- ARGV   1 agent id
-- Reply  elements removed
local agent, removed = ARGV[1], 0
local function is_its(element)
  if not string.find(element, agent, 1, true) and not string.find(element, '\\', 1, true) then return false end
  local item = read_item(element)
  if not item or item.agent_id ~= agent then return false end
  if item.work_id then expire_journal(item.work_id) end
  return true
end
for _, lane in ipairs(LANES) do
  for _, element in ipairs(call('LRANGE', lane, 0, -1)) do
    if is_its(element) then removed = removed + call('LREM', lane, 1, element) end
  end
end
for _, element in ipairs(call('ZRANGE', 'work:deferred', 0, -1)) do
  if is_its(element) then removed = removed + call('ZREM', 'work:deferred', element) end
end
count('done', call('HDEL', 'work:queued', agent))
return removed
