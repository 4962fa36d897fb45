-- locate, load, pool_loads, why: read only.
--
-- KEYS     the shard's prefix
-- locate   ARGV id; Reply the address of the worker that runs it, '' where none does or none is known
-- load     ARGV tenants; Reply for each: slots, running, waiting, deferred, oldest_wait_ms
-- pool_loads  ARGV number of pools, pools, tenants; Reply for each pool: limit (in force), set_limit, paused, until_ms,
--          cause, probing, running, waiting (of these tenants), retries left, now_ms, oldest_wait_ms (of these tenants)
-- why      ARGV id; Reply place, pool, tenant, ahead (in its line), slots (-1: not known), held, pool for which the last free
--          slot is kept, tenant_paused,
--          limit (in force), set_limit (-1: not known), pool_held, pool_paused, until_ms, cause, probing, due_ms, worker,
--          opens_ms, closed, now_ms; of an unknown job only its place and closed
-- Repeat   changes nothing
local function locate(keys, argv)
  local j = redis.call('HMGET', job_key(keys[1], argv[1]), 'place', 'worker')
  return j[1] == 'running' and redis.call('GET', keys[1] .. 'address:' .. j[2]) or ''
end
redis.register_function { function_name = 'NAME_locate', callback = locate, flags = { 'no-writes' } }

-- When the line's longest waiting job came: the first of either lane.
local function oldest_ms(P, line, now)
  local oldest = now
  for _, first in ipairs({
    redis.call('ZRANGE', line, 0, 0)[1] or false,
    redis.call('ZRANGE', line, 0, '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1] or false,
  }) do
    if first then oldest = math.min(oldest, tonumber(redis.call('HGET', job_key(P, first), 'since_ms') or now)) end
  end
  return oldest
end

local function load(keys, argv)
  local P, now, reply = keys[1], now_ms(), {}
  for _, tenant in ipairs(argv) do
    local waiting, oldest = 0, now
    for _, pool in ipairs(redis.call('SMEMBERS', P .. 'lines:' .. tenant)) do
      local line = line_key(P, pool, tenant)
      waiting = waiting + redis.call('ZCARD', line)
      oldest = math.min(oldest, oldest_ms(P, line, now))
    end
    for _, figure in ipairs({
      tonumber(redis.call('HGET', P .. 'tenant:' .. tenant, 'slots') or '0'),
      redis.call('SCARD', P .. 'held:t:' .. tenant),
      waiting,
      redis.call('SCARD', P .. 'off:' .. tenant),
      now - oldest,
    }) do
      reply[#reply + 1] = figure
    end
  end
  return reply
end
redis.register_function { function_name = 'NAME_load', callback = load, flags = { 'no-writes' } }

local function pool_loads(keys, argv)
  local P, n, reply, waiting, oldest = keys[1], tonumber(argv[1]), {}, {}, {}
  local S = { P = P, now = now_ms(), tenants = {}, pools = {}, first = {} }
  for at = 2, n + 1 do waiting[argv[at]], oldest[argv[at]] = 0, S.now end
  for at = n + 2, #argv do
    for _, pool in ipairs(redis.call('SMEMBERS', P .. 'lines:' .. argv[at])) do
      if waiting[pool] then
        local line = line_key(P, pool, argv[at])
        waiting[pool] = waiting[pool] + redis.call('ZCARD', line)
        oldest[pool] = math.min(oldest[pool], oldest_ms(P, line, S.now))
      end
    end
  end
  for at = 2, n + 1 do
    local p = pool_of(S, argv[at])
    local c = redis.call('HMGET', p.key, 'paused', 'until_ms', 'cause', 'retries')
    p.closed = false
    for _, figure in ipairs({
      capacity(p), p.limit, c[1] or '0', tonumber(c[2] or '0'), c[3] or '', p.probing and 1 or 0, p.held,
      waiting[p.name], c[4] or tostring(MOST_RETRIES), S.now, S.now - oldest[p.name],
    }) do
      reply[#reply + 1] = figure
    end
  end
  return reply
end
redis.register_function { function_name = 'NAME_pool_loads', callback = pool_loads, flags = { 'no-writes' } }

local function why(keys, argv)
  local P, id, now = keys[1], argv[1], now_ms()
  local j = redis.call('HMGET', job_key(P, id), 'place', 'pool', 'tenant', 'worker')
  local epoch = redis.call('HMGET', P .. 'epoch', 'opens_ms', 'closed')
  if not j[1] then return { 'unknown', epoch[2] or '0' } end
  local S = { P = P, now = now, tenants = {}, pools = {}, several = {}, first = {} }
  local t, p = tenant_of(S, j[3]), pool_of(S, j[2])
  local tenant = redis.call('HMGET', P .. 'tenant:' .. j[3], 'slots', 'paused')
  local pool = redis.call('HMGET', p.key, 'paused', 'until_ms', 'cause', 'probing', 'limit')
  p.closed = false
  local only = next_pool(S, t)
  return {
    j[1], j[2], j[3],
    redis.call('ZRANK', line_key(P, j[2], j[3]), id) or 0,
    tonumber(tenant[1] or '-1'), t.held, only ~= j[2] and only or '', tenant[2] or '0',
    capacity(p), tonumber(pool[5] or '-1'), p.held, pool[1] or '0', tonumber(pool[2] or '0'), pool[3] or '', pool[4] or '0',
    tonumber(redis.call('ZSCORE', P .. 'due', id) or '0'), j[4] or '', tonumber(epoch[1] or '0'),
    epoch[2] or '0', now,
  }
end
redis.register_function { function_name = 'NAME_why', callback = why, flags = { 'no-writes' } }
