-- epoch, open, close, reopen, forget: the lifetime of a shard's data.
--
-- KEYS     the shard's prefix
-- epoch    no ARGV; Reply a number that changes when data was, or may have been, lost, and when a drained shard takes jobs
--          again: then it has to be filled
-- open     no ARGV; Reply 'ok'. Ends the wait of a new lifetime at once, for a caller who knows that no worker can
--          hold a lease; undoes `close` too
-- close    no ARGV; Reply how many jobs run. From here on nothing is taken or granted: the shard is drained
-- reopen   no ARGV; Reply 'ok'. Undoes `close`: jobs are taken and granted again. Whoever calls it knows nothing of leases,
--          so a wait of a new lifetime goes on
-- forget   ARGV most, then tenants; Reply how many waiting or deferred jobs of theirs were dropped (the store
--          knows them all); 0: none is left
-- Repeat   the same; a `reopen` has the shard filled once more
local function epoch(keys)
  local S = begin(keys[1])
  return S.began + tonumber(redis.call('HGET', S.P .. 'epoch', 'refills') or '0')
end
redis.register_function('NAME_epoch', epoch)

local function open(keys)
  local S = begin(keys[1])
  redis.call('HSET', S.P .. 'epoch', 'began_ms', 0, 'opens_ms', 0)
  redis.call('HDEL', S.P .. 'epoch', 'closed', 'retired')
  wake_idle(S, 1000)
  return 'ok'
end
redis.register_function('NAME_open', open)

local function close(keys)
  local S = begin(keys[1])
  redis.call('HSET', S.P .. 'epoch', 'closed', '1')
  tick(S)
  flush(S)
  return redis.call('ZCARD', S.P .. 'leases')
end
redis.register_function('NAME_close', close)

local function reopen(keys)
  local S = begin(keys[1])
  redis.call('HDEL', S.P .. 'epoch', 'closed', 'retired')
  redis.call('HINCRBY', S.P .. 'epoch', 'refills', 1)
  wake_idle(S, 1000)
  return 'ok'
end
redis.register_function('NAME_reopen', reopen)

local function forget(keys, argv)
  local S = begin(keys[1])
  local P, left = S.P, tonumber(argv[1])
  local function drop(ids, place)
    for _, id in ipairs(ids) do
      local j = redis.call('HMGET', job_key(P, id), 'pool', 'tenant')
      detach(S, id, place, j[1], j[2])
      redis.call('DEL', job_key(P, id))
      left = left - 1
    end
  end
  drop(redis.call('ZRANGE', P .. 'due', 0, left - 1), 'deferred')
  for i = 2, #argv do
    -- Any of its pools: those that are emptied are not found again.
    for _, pool in ipairs(left > 0 and redis.call('SRANDMEMBER', P .. 'lines:' .. argv[i], MOST_POOLS_PER_CALL) or {}) do
      if left > 0 then drop(redis.call('ZRANGE', line_key(P, pool, argv[i]), 0, left - 1), 'waiting') end
    end
  end
  flush(S)
  return tonumber(argv[1]) - left
end
redis.register_function('NAME_forget', forget)
