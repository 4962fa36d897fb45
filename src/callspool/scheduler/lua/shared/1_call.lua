-- call: what one call works with. P is the shard's prefix (KEYS[1] of every function); keys.py lists all keys.
--
-- A call reads a tenant's and a pool's figures once, counts on them, and writes back what it gathered with `flush`.
-- Time is the server's. Work is bounded: what is left over by one call is done by the next.

local MOST_DUE_PER_CALL = 100

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A lifetime of the data ends when what it says of leases may be wrong. Another one begins
--   - on empty data;
--   - when the server was restarted, or another one took over or took back: the last writes may be missing;
--   - when the clock went back, or jumped over the end of leases that their holders may well trust: by half a lease
--     or more. Where workers live, calls come far more often than that; where nobody called, it looks the same.
-- Nothing is granted and no lease runs out for one lease time after its beginning. Workers that still run hold leases that
-- we may not know, and register them again by their heartbeats. The longest lease in use counts. A jump in that wait begins
-- the wait again, and no other lifetime: what the data say is as true as before.
local SHORTEST_JUMP_MS = 1000 -- a busy machine is silent for less
local FORGET_LEASE_AFTER = 10 -- times its length: a shorter one is in use now

-- What this server process knows of the shards that it has served. Lost with it, or when a full copy of another
-- server's data replaces its own, which is the point.
local run, replication
local memory = {}

-- What begins with this call: 'lifetime', 'wait' or nothing.
local function begins(S, m, opens, stored_run, stored_replication)
  local began, went, waited = S.began, S.now - m.seen, m.seen < opens
  m.seen = S.now
  if not began or stored_run ~= run or began > S.now then return 'lifetime' end
  if m.is_new and stored_replication and stored_replication ~= replication then return 'lifetime' end
  local half = math.max(m.lease_ms / 2, SHORTEST_JUMP_MS)
  if math.abs(went) <= half then return nil end
  m.lease_at = S.now
  if went < 0 then return 'lifetime' end
  if waited then return 'wait' end -- who holds what is not known yet
  -- Is there a lease that ends before its holder renews again? Not one that was so when this lifetime began: it had its time.
  return redis.call('ZCOUNT', S.P .. 'leases', '(' .. (began + half), S.now + half) > 0 and 'lifetime' or nil
end

-- When grants begin; an older library writes only `began_ms`.
local function opening(began, opens, lease_ms)
  return opens >= began and began > 0 and opens or began + lease_ms
end

-- Put into S: began; opens: grants are made from then on; closed: not while the shard is drained; is_young: the leases of
-- before this lifetime have not been looked through; clock: the pools' virtual time.
local function live(S, lease_ms)
  local key = S.P .. 'epoch'
  if not run then run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') end
  local c = redis.call('HMGET', key, 'began_ms', 'run', 'lease_ms', 'closed', 'young', 'replication', 'opens_ms', 'clock')
  local stored = tonumber(c[3] or '0')
  local m = memory[S.P]
  if not m then
    m = { seen = S.now, lease_ms = stored, lease_at = S.now, is_new = true }
    memory[S.P] = m
    replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
  end
  S.began, S.closed, S.is_young, S.clock = tonumber(c[1]), c[4] == '1', c[5] == '1', tonumber(c[8] or '0')
  local opens = tonumber(c[7] or '0')
  local what = begins(S, m, opening(S.began or 0, opens, m.lease_ms), c[2], c[6])
  if lease_ms and (lease_ms >= m.lease_ms or S.now - m.lease_at > FORGET_LEASE_AFTER * m.lease_ms) then
    m.lease_ms, m.lease_at = lease_ms, S.now
  end
  if what == 'lifetime' then
    S.began, S.is_young, opens = S.now, true, S.now + m.lease_ms
    redis.call('HSET', key, 'began_ms', S.now, 'opens_ms', opens, 'run', run, 'replication', replication,
      'lease_ms', m.lease_ms, 'young', '1')
  elseif what == 'wait' then
    opens = S.now + m.lease_ms
    redis.call('HSET', key, 'opens_ms', opens, 'lease_ms', m.lease_ms)
  elseif stored ~= m.lease_ms or not c[6] then
    -- The first worker is heard of, or one with a longer lease while we wait. Once open it stays so.
    if stored == 0 or S.now < opens then opens = math.max(opens, S.began + m.lease_ms) end
    redis.call('HSET', key, 'opens_ms', opens, 'lease_ms', m.lease_ms, 'replication', replication)
  end
  m.is_new = false
  S.longest = m.lease_ms
  S.opens = opening(S.began, opens, m.lease_ms)
