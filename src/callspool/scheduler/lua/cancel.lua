-- cancel: forget a job; one that runs keeps its slot until its worker has stopped.
--
-- ARGV     id
-- Reply    where it was: 'waiting' | 'deferred' | 'running' | 'unknown'
-- Repeat   'unknown', or 'running' again
local function cancel(keys, argv)
  local P, now, id = keys[1], now_ms(), argv[1]
  local j = redis.call('HMGET', job_key(P, id), 'place', 'worker')
  if not j[1] then return 'unknown' end
  if j[1] == 'running' then
    redis.call('HSET', job_key(P, id), 'cancel', '1')
    redis.call('HDEL', job_key(P, id), 'again')
    wake(P, j[2], 'cancel')
  else
    detach(P, id, now)
    redis.call('DEL', job_key(P, id))
  end
  return j[1]
end
redis.register_function('callspool_1_cancel', cancel)
