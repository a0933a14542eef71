-- leader_renew: say that the leader lives. A repeat moves seq once more, which harms nobody.
-- KEYS   1 coordinator:epoch  2 coordinator:term  3 coordinator:leader
-- ARGV   1 epoch  2 incarnation  3 instance id
-- Reply  OK | LOST
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], 'holder') ~= ARGV[2] then
  return 'LOST'
end
redis.call('HINCRBY', KEYS[2], 'seq', 1)
redis.call('SET', KEYS[3], ARGV[3], 'EX', 30)
return 'OK'
