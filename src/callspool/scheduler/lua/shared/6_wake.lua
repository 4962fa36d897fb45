-- wake: tell workers that wait. A wake-up is a hint: whoever misses it asks a few seconds later anyway.

local function wake(P, worker, why)
  redis.call('RPUSH', P .. 'wake:' .. worker, why)
  redis.call('PEXPIRE', P .. 'wake:' .. worker, 60000) -- a worker that is gone leaves nothing behind
end

-- Wake up to `most` waiting workers while something can run. Each that comes wakes the next one if need be. Who was heard
-- of last comes first: one that died is heard of no more.
local function wake_idle(S, most)
  if S.nothing_can_run then return end
  while most > 0 and redis.call('EXISTS', S.P .. 'ring') == 1 do
    local idle = redis.call('ZPOPMAX', S.P .. 'idle')
    if not idle[1] or tonumber(idle[2]) <= S.now then return end
    wake(S.P, idle[1], 'work')
    most = most - 1
  end
end