end

-- When this process last noted of a shard that this library is in use. Who brings another one removes the unused.
local NOTE_USE_MS = 3600000
local noted = {}
local function note_use(P, now)
  if noted[P] and math.abs(now - noted[P]) < NOTE_USE_MS then return end
  noted[P] = now
  redis.call('HSET', P .. 'versions', 'NAME', now)
end

local function begin(P, lease_ms)
  local S = {
    P = P, now = now_ms(),
    tenants = {}, pools = {}, full = {}, was_full = {}, lines = {}, several = {}, first = {}, -- read once
    dirty = {}, turned = {}, ended = {}, released = {}, unheld = {}, freed = {}, -- written by `flush`
    to_keep = {}, in_vain = {}, -- tenants that may keep a slot; those that did in vain, for a pool
  }
  note_use(P, S.now)
  live(S, lease_ms)
  return S
end

local function job_key(P, id) return P .. 'job:' .. id end

-- One line for each pool and tenant. Scores are the order of arrival; the interactive lane's lie below zero.
local INTERACTIVE = 2 ^ 52
local function line_key(P, pool, tenant) return P .. 'line:' .. pool .. ':' .. tenant end

local function tenant_of(S, name)
  local t = S.tenants[name]
  if not t then
    local c = redis.call('HMGET', S.P .. 'tenant:' .. name, 'slots', 'weight', 'paused', 'streak')
    t = {
      name = name,
      slots = c[3] ~= '1' and tonumber(c[1] or '0') or 0, -- unknown limits run nothing
      weight = tonumber(c[2] or '1'),
      streak = tonumber(c[4] or '0'),
      held = redis.call('SCARD', S.P .. 'held:t:' .. name),
    }
    S.tenants[name] = t
  end
  return t
end

-- When the first of them ends: what is due, what is paused, leases. Who changes one of them forgets it here.
local function first_of(S, name)
  local first = S.first[name]
  if not first then
    first = tonumber(redis.call('ZRANGE', S.P .. name, 0, 0, 'WITHSCORES')[2] or math.huge)
    S.first[name] = first
  end
  return first
end

local function pool_of(S, name)
  local p = S.pools[name]
  if not p then
    local c = redis.call('HMGET', S.P .. 'pool:' .. name, 'limit', 'paused', 'probing', 'window', 'v', 'clock', 'changes')
    p = {
      name = name, key = S.P .. 'pool:' .. name,
      limit = tonumber(c[1] or '0'), probing = c[3] == '1', window = tonumber(c[4]),
      v = tonumber(c[5] or '0'), clock = tonumber(c[6] or '0'), changes = tonumber(c[7] or '0'),
      held = redis.call('SCARD', S.P .. 'held:p:' .. name),
    }
    p.is_paused = c[2] == '1'
    -- A rest ends with the turn that finds it over, and does not come again when the clock goes back.
    p.closed = p.is_paused or first_of(S, 'paused') < math.huge and redis.call('ZSCORE', S.P .. 'paused', name) ~= false
    S.pools[name] = p
  end
  return p
end

-- How many of its jobs may run at once now.
local function capacity(p)
  if p.closed then return 0 end
  if p.probing then return math.min(p.limit, 1) end
  return p.window and math.min(p.limit, math.floor(p.window)) or p.limit
end

-- Returns the sum of the replies.
local function call_in_parts(command, key, list)
  local sum = 0
  for at = 1, #list, 1000 do sum = sum + redis.call(command, key, unpack(list, at, math.min(at + 999, #list))) end
  return sum
end
