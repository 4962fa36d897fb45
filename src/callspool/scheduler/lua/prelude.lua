-- prelude: what the operations share. Not an operation itself.
--
-- P is the shard's prefix (KEYS[1] of every function); keys.py lists all keys. Time is the server's.
-- Two things are derived and kept current by refresh_*: a tenant is in its pool's ring while it can run there,
-- a pool is in the ring while it can run anything. So a claim never searches.

local DEFERRALS_PER_CALL = 100 -- bounds the work of one call; what is left over is done by the next

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- When this lifetime of the data began. On empty data it begins now, and nothing is granted for one lease time:
-- workers that still run hold leases that we no longer know, and register them again by their heartbeats.
local function started_ms(P, now)
  local started = redis.call('HGET', P .. 'epoch', 'started_ms')
  if started then return tonumber(started) end
  redis.call('HSET', P .. 'epoch', 'started_ms', now)
  return now
end

local function job_key(P, id) return P .. 'job:' .. id end
local function wait_key(P, pool, tenant, lane) return P .. 'wait:' .. pool .. ':' .. tenant .. ':' .. lane end

local function waiting(P, pool, tenant)
  return redis.call('ZCARD', wait_key(P, pool, tenant, 'interactive'))
    + redis.call('ZCARD', wait_key(P, pool, tenant, 'bulk'))
end

-- Put the pool into the ring, or take it out. A pool without a known limit runs nothing.
local function refresh_pool(P, pool, now)
  local c = redis.call('HMGET', P .. 'pool:' .. pool, 'limit', 'paused', 'until_ms', 'v')
  local can = c[1] and c[2] ~= '1' and tonumber(c[3] or '0') <= now
    and redis.call('ZCARD', P .. 'ring:' .. pool) > 0
    and redis.call('SCARD', P .. 'held:p:' .. pool) < tonumber(c[1])
  if not can then
    redis.call('ZREM', P .. 'ring', pool)
  elseif not redis.call('ZSCORE', P .. 'ring', pool) then
    local clock = tonumber(redis.call('HGET', P .. 'epoch', 'clock') or '0')
    redis.call('ZADD', P .. 'ring', math.max(tonumber(c[4] or '0'), clock), pool)
  end
end

-- Put the tenant into the rings of the pools where it waits, or take it out. Unknown limits run nothing.
-- One that comes back from idleness begins at the pool's clock: it neither owes nor is owed.
local function refresh_tenant(P, tenant, now)
  local c = redis.call('HMGET', P .. 'tenant:' .. tenant, 'slots', 'paused')
  local can = c[1] and c[2] ~= '1'
    and redis.call('SCARD', P .. 'held:t:' .. tenant) < tonumber(c[1])
  for _, pool in ipairs(redis.call('SMEMBERS', P .. 'pools:' .. tenant)) do
    local ring = P .. 'ring:' .. pool
    local has = waiting(P, pool, tenant) > 0
    if not has then redis.call('SREM', P .. 'pools:' .. tenant, pool) end
    if not (can and has) then
      redis.call('ZREM', ring, tenant)
    elseif not redis.call('ZSCORE', ring, tenant) then
      local v = tonumber(redis.call('HGET', P .. 'tenant:' .. tenant, 'v:' .. pool) or '0')
      local clock = tonumber(redis.call('HGET', P .. 'pool:' .. pool, 'clock') or '0')
      redis.call('ZADD', ring, math.max(v, clock), tenant)
    end
    refresh_pool(P, pool, now)
  end
end

-- Put a job on its tenant's backlog. It keeps its place in the line if it had one.
local function enqueue(P, id, now)
  local j = redis.call('HMGET', job_key(P, id), 'pool', 'tenant', 'lane', 'seq')
  local seq = j[4] or redis.call('INCR', P .. 'seq')
  redis.call('HSET', job_key(P, id), 'place', 'waiting', 'seq', seq)
  redis.call('HDEL', job_key(P, id), 'token', 'worker', 'again')
  redis.call('ZADD', wait_key(P, j[1], j[2], j[3]), seq, id)
  redis.call('SADD', P .. 'pools:' .. j[2], j[1])
  refresh_tenant(P, j[2], now)
