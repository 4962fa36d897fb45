-- rings: who may run. A tenant is in the ring of a pool exactly while it waits there and has a free slot for it; a pool
-- is in the ring exactly while one of its tenants is in its own and it is neither full, paused nor closed. So a claim
-- never searches. Both are ordered by weighted virtual time.

-- One that comes back from idleness begins at the pool's clock: it neither owes nor is owed, but for its last job, by the
-- weight that it has now.
local function join(S, pool, t)
  local ring, clock = S.P .. 'ring:' .. pool, pool_of(S, pool).clock
  local most = clock + 1 / t.weight
  local v = tonumber(redis.call('ZSCORE', ring, t.name) or nil)
  if v then
    if v > most then redis.call('ZADD', ring, most, t.name) end
  else
    v = tonumber(redis.call('HGET', S.P .. 'tenant:' .. t.name, 'v:' .. pool) or '0')
    redis.call('ZADD', ring, math.min(math.max(v, clock), most), t.name)
  end
  pool_of(S, pool).waits = true
  S.dirty[pool] = true
end

local function leave(S, pool, tenant)
  local ring = S.P .. 'ring:' .. pool
  local v = redis.call('ZSCORE', ring, tenant)
  if not v then return end
  redis.call('ZREM', ring, tenant)
  redis.call('HSET', S.P .. 'tenant:' .. tenant, 'v:' .. pool, v)
  pool_of(S, pool).waits = nil
  S.dirty[pool] = true
end

-- Whether some tenant's pools have not all been looked at.
local function some_rest(S)
  if S.some_rest == nil then look_for_rare(S) end
  return S.some_rest
end

-- A tenant may wait in any number of pools, and it joins or leaves all their rings when a slot is freed or the last one is
-- taken. One call looks at so many of them, at random, so that none is always among the last; the next calls go through all,
-- from the cursor in `rest`. Until then a claim that meets a tenant without a free slot passes it over.
local function refresh_those(S, t, pools)
  local can, only = t.held < t.slots, next_pool(S, t)
  for _, pool in ipairs(pools) do
    if can and (not only or pool == only) then join(S, pool, t) else leave(S, pool, t.name) end
  end
  return only
end

