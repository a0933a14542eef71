-- bury_notification: put a notification that was begun too often into the dead letters, once.
-- Safe to repeat: its id is looked for among the newest thousand.
-- Uses   base item dead
-- KEYS   none; writes work:dead work:stats
-- ARGV   1 agent id  2 agent name  3 notification id  4 reason  5 tries
-- Reply  {1 buried | 0 was there, id, {dead letters dropped…}}
local id = 'n-' .. string.sub(redis.sha1hex(ARGV[1] .. '\n' .. ARGV[3]), 1, 30)
local start = '{"id": "' .. id .. '"'
for _, entry in ipairs(call('LRANGE', 'work:dead', 0, 999)) do
  if string.sub(entry, 1, #start) == start then return {0, id, {}} end
end
local dropped = {}
bury(string.format('%s, "kind": "notification", "agent_id": %s, "agent_name": %s,'
                   .. ' "notification_id": %s, "reason": %s, "attempts": %s, "history": [],'
                   .. ' "at": "%s"}', start, js(ARGV[1]), js(ARGV[2]), js(ARGV[3]),
                   js(cut(ARGV[4], 500)), ARGV[5], rfc3339(now)), dropped)
return {1, id, dropped}
