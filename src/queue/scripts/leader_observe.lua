-- leader_observe: who leads, as one picture.
-- KEYS   1 coordinator:epoch  2 coordinator:term  3 coordinator:leader
-- ARGV   none
-- Reply  {epoch or 0, holder or empty, seq or 0, instance id or empty, the holder's lease in ms or 0}
local epoch = redis.call('GET', KEYS[1]) or '0'
local term = redis.call('HMGET', KEYS[2], 'holder', 'seq', 'about')
local of, lease, name = string.match(term[3] or '', '^(%d+):(%d+):(.*)$')
if of ~= epoch or (term[1] or '') == '' then lease, name = '0', '' end
return {epoch, term[1] or '', term[2] or '0', redis.call('GET', KEYS[3]) or name, lease}
