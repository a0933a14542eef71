-- lib_journal: how a journal ends. Uses base.

-- Seconds, as the runner that wrote last has it in JOURNAL_KEPT; whoever ends work may have no such setting.
local KEPT_KEY = 'work:journal_kept'

-- Appends the last lines, if there is a journal at all: work that ended before it did anything has
-- none.
local function close_journal(work, text)
  local lines = 'journal:' .. work
  if text == '' or call('EXISTS', lines) == 0 then return end
  for line in string.gmatch(text, '[^\n]+') do call('RPUSH', lines, line) end
end

-- For people, a while longer: the work is done or dead.
local function expire_journal(work)
  local lines = 'journal:' .. work
  if call('EXISTS', lines) == 0 then return end
  local kept = call('GET', KEPT_KEY) or 86400
  call('EXPIRE', lines, kept)
  call('EXPIRE', lines .. ':blobs', kept)
end
