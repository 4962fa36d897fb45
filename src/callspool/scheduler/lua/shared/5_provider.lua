-- provider: what a pool learns from how its jobs went. Two things, both kept with the pool, so that all workers
-- share them and a restart forgets nothing:
--
-- The window, the limit in force, between 1 and the limit that was set. It is halved on "slow down", shrinks by a
-- tenth when answers take four times as long as they can, and grows by one for each window's worth of good jobs.
-- The circuit. Five failures in a row open it: the pool rests, longer each time; then one job alone may try, and
-- how that ends decides. Refused credentials open it at once.
-- A job that was granted before the last such change says nothing about the time after it: a job bears the number of
-- changes that there were. (Times would not do: a millisecond holds many turns, and the clock may go back.)

local FAILURES_TO_OPEN = 5
local FIRST_REST_MS, LONGEST_REST_MS = 5000, 300000
local SHRINK_EVERY_MS = 1000
local FASTEST_LASTS_MS = 10000

-- Retries of failed jobs may be a fifth of the good ones, and twenty at once; past that they wait at least a minute.
local MOST_RETRIES, RETRIES_PER_GOOD = 20, 0.2
local NO_RETRIES_WAIT_MS = 60000

local function pause_pool(S, p, pause_ms, cause)
  local until_ms = math.max(S.now + pause_ms, tonumber(redis.call('HGET', p.key, 'until_ms') or '0'))
  redis.call('HSET', p.key, 'until_ms', until_ms, 'cause', cause)
  redis.call('ZADD', S.P .. 'paused', until_ms, p.name)
  S.first.paused = nil
  p.closed = true
  S.dirty[p.name] = true
end

local function note_change(S, p)
  p.changes = redis.call('HINCRBY', p.key, 'changes', 1)
  redis.call('HSET', p.key, 'changed_ms', S.now)
end

local function open_circuit(S, p, rest_ms, cause)
  p.probing = true
  note_change(S, p)
  redis.call('HSET', p.key, 'probing', '1')
  redis.call('HDEL', p.key, 'failures')
  pause_pool(S, p, rest_ms, cause)
end

local function resize(S, p, window)
  window = math.max(1, window)
  if window >= p.limit then
    p.window = nil
    redis.call('HDEL', p.key, 'window')
  else
    local kept = string.format('%.4f', window)
    p.window = tonumber(kept)
    redis.call('HSET', p.key, 'window', kept)
  end
  S.dirty[p.name] = true
end

-- The fastest after so long without a faster one, but no longer than one that came.
local function aged(base, silent_ms, latency_ms)
  for _ = 1, math.floor((silent_ms - 1) / FASTEST_LASTS_MS) do
    if base >= latency_ms then break end
    base = math.ceil(base * 1.1)
  end
  return math.min(latency_ms, base)
end

local function is_slow(S, p, latency_ms, base, base_at)
  if latency_ms <= 0 then return false end
  if not base or latency_ms < base then
    redis.call('HSET', p.key, 'base_ms', latency_ms, 'base_at', S.now)
  elseif math.abs(S.now - base_at) > FASTEST_LASTS_MS then -- what was possible once may not be any more
    redis.call('HSET', p.key, 'base_ms', aged(base, math.abs(S.now - base_at), latency_ms), 'base_at', S.now)
  end
  return base and latency_ms > 4 * base + 250
end

-- Heed how a job went that was granted after so many changes. Returns the delay of its retry.
local function heed(S, p, signal, latency_ms, changes, pause_ms, delay_ms)
  local c = redis.call('HMGET', p.key, 'failures', 'trips', 'changed_ms', 'base_ms', 'base_at', 'retries')
  local failures, trips, changed = tonumber(c[1] or '0'), tonumber(c[2] or '0'), tonumber(c[3] or '0')
  local retries = tonumber(c[6]) or MOST_RETRIES
  local is_news = changes == p.changes
  if signal == 'ok' then
    if is_news and (p.probing or failures > 0) then
      p.probing = false
      redis.call('HDEL', p.key, 'probing', 'failures', 'trips', 'cause')
      S.dirty[p.name] = true
    end
    if retries < MOST_RETRIES then redis.call('HSET', p.key, 'retries', math.min(MOST_RETRIES, retries + RETRIES_PER_GOOD)) end
    if is_slow(S, p, latency_ms, tonumber(c[4]), tonumber(c[5] or '0')) then
      if is_news and math.abs(S.now - changed) >= SHRINK_EVERY_MS then
        note_change(S, p)
        resize(S, p, (p.window or p.limit) * 0.9)
      end
    elseif p.window and is_news then
      resize(S, p, p.window + 1 / p.window)
    end
  elseif signal == 'throttled' and is_news then
    note_change(S, p)
    resize(S, p, (p.window or p.limit) / 2)
  elseif signal == 'refused' and is_news then
    open_circuit(S, p, pause_ms, signal)
  elseif signal == 'failed' then
    if is_news and (p.probing or failures + 1 >= FAILURES_TO_OPEN) then
      redis.call('HINCRBY', p.key, 'trips', 1)
      open_circuit(S, p, math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ^ math.min(trips, 10)), signal)
    elseif is_news then
      redis.call('HINCRBY', p.key, 'failures', 1)
    end
    redis.call('HSET', p.key, 'retries', math.max(0, retries - 1))
    if retries < 1 and delay_ms > 0 then return math.max(delay_ms, NO_RETRIES_WAIT_MS) end
  end
  return delay_ms
end
