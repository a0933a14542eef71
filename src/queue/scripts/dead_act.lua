-- dead_act: give a dead letter another chance, or clear it. Safe to repeat: the second call finds
-- nothing.
-- Uses   base item dead
-- KEYS   none; writes work:dead work:stats, and for retry work:queue:* work:queued work:bell:*
--        agent:tries:*
-- ARGV   1 retry|clear  2 id, * with clear = all
-- Reply  number cleared | QUEUED | NOT_FOUND | DUP_QUEUED (the agent waits already) |
--        DUP_ACTIVE (it is running) | UNREADABLE
local clear = ARGV[1] == 'clear'
if clear and ARGV[2] == '*' then
  local all = call('LRANGE', 'work:dead', 0, -1)
  for _, entry in ipairs(all) do count_cleared(entry) end
  call('DEL', 'work:dead')
  return #all
end

local function find_entry()
  local start = '{"id": ' .. js(ARGV[2]) .. ','
  for first = 0, DEAD_MAX, 500 do
    for _, entry in ipairs(call('LRANGE', 'work:dead', first, first + 499)) do
      if string.sub(entry, 1, #start) == start then return entry end
    end
  end
end
local entry = find_entry()
if clear then
  if not entry then return 0 end
  count_cleared(entry)
  return call('LREM', 'work:dead', 1, entry)
end
if not entry then return 'NOT_FOUND' end

local ok, fields = pcall(cjson.decode, entry)
local item, element
if ok and fields.kind == 'item' then
  local old = string.match(entry, ', "item": (.*)}$')
  item = old and read_item(old)
  element = item and not item.newer and stamped(old, item, item.work_id or '', 0, {})
elseif ok and fields.kind == 'notification' then
  item = {agent_id = fields.agent_id, agent_name = fields.agent_name, task_type = 'inbox',
          priority = 'high', inbox_count = 1, created_at = now,
          notification_id = fields.notification_id}
  element = plain_head(item) .. '}'
end
if not element then return 'UNREADABLE' end
if call('HEXISTS', 'work:queued', item.agent_id) == 1 then return 'DUP_QUEUED' end
-- Its activation may be handed back, and then two elements would wait.
if call('HEXISTS', 'work:leases', item.agent_id) == 1 or call('HEXISTS', 'work:active', item.agent_id) == 1 then
  return 'DUP_ACTIVE'
end
if fields.kind == 'notification' then
  count('enqueued', 1)
  call('DEL', 'agent:tries:' .. item.agent_id .. ':' .. item.notification_id)
end
call('RPUSH', 'work:queue:' .. item.priority, element)
note_waiting(item.agent_id, item)
call('LREM', 'work:dead', 1, entry)
ring(item.task_type)
return 'QUEUED'
