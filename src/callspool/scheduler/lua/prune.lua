-- prune: forget pools and tenants that are no more, where nothing of theirs is left. What is left comes to its end first.
--
-- KEYS     the shard's prefix
-- ARGV     number of pools, pools, number of tenants, tenants; then those tenants that stay: their virtual times in these
--          pools go
-- Reply    how many were forgotten
-- Repeat   0

-- Returns nil where something is left, or how many were known by this name.
local function prune_pool(P, pool)
  -- A job that runs would write into the hash at its end; a tenant in the ring would come back with the next slot.
  if redis.call('EXISTS', P .. 'held:p:' .. pool, P .. 'ring:' .. pool) > 0 then return nil end
  redis.call('DEL', P .. 'pool:' .. pool)
  redis.call('ZREM', P .. 'paused', pool)
  return redis.call('SREM', P .. 'pools', pool)
end

local function prune_tenant(P, tenant)
  if redis.call('EXISTS', P .. 'held:t:' .. tenant, P .. 'lines:' .. tenant, P .. 'off:' .. tenant) > 0 then return 0 end
  redis.call('DEL', P .. 'tenant:' .. tenant)
  redis.call('HDEL', P .. 'rest', tenant)
  redis.call('DEL', P .. 'turns:' .. tenant) -- an older library leaves them
  redis.call('SREM', P .. 'several', tenant)
  return redis.call('SREM', P .. 'tenants', tenant)
end

local function prune(keys, argv)
  local P, pools = begin(keys[1]).P, tonumber(argv[1])
  local tenants, forgotten, times = tonumber(argv[pools + 2]), 0, {}
  for i = 2, pools + 1 do
    local known = prune_pool(P, argv[i])
    if known then times[#times + 1] = 'v:' .. argv[i] end
    forgotten = forgotten + (known or 0)
  end
  for i = pools + 3, pools + tenants + 2 do
    forgotten = forgotten + prune_tenant(P, argv[i])
  end
  for i = pools + tenants + 3, #argv do
    if #times > 0 then redis.call('HDEL', P .. 'tenant:' .. argv[i], unpack(times)) end
  end
  return forgotten
end
redis.register_function('NAME_prune', prune)
