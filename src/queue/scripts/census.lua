-- census: where every item of ours is: enqueued = waiting + leased + dead + done.
-- Uses   census
-- KEYS   none; reads work:stats work:queued work:leases work:dead
-- ARGV   none
-- Reply  {enqueued, waiting, leased, dead items, done}
return census()
