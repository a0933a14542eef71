-- heartbeat: write a runner's heartbeat and answer the one before. Safe to repeat.
-- KEYS   1 runner:heartbeat:{runner id}
-- ARGV   1 heartbeat  2 seconds it lasts
-- Reply  the heartbeat before | nil
local before = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return before
