-- renew: a heartbeat. Keep the leases for one more lease time; register them again after a loss of data.
--
-- KEYS     the shard's prefix
-- ARGV     worker, address, lease_ms, then for each lease: id, pool, tenant, lane, token
-- Reply    for each lease: 'held' | 'cancelled' (held, but its work must end) | 'lost'
-- Repeat   the same

-- In the wait after a loss nothing is granted, so whoever says that it holds the lease does hold it.
local function register(S, worker, id, pool, tenant, lane, token)
  local key = job_key(S.P, id)
  local j = redis.call('HMGET', key, 'place', 'pool', 'tenant')
  if j[1] then
    detach(S, id, j[1], j[2], j[3])
    flush(S, true)
  end
  redis.call('HSET', key, 'pool', pool, 'tenant', tenant, 'lane', lane, 'since_ms', S.now,
    'place', 'running', 'token', token, 'worker', worker, 'granted_ms', S.now, 'changes', 0)
  local t, p = tenant_of(S, tenant), pool_of(S, pool)
  redis.call('SADD', S.P .. 'held:t:' .. tenant, id)
  redis.call('SADD', S.P .. 'held:p:' .. pool, id)
  t.held, p.held = t.held + 1, p.held + 1
  if t.held >= t.slots or is_several(S, tenant) then refresh_tenant(S, t) end
  S.dirty[pool] = true
end

local function renew(keys, argv)
  local lease_ms = tonumber(argv[3])
  local S = begin(keys[1], lease_ms)
  local P, worker, mourning = S.P, argv[1], S.now < math.max(S.opens, S.began + lease_ms)
  local reply, kept = {}, {}
  for i = 4, #argv, 5 do
    local id, token = argv[i], argv[i + 4]
    local j = redis.call('HMGET', job_key(P, id), 'token', 'cancel')
    local verdict = 'held'
    if j[1] ~= token then
      if mourning then register(S, worker, unpack(argv, i, i + 4)) else verdict = 'lost' end
    elseif j[2] then
      verdict = 'cancelled'
    end
    if verdict ~= 'lost' then kept[#kept + 1], kept[#kept + 2] = S.now + lease_ms, id end
    reply[#reply + 1] = verdict
  end
  flush(S)
  call_in_parts('ZADD', P .. 'leases', kept)
  if argv[2] ~= '' then redis.call('SET', P .. 'address:' .. worker, argv[2], 'PX', lease_ms) end
  return reply
end
redis.register_function('NAME_renew', renew)
