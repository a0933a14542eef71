-- generation_set: begin a new life of the data; fences count from 0 again.
-- Safe to repeat: a second call finds the new value and leaves the counter alone.
-- KEYS   1 coordinator:epoch  2 work:generation  3 work:fence
-- ARGV   1 epoch  2 value seen, empty = missing  3 new value
-- Reply  OK | CHANGED
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'CHANGED' end
local value = redis.call('GET', KEYS[2]) or ''
if value == ARGV[3] then return 'OK' end
if value ~= ARGV[2] then return 'CHANGED' end
redis.call('SET', KEYS[3], '0')
redis.call('SET', KEYS[2], ARGV[3])
return 'OK'
