-- hand_back: end a lease without an outcome; the item waits again and no attempt is counted.
-- Safe to repeat: a second call finds no lease.
-- Uses   base item lease journal
-- KEYS   none; writes what claim wrote, work:dirty work:outbox work:queue:* work:deferred work:queued
--        work:bell:* work:stats journal:*
-- ARGV   1 agent id  2 activation id  3 fence  4 reason (drain, fenced: right end; no_executor: left
--        end)  5 defer s, > 0: into work:deferred  6 outbox key or empty  7 outbox entry
--        8 last lines of the journal, or empty
-- Reply  OK | NOT_OWNER
local agent, defer = ARGV[1], tonumber(ARGV[5])
local lease = owned(agent, ARGV[2], ARGV[3])
if not lease then return 'NOT_OWNER' end
local item = read_item(lease.element)
local element = stamped(lease.element, item, lease.work, math.max(0, lease.attempt - 1), item.history)
remove_lease(agent, lease.activation)
call('HDEL', 'work:dirty', agent)
put_outbox(ARGV[6], ARGV[7])
close_journal(lease.work, ARGV[8])
-- It waits where it was taken from, also if its own priority field names another queue.
item.priority = string.match(lease.lane, '(%a+)$')
note_waiting(agent, item)
if defer > 0 then
  call('ZADD', 'work:deferred', string.format('%.6f', now + math.min(defer, BACKOFF_MAX)), element)
else
  call(ARGV[4] == 'no_executor' and 'LPUSH' or 'RPUSH', lease.lane, element)
  ring(item.task_type)
end
return 'OK'
