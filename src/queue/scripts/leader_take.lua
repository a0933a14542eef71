-- leader_take: become leader if nothing moved since it was looked at.
-- Safe to repeat: a second call finds this incarnation one epoch on and answers it again.
-- KEYS   1 coordinator:epoch  2 coordinator:term  3 coordinator:leader
-- ARGV   1 epoch seen  2 seq seen  3 holder seen  4 incarnation  5 instance id
--        6 its lease in ms, 0 = unsaid
-- Reply  the new epoch | nil (something moved)
local epoch = redis.call('GET', KEYS[1]) or '0'
local term = redis.call('HMGET', KEYS[2], 'holder', 'seq')
local holder, seq = term[1] or '', term[2] or '0'
if holder == ARGV[4] and epoch == string.format('%.0f', ARGV[1] + 1) then return epoch end
if epoch ~= ARGV[1] or seq ~= ARGV[2] or holder ~= ARGV[3] then return false end
redis.call('INCR', KEYS[1])
-- Who it is, of which epoch: `coordinator:leader` ends by itself, and other versions write no such line.
redis.call('HSET', KEYS[2], 'holder', ARGV[4], 'seq', '0', 'about',
  string.format('%.0f:%s:%s', ARGV[1] + 1, ARGV[6] or '0', ARGV[5]))
redis.call('SET', KEYS[3], ARGV[5], 'EX', 30)
return redis.call('GET', KEYS[1])