-- Find out who of them is in `full`.
local function look_for_full(S, tenants)
  for from = 1, #tenants, 1000 do
    local to = math.min(from + 999, #tenants)
    local found = redis.call('SMISMEMBER', S.P .. 'full', unpack(tenants, from, to))
    for i, is in ipairs(found) do
      local tenant = tenants[from + i - 1]
      if S.full[tenant] == nil then S.full[tenant], S.was_full[tenant] = is == 1, is == 1 end
    end
  end
end

local function is_full(S, tenant)
  if S.full[tenant] == nil then look_for_full(S, { tenant }) end
  return S.full[tenant]
end

-- Written by `flush`: a tenant whose slots are freed and taken again in one call stays where it was.
local function set_full(S, tenant, full)
  if is_full(S, tenant) ~= full then S.full[tenant] = full end
end

-- Its limits changed, or it was full and is not any more, or the other way round, or its last free slot is for another
-- pool. One that waits and has no free slot for all its pools is in `full`, so that a slot that is freed is looked at only
-- where it matters.
local function refresh_tenant(S, t)
  local pools = some_lines(S, t.name)
  if #pools > 1 then
    note_turns(S, t.name, pools) -- an older library knows nothing of them
    S.turned[t.name] = true
  elseif is_several(S, t.name) then
    forget_turns(S, t.name) -- the same
  end
  local only = refresh_those(S, t, pools)
  if only then join(S, only, t) end -- it may not be among those
  if #pools == MOST_POOLS_PER_CALL then
    redis.call('HSET', S.P .. 'rest', t.name, '0')
    S.some_rest = true
  end
  set_full(S, t.name, #pools > 0 and (t.held >= t.slots or only ~= nil))
end

-- Go on with one of those tenants.
local function refresh_rest(S)
  if not some_rest(S) then return end
  local name, cursor = unpack(redis.call('HRANDFIELD', S.P .. 'rest', 1, 'WITHVALUES'))
  local found = redis.call('SSCAN', S.P .. 'lines:' .. name, cursor, 'COUNT', MOST_POOLS_PER_CALL)
  refresh_those(S, tenant_of(S, name), found[2])
  if found[1] ~= '0' then
    redis.call('HSET', S.P .. 'rest', name, found[1])
  else
    redis.call('HDEL', S.P .. 'rest', name)
    S.some_rest = nil
  end
end

local function write_full(S)
  local full, free = {}, {}
  for tenant, is in pairs(S.full) do
    if is ~= S.was_full[tenant] then
      local list = is and full or free
      list[#list + 1] = tenant
    end
    S.was_full[tenant] = is
  end
  call_in_parts('SADD', S.P .. 'full', full)
  call_in_parts('SREM', S.P .. 'full', free)
end

-- Whether somebody is in its ring.
local function some_wait(S, p)
  if p.waits == nil then p.waits = redis.call('EXISTS', S.P .. 'ring:' .. p.name) == 1 end
  return p.waits
end

local function refresh_pool(S, p)
  local P = S.P
  if capacity(p) > p.held and some_wait(S, p) then
    local v = math.max(p.v, S.clock)
    if p.served then redis.call('ZADD', P .. 'ring', v, p.name) else redis.call('ZADD', P .. 'ring', 'NX', v, p.name) end
    S.nothing_can_run = false
  else
    redis.call('ZREM', P .. 'ring', p.name)
  end
  p.served = nil
end

-- Keep a slot, until so long.
local function keep(S, t)
  local pool, since = next_pool(S, t)
  if not pool or kept_for(S, t.name) == pool then return end
  if redis.call('EXISTS', line_key(S.P, pool, t.name)) == 0 then -- an older library emptied it
    line_ended(S, pool, t.name)
    leave(S, pool, t.name)
    refresh_tenant(S, t)
    return keep(S, t)
  end
  local keeps = math.max(SHORTEST_KEEP_MS, math.min(LONGEST_KEEP_MS, math.floor((S.now - since) / 4)))
  if S.in_vain[t.name] == pool then keeps = KEEP_AGAIN_MS end
  redis.call('HSET', S.P .. 'tenant:' .. t.name, 'kept', pool)
  redis.call('ZADD', S.P .. 'kept', S.now + keeps, t.name)
  S.first.kept = nil
end

-- Tenants that wait in several pools, and had a slot there, or a line that began or ended.
local function refresh_turned(S)
  for tenant in pairs(S.turned) do
    local t = tenant_of(S, tenant)
    if t.slots - t.held < 2 or is_full(S, tenant) then refresh_tenant(S, t) end
    S.to_keep[tenant] = true
  end
  S.turned = {}
end

-- The slots of those that were released.
local function free_slots(S)
  if #S.released == 0 then return end
  call_in_parts('ZREM', S.P .. 'leases', S.released)
  S.first.leases = nil
  for pool, ids in pairs(S.unheld) do
    local p = pool_of(S, pool) -- with them counted
    p.held = p.held - call_in_parts('SREM', S.P .. 'held:p:' .. pool, ids)
    S.dirty[pool] = true
  end
  local tenants = {}
  for tenant in pairs(S.freed) do tenants[#tenants + 1] = tenant end
  look_for_full(S, tenants)
  for tenant, ids in pairs(S.freed) do
    local t = S.tenants[tenant]
    local freed = call_in_parts('SREM', S.P .. 'held:t:' .. tenant, ids)
    if t then t.held = t.held - freed end
    if is_full(S, tenant) then
      t = t or tenant_of(S, tenant)
      if t.held < t.slots then refresh_tenant(S, t) end
    end
  end
  S.released, S.unheld, S.freed = {}, {}, {}
end

-- Write what was gathered. `more`: the call goes on.
local function flush(S, more)
  local P = S.P
  free_slots(S)
  refresh_turned(S)
  if not more then
    for tenant in pairs(S.to_keep) do keep(S, tenant_of(S, tenant)) end
    write_full(S)
  end
  if #S.ended > 0 then
    for at = 1, #S.ended, 1000 do redis.call('DEL', unpack(S.ended, at, math.min(at + 999, #S.ended))) end
  end
  if S.seq then redis.call('SET', P .. 'seq', string.format('%.0f', S.seq)) end
  for pool in pairs(S.dirty) do refresh_pool(S, pool_of(S, pool)) end
  S.ended, S.dirty, S.seq = {}, {}, nil
end
