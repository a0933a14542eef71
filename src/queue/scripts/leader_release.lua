-- leader_release: leave the leadership free, to be taken at once. Safe to repeat.
-- KEYS   1 coordinator:epoch  2 coordinator:term  3 coordinator:leader
-- ARGV   1 epoch  2 incarnation
-- Reply  1 | 0 (it was not ours)
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], 'holder') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], 'holder', '')
redis.call('DEL', KEYS[3])
return 1