end

-- Take a job out of wherever it is, but leave its hash. Its slot, if it had one, is free after this.
local function detach(P, id, now)
  local j = redis.call('HMGET', job_key(P, id), 'pool', 'tenant', 'lane')
  local pool, tenant = j[1], j[2]
  redis.call('ZREM', wait_key(P, pool, tenant, 'interactive'), id)
  redis.call('ZREM', wait_key(P, pool, tenant, 'bulk'), id)
  redis.call('ZREM', P .. 'due', id)
  redis.call('SREM', P .. 'off:' .. tenant, id)
  redis.call('ZREM', P .. 'leases', id)
  redis.call('SREM', P .. 'held:t:' .. tenant, id)
  redis.call('SREM', P .. 'held:p:' .. pool, id)
  -- Both: the pool may have been full, and the tenant may have nothing more waiting in this one.
  refresh_tenant(P, tenant, now)
  refresh_pool(P, pool, now)
end

local function defer(P, id, delay, now)
  redis.call('HSET', job_key(P, id), 'place', 'deferred')
  redis.call('HDEL', job_key(P, id), 'token', 'worker', 'again')
  redis.call('ZADD', P .. 'due', now + delay, id)
  redis.call('SADD', P .. 'off:' .. redis.call('HGET', job_key(P, id), 'tenant'), id)
end

-- Let what has come due happen: dead workers' leases, deferrals, pauses.
local function tick(P, now)
  for _, id in ipairs(redis.call('ZRANGE', P .. 'leases', '-inf', now, 'BYSCORE', 'LIMIT', 0, DEFERRALS_PER_CALL)) do
    local cancelled = redis.call('HGET', job_key(P, id), 'cancel')
    detach(P, id, now)
    if cancelled then redis.call('DEL', job_key(P, id)) else enqueue(P, id, now) end
  end
  for _, id in ipairs(redis.call('ZRANGE', P .. 'due', '-inf', now, 'BYSCORE', 'LIMIT', 0, DEFERRALS_PER_CALL)) do
    detach(P, id, now)
    enqueue(P, id, now)
  end
  for _, pool in ipairs(redis.call('ZRANGE', P .. 'paused', '-inf', now, 'BYSCORE', 'LIMIT', 0, DEFERRALS_PER_CALL)) do
    redis.call('ZREM', P .. 'paused', pool)
    refresh_pool(P, pool, now)
  end
end

local function wake(P, worker, why)
  redis.call('RPUSH', P .. 'wake:' .. worker, why)
  redis.call('PEXPIRE', P .. 'wake:' .. worker, 60000) -- a worker that is gone leaves nothing behind
end

-- Wake up to `most` waiting workers while something can run. Each that comes wakes the next one if need be.
local function wake_idle(P, most, now)
  while most > 0 and redis.call('EXISTS', P .. 'ring') == 1 do
    local idle = redis.call('ZPOPMIN', P .. 'idle')
    if not idle[1] then return end
    if tonumber(idle[2]) > now then
      wake(P, idle[1], 'work')
      most = most - 1
    end
  end
end

-- Is the job where its hash says? It cannot be otherwise, unless data was lost or a defect put it so.
local function in_place(P, id)
  local j = redis.call('HMGET', job_key(P, id), 'place', 'pool', 'tenant', 'lane')
  if j[1] == 'waiting' then return redis.call('ZSCORE', wait_key(P, j[2], j[3], j[4]), id) end
  if j[1] == 'deferred' then return redis.call('ZSCORE', P .. 'due', id) end
  return redis.call('ZSCORE', P .. 'leases', id)
end

local function new_job(P, id, pool, tenant, lane, now)
  redis.call('HSET', job_key(P, id), 'pool', pool, 'tenant', tenant, 'lane', lane, 'since_ms', now)
end
