-- call: what one call works with. P is the shard's prefix (KEYS[1] of every function); keys.py lists all keys.
--
-- A call reads a tenant's and a pool's figures once, counts on them, and writes back what it gathered with `flush`.
-- Time is the server's. Work is bounded: what is left over by one call is done by the next.

local MOST_DUE_PER_CALL = 100

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- The shards that this server process has served since it started. Lost with the process, which is the point.
local served = {}

-- When this lifetime of the data began. A new one begins on empty data, and when the server was restarted or a
-- replica took over: the last writes may be missing then. Nothing is granted for one lease time after it; workers
-- that still run hold leases that we may not know, and register them again by their heartbeats.
local function lifetime(P, now)
  local key = P .. 'epoch'
  local began = redis.call('HGET', key, 'began_ms')
  if began and served[P] then return tonumber(began) end
  served[P] = true
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  if began and redis.call('HGET', key, 'run') == run then return tonumber(began) end
  redis.call('HSET', key, 'began_ms', now, 'run', run)
  return now
end

-- When this process last noted of a shard that this library is in use. Who brings another one removes the unused.
local NOTE_USE_MS = 3600000
local noted = {}
local function note_use(P, now)
  if noted[P] and math.abs(now - noted[P]) < NOTE_USE_MS then return end
  noted[P] = now
  redis.call('HSET', P .. 'versions', 'NAME', now)
end

local function begin(P)
  local now = now_ms()
  note_use(P, now)
  return {
    P = P, now = now, began = lifetime(P, now),
    tenants = {}, pools = {}, -- read once
    dirty = {}, ended = {}, released = {}, unheld = {}, -- written by `flush`
  }
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

local function pool_of(S, name)
  local p = S.pools[name]
  if not p then
    local c = redis.call('HMGET', S.P .. 'pool:' .. name, 'limit', 'paused', 'until_ms', 'probing', 'window', 'v', 'clock')
    p = {
      name = name, key = S.P .. 'pool:' .. name,
      limit = tonumber(c[1] or '0'), probing = c[4] == '1', window = tonumber(c[5]),
      v = tonumber(c[6] or '0'), clock = tonumber(c[7] or '0'),
      held = redis.call('SCARD', S.P .. 'held:p:' .. name),
    }
    p.closed = c[2] == '1' or tonumber(c[3] or '0') > S.now
    S.pools[name] = p
  end
  return p
end

-- How many of its jobs may run at once now.
local function capacity(p)
  if p.closed then return 0 end
  if p.probing then return 1 end
  return p.window and math.min(p.limit, math.floor(p.window)) or p.limit
end

local function call_in_parts(command, key, list)
  for at = 1, #list, 1000 do redis.call(command, key, unpack(list, at, math.min(at + 999, #list))) end
end
