-- leave: a worker stops. Nobody wakes it any more; wake-ups that it did not hear wake others.
--
-- KEYS     the shard's prefix
-- ARGV     worker
-- Reply    'ok'
-- Repeat   the same
local function leave_workers(keys, argv)
  local S, list = begin(keys[1]), keys[1] .. 'wake:' .. argv[1]
  redis.call('ZREM', S.P .. 'idle', argv[1])
  local unheard = redis.call('LLEN', list)
  redis.call('DEL', list)
  wake_idle(S, unheard)
  return 'ok'
end
redis.register_function('NAME_leave', leave_workers)
