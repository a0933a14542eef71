-- lib_item: reading and writing elements. Uses base.

-- True for well-formed UTF-8 (no overlong forms, no surrogates).
local function is_utf8(text)
  if string.match(text, '^[%z\1-\127]*$') then return true end
  for _, sequence in ipairs({'[\194-\223][\128-\191]', '\224[\160-\191][\128-\191]',
                             '[\225-\236\238\239][\128-\191][\128-\191]',
                             '\237[\128-\159][\128-\191]',
                             '\240[\144-\191][\128-\191][\128-\191]',
                             '[\241-\243][\128-\191][\128-\191][\128-\191]',
                             '\244[\128-\143][\128-\191][\128-\191]'}) do
    text = string.gsub(text, sequence, ' ')
  end
  return not string.find(text, '[\128-\255]')
end

local function whole_number(value, least, most)
  if type(value) ~= 'number' or value ~= math.floor(value) or value < least or value > most then
    return nil
  end
  return value
end

local function plain_id(value)
  return type(value) == 'string' and #value <= 128 and string.find(value, '^[%w%._%-]+$') and value
end

local function name_like(value)
  return type(value) == 'string' and value ~= '' and #value <= 256
         and not string.find(value, '[%z\1-\31\127]')
end

-- An element as enqueue writes it, fresh and in plain ASCII, read by one match. Nil for every other.
local function read_fresh(element)
  local id, name, task_type, priority, count, created = string.match(element,
      '^{"agent_id": "([]-~ !#-[]+)", "agent_name": "([]-~ !#-[]+)", "task_type": "([a-z]+)",'
      .. ' "priority": "([a-z]+)", "inbox_count": ([0-9]+), "created_at": ([1-9][0-9]*%.[0-9]+)}$')
  if not id or #id > 256 or #name > 256 or #count > 15 or #created > 20 or not RANK[priority]
     or (task_type ~= 'inbox' and task_type ~= 'discovery') or string.find(count, '^0.') then
    return nil
  end
  return {newer = false, agent_id = id, agent_name = name, task_type = task_type, priority = priority,
          inbox_count = tonumber(count), created_at = tonumber(created), created_text = created,
          notification_id = '', attempt = 0, history = {}, is_stamped = false}
end

-- The item of an element, or nil and why it cannot be read. `newer` marks one of a later version.
local function read_item(element)
  local fresh = read_fresh(element)
  if fresh then return fresh end
  if #element > 1048576 then return nil, 'larger than 1 MiB' end
  if not is_utf8(element) then return nil, 'not UTF-8' end
  local ok, raw = pcall(cjson.decode, element)
  if not ok then return nil, 'not JSON' end
  if type(raw) ~= 'table' or not string.find(element, '^%s*{') then return nil, 'not a JSON object' end
  -- A later version is not ours to judge or to claim, but to give back when its runner died.
  local newer = type(raw.v) == 'number' and raw.v > 1
  if not newer then
    if not name_like(raw.agent_id) then return nil, 'agent_id is missing or no name' end
    if not name_like(raw.agent_name) then return nil, 'agent_name is missing or no name' end
    if raw.task_type ~= 'inbox' and raw.task_type ~= 'discovery' then
      return nil, 'task_type is neither inbox nor discovery'
    end
  end
  local created = raw.created_at
  if type(created) ~= 'number' or created ~= created or created < 0 or created > 1e11 then created = now end
  local history = {}
  if type(raw.history) == 'table' then
    for i = math.max(1, #raw.history - 19), #raw.history do
      if type(raw.history[i]) == 'table' then history[#history + 1] = raw.history[i] end
    end
  end
  return {
    newer = newer, agent_id = name_like(raw.agent_id) and raw.agent_id or nil,
    agent_name = name_like(raw.agent_name) and raw.agent_name or '',
    task_type = raw.task_type == 'discovery' and 'discovery' or 'inbox',
    priority = type(raw.priority) == 'string' and RANK[raw.priority] and raw.priority or 'normal',
    inbox_count = whole_number(raw.inbox_count, 0, 1e15) or 0, created_at = created,
    notification_id = name_like(raw.notification_id) and raw.notification_id or '',
    work_id = plain_id(raw.work_id) or nil, attempt = whole_number(raw.attempt, 0, 1e6) or 0,
    history = history,
    is_stamped = raw.work_id ~= nil or raw.attempt ~= nil or raw.history ~= nil,
  }
end

local function history_text(history)
  local entries = {}
  for i, crash in ipairs(history) do
    local fields = {}
    for j, field in ipairs({'activation_id', 'runner_id', 'at', 'reason'}) do
      local value = crash[field]
      fields[j] = '"' .. field .. '": ' .. js(type(value) == 'string' and cut(value, 500) or '')
    end
    entries[i] = '{' .. table.concat(fields, ', ') .. '}'
  end
  return '[' .. table.concat(entries, ', ') .. ']'
end

-- The six fields of every item, without the closing brace.
local function plain_head(item)
  local head = string.format('{"agent_id": %s, "agent_name": %s, "task_type": "%s", "priority": "%s",'
                             .. ' "inbox_count": %.0f, "created_at": %.6f', js(item.agent_id),
                             js(item.agent_name), item.task_type, item.priority, item.inbox_count,
                             item.created_at)
  if item.notification_id ~= '' then
    head = head .. ', "notification_id": ' .. js(item.notification_id)
  end
  return head
end

-- What stands before our own work_id, attempt and history at the end of an element; without its
-- closing brace. Fields of other producers stay as they wrote them. Nothing for a later version that
-- writes these three otherwise.
local function head_of(element, item)
  if not item.is_stamped then return string.match(element, '^(.*)}%s*$') end
  local head, rest = string.match(element, '^(.*), "work_id": "[%w%._%-]*", "attempt": %d+(.*)}$')
  if head and (rest == '' or string.find(rest, '^, "history": %[.*%]$')) then return head end
  return not item.newer and plain_head(item) or nil
end

-- The element as it goes back into a queue.
local function stamped(element, item, work_id, attempt, history)
  local head = head_of(element, item)
  if not head then return element end
  local text = string.format('%s, "work_id": "%s", "attempt": %.0f', head, work_id, attempt)
  if #history > 0 then text = text .. ', "history": ' .. history_text(history) end
  return text .. '}'
end

-- Writes down that an element of the agent waits. The census counts agents: a second element, which
-- only another producer can have pushed, counts as done until it is claimed.
local function note_waiting(agent, item)
  if call('HSET', 'work:queued', agent, item.priority .. ':' .. item.task_type) == 0 then
    count('done', 1)
  end
end
