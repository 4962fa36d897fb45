-- cancel: forget a job; one that runs keeps its slot until its worker has stopped.
--
-- KEYS     the shard's prefix
-- ARGV     id
-- Reply    where it was: 'waiting' | 'deferred' | 'running' | 'unknown'
-- Repeat   'unknown', or 'running' again
local function cancel(keys, argv)
  local S, id = begin(keys[1]), argv[1]
  local key = job_key(S.P, id)
  local j = redis.call('HMGET', key, 'place', 'worker', 'pool', 'tenant')
  if not j[1] then return 'unknown' end
  if j[1] == 'running' then
    redis.call('HSET', key, 'cancel', '1')
    redis.call('HDEL', key, 'again')
    wake(S.P, j[2], 'cancel')
  else
    detach(S, id, j[1], j[3], j[4])
    redis.call('DEL', key)
    flush(S)
  end
  return j[1]
end
redis.register_function('NAME_cancel', cancel)
