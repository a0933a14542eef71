-- lib_journal: how a journal ends. Uses base.

local JOURNAL_KEPT = 86400

-- Appends the last lines, if there is a journal at all: work that ended before it did anything has
-- none.
local function close_journal(work, text)
  local lines = 'journal:' .. work
  if text == '' or call('EXISTS', lines) == 0 then return end
  for line in string.gmatch(text, '[^\n]+') do call('RPUSH', lines, line) end
end

-- For people, a day longer: the work is done or dead.
local function expire_journal(work)
  local lines = 'journal:' .. work
  if call('EXPIRE', lines, JOURNAL_KEPT) == 1 then call('EXPIRE', lines .. ':blobs', JOURNAL_KEPT) end
end
