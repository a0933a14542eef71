-- renew: say that activations are alive.
-- Uses   base lease
-- KEYS   none; reads work:processing activation:*, writes work:leases
-- ARGV   for each lease: agent id, activation id, fence
-- Reply  OK | CANCELLED (activation:{id} was deleted) | LOST (another owner, or none) for each
local replies = {}
for i = 1, #ARGV, 3 do
  local agent, activation = ARGV[i], ARGV[i + 1]
  local reply = 'LOST'
  if owned(agent, activation, ARGV[i + 2]) then
    local fence, renewals, lease_ms =
        string.match(call('HGET', 'work:leases', agent) or '', '^(%d+):(%d+):(%d+)$')
    if call('EXISTS', 'activation:' .. activation) == 0 then
      reply = 'CANCELLED'
    elseif fence == ARGV[i + 2] then
      call('HSET', 'work:leases', agent, string.format('%s:%.0f:%s', fence, renewals + 1, lease_ms))
      reply = 'OK'
    end
  end
  replies[#replies + 1] = reply
end
return replies
