-- turns: which of its pools a tenant's last free slot is for. Only a tenant that waits in several pools has turns; it is in
-- `several`.
--
-- `turns:<tenant>` has its pools by how long they have waited for one of its slots: since when their line began, or they had
-- one last, or one was kept for them in vain. Where a click came, the time lies below zero: it comes first, but for each
-- BULK_FLOOR-th time. While a tenant has one free slot it is in the ring of the first of them alone. A pool that others
-- keep full has no room at that moment: then the slot is kept for it, for a quarter of the time that the pool has waited.
-- Otherwise the free slot and the free place might never meet. So no pool is passed over for ever, and at most a fifth of
-- one slot's time is lost by it.
local BULK_FLOOR = 5 -- of a tenant's jobs at least one in five is bulk, while it has both
local SHORTEST_KEEP_MS, LONGEST_KEEP_MS = 50, 10000
local KEEP_AGAIN_MS = 1000 -- for the same pool once more, because no other one is open
local CLOSED_MS = 60000 -- so long a pool is not thought of that was closed when a slot was kept for it

local function turns_key(S, tenant) return S.P .. 'turns:' .. tenant end

-- Whether there are tenants in `several` and in `rest` (3_rings): seldom, so both are asked for at once.
local function look_for_rare(S)
  local several, rest = S.P .. 'several', S.P .. 'rest'
  local both = redis.call('EXISTS', several, rest)
  S.some_several = both == 2 or both == 1 and redis.call('EXISTS', several) == 1
  S.some_rest = both == 2 or both == 1 and not S.some_several
end

local function some_several(S)
  if S.some_several == nil then look_for_rare(S) end
  return S.some_several
end

local function is_several(S, tenant)
  if not some_several(S) then return false end
  if S.several[tenant] == nil then S.several[tenant] = redis.call('SISMEMBER', S.P .. 'several', tenant) == 1 end
  return S.several[tenant]
end

-- Who keeps a slot for no pool in particular any more.
local function keep_no_more(S, tenant)
  redis.call('HDEL', S.P .. 'tenant:' .. tenant, 'kept')
  redis.call('ZREM', S.P .. 'kept', tenant)
  S.first.kept = nil
end

local function kept_for(S, tenant) return redis.call('HGET', S.P .. 'tenant:' .. tenant, 'kept') end

-- Its pools wait from now on, but for those of which it is known for how long they do.
local function note_turns(S, tenant, pools)
  local scores = {}
  for _, pool in ipairs(pools) do scores[#scores + 1], scores[#scores + 2] = S.now, pool end
  redis.call('ZADD', turns_key(S, tenant), 'NX', unpack(scores))
  if not is_several(S, tenant) then
    redis.call('SADD', S.P .. 'several', tenant)
    S.some_several, S.several[tenant] = true, true
  end
end

local MOST_POOLS_PER_CALL = 100

local function some_lines(S, tenant)
  local lines = S.lines[tenant] or redis.call('SRANDMEMBER', S.P .. 'lines:' .. tenant, MOST_POOLS_PER_CALL)
  S.lines[tenant] = lines
  return lines
end

local function line_began(S, pool, tenant)
  S.lines[tenant] = nil
  redis.call('SADD', S.P .. 'lines:' .. tenant, pool)
  local pools = is_several(S, tenant) and { pool } or some_lines(S, tenant)
  if #pools > 1 or is_several(S, tenant) then note_turns(S, tenant, pools) end
end

-- It waits in one pool, or in none.
local function forget_turns(S, tenant)
  keep_no_more(S, tenant)
  redis.call('DEL', turns_key(S, tenant))
  redis.call('SREM', S.P .. 'several', tenant)
  S.some_several, S.several[tenant] = nil, false
end

local function line_ended(S, pool, tenant)
  S.lines[tenant] = nil
  redis.call('SREM', S.P .. 'lines:' .. tenant, pool)
  if not is_several(S, tenant) then return end
  local key = turns_key(S, tenant)
  redis.call('ZREM', key, pool)
  S.turned[tenant] = true
  if redis.call('ZCARD', key) < 2 then
    forget_turns(S, tenant)
  elseif kept_for(S, tenant) == pool then
    keep_no_more(S, tenant)
  end
end

local function click_came(S, pool, tenant)
  local since = tonumber(redis.call('ZSCORE', turns_key(S, tenant), pool) or S.now)
  if since >= 0 then redis.call('ZADD', turns_key(S, tenant), since - INTERACTIVE, pool) end
end

local function had_slot(S, pool, tenant)
  local first = redis.call('ZRANGE', line_key(S.P, pool, tenant), 0, 0, 'WITHSCORES')
  local is_click = first[2] and tonumber(first[2]) < 0
  redis.call('ZADD', turns_key(S, tenant), is_click and S.now - INTERACTIVE or S.now, pool)
  if kept_for(S, tenant) == pool then keep_no_more(S, tenant) end
  S.turned[tenant] = true
end

-- The pool that the tenant's only free slot is for, and since when it waits. Nothing: any of them may have it.
local function next_pool(S, t)
  if t.slots - t.held ~= 1 or not is_several(S, t.name) then return nil end
  local key, first = turns_key(S, t.name), nil
  if t.streak >= BULK_FLOOR - 1 then
    first = redis.call('ZRANGE', key, 0, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  end
  if not first or not first[1] then first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES') end
  if not first[1] then return nil end
  local since = tonumber(first[2])
  return first[1], since < 0 and since + INTERACTIVE or since
end

-- Whether a job of the tenant may be granted in the pool, as far as its slots go.
local function may_have(S, t, pool)
  if t.held >= t.slots then return false end
  local only = next_pool(S, t)
  return not only or only == pool
end

-- A slot was kept for long enough: the next pools are thought of first.
local function keep_in_vain(S, tenant)
  local pool = kept_for(S, tenant)
  keep_no_more(S, tenant)
  S.turned[tenant] = true
  if not pool or not redis.call('ZSCORE', turns_key(S, tenant), pool) then return end
  local is_open = capacity(pool_of(S, pool)) > 0
  redis.call('ZADD', turns_key(S, tenant), is_open and S.now or S.now + CLOSED_MS, pool)
  S.in_vain[tenant] = pool
end
