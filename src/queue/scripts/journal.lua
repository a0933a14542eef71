-- journal: append lines to the journal of the work an activation holds.
-- Safe to repeat: lines that stand there already are not written again.
-- Uses   base lease
-- KEYS   none; writes journal:{work_id} journal:{work_id}:blobs work:journal_kept
-- ARGV   1 agent id  2 activation id  3 fence  4 number of the first line  5 most lines  6 count of
--        lines, the lines, then for each payload stored apart: number of its line, bytes; last, the
--        seconds that the journal is kept once the work has ended
-- Reply  OK | LOST (another owner, or none) | FULL
local lease = owned(ARGV[1], ARGV[2], ARGV[3])
if not lease then return 'LOST' end
local lines = 'journal:' .. lease.work
local first, lines_max, count = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local have = call('LLEN', lines)
-- Only the owner writes, and it numbers on from what it found: so many lines are its own call.
if have >= first + count then return 'OK' end
if have + count > lines_max then return 'FULL' end
for i = 1, count do call('RPUSH', lines, ARGV[6 + i]) end
local blobs = lines .. ':blobs'
for i = 7 + count, #ARGV - 1, 2 do call('HSET', blobs, ARGV[i], ARGV[i + 1]) end
-- Work that was dead comes back by an operator's retry, and then its journal stays.
if first == 0 then call('SET', 'work:journal_kept', ARGV[#ARGV]) end
call('PERSIST', lines)
call('PERSIST', blobs)
return 'OK'
