-- leader_observe: who leads, as one picture.
-- KEYS   1 coordinator:epoch  2 coordinator:term  3 coordinator:leader
-- ARGV   none
-- Reply  {epoch or 0, holder or empty, seq or 0, instance id or empty}
local term = redis.call('HMGET', KEYS[2], 'holder', 'seq')
return {redis.call('GET', KEYS[1]) or '0', term[1] or '', term[2] or '0', redis.call('GET', KEYS[3]) or ''}
