-- moves: a job into and out of the places where it can be: its line, the deferred ones, a worker's hands.

-- To the end of its line, or to the place that it had. Where others wait already nothing else changes, but for a click.
local function enqueue(S, id, pool, tenant, lane, seq)
  local P = S.P
  local line = line_key(P, pool, tenant)
  local is_click = lane == 'interactive'
  redis.call('ZADD', line, is_click and seq - INTERACTIVE or seq, id)
  local is_first = redis.call('ZCARD', line) == 1
  if is_first then line_began(S, pool, tenant) end
  if not is_first and not is_click then return end
  if is_several(S, tenant) then
    if is_click then click_came(S, pool, tenant) end
    S.turned[tenant] = true
  end
  if not is_first then return end
  local t = tenant_of(S, tenant)
  if may_have(S, t, pool) then
    join(S, pool, t)
  else
    set_full(S, tenant, true)
  end
end

-- The order of arrival: read once, written back by `flush`.
local function next_seq(S)
  S.seq = (S.seq or tonumber(redis.call('GET', S.P .. 'seq') or '0')) + 1
  return S.seq
end

-- Back on its tenant's backlog. It keeps its place in the line if it had one.
local function enqueue_again(S, id)
  local key = job_key(S.P, id)
  local j = redis.call('HMGET', key, 'pool', 'tenant', 'lane', 'seq')
  local seq = tonumber(j[4]) or next_seq(S)
  redis.call('HSET', key, 'place', 'waiting', 'seq', seq)
  redis.call('HDEL', key, 'token', 'worker', 'again', 'cancel')
  enqueue(S, id, j[1], j[2], j[3], seq)
end

local function leave_line(S, id, pool, tenant)
  local line = line_key(S.P, pool, tenant)
  redis.call('ZREM', line, id)
  if redis.call('EXISTS', line) == 0 then
    line_ended(S, pool, tenant)
    if redis.call('EXISTS', S.P .. 'lines:' .. tenant) == 0 then set_full(S, tenant, false) end
    leave(S, pool, tenant)
  end
end

local function defer(S, id, tenant, delay)
  local key = job_key(S.P, id)
  redis.call('HSET', key, 'place', 'deferred')
  redis.call('HDEL', key, 'token', 'worker', 'again')
  redis.call('ZADD', S.P .. 'due', S.now + delay, id)
  S.first.due = nil
  redis.call('SADD', S.P .. 'off:' .. tenant, id)
end

local function undefer(S, id, tenant)
  redis.call('ZREM', S.P .. 'due', id)
  S.first.due = nil
  redis.call('SREM', S.P .. 'off:' .. tenant, id)
end

local function add_to(lists, name, id)
  local list = lists[name] or {}
  lists[name] = list
  list[#list + 1] = id
end

-- Free the slot of a job that runs: `flush` does it, for all of a tenant at once.
local function release(S, id, pool, tenant)
  S.released[#S.released + 1] = id
  add_to(S.unheld, pool, id)
  add_to(S.freed, tenant, id)
end

-- Take a job out of its place, but leave its hash.
local function detach(S, id, place, pool, tenant)
  if place == 'running' then
    release(S, id, pool, tenant)
  elseif place == 'deferred' then
    undefer(S, id, tenant)
  else
    leave_line(S, id, pool, tenant)
  end
end

local function due(S, name)
  if first_of(S, name) > S.now then return {} end
  return redis.call('ZRANGE', S.P .. name, '-inf', S.now, 'BYSCORE', 'LIMIT', 0, MOST_DUE_PER_CALL)
end

-- Leases that have run out: none in the wait of a new lifetime. After it, those too that end later than any can that was
-- renewed in it: they are of a time when the clock was ahead.
local function expired_leases(S)
  if S.now < S.opens then return {} end
  local expired = due(S, 'leases')
  if S.is_young and #expired < MOST_DUE_PER_CALL then
    local most = MOST_DUE_PER_CALL - #expired
    local ahead = redis.call('ZRANGE', S.P .. 'leases', '(' .. (S.now + S.longest), '+inf', 'BYSCORE', 'LIMIT', 0, most)
    for _, id in ipairs(ahead) do expired[#expired + 1] = id end
    if #ahead < most then redis.call('HDEL', S.P .. 'epoch', 'young') end
  end
  return expired
end

-- Let what has come due happen: dead workers' leases, deferrals, ends of pauses.
local function tick(S)
  local P = S.P
  local expired = expired_leases(S)
  for _, id in ipairs(expired) do
    local j = redis.call('HMGET', job_key(P, id), 'pool', 'tenant', 'cancel', 'again')
    if j[1] then release(S, id, j[1], j[2]) else S.released[#S.released + 1] = id end
    if not j[1] or (j[3] and not j[4]) then S.ended[#S.ended + 1] = job_key(P, id) else enqueue_again(S, id) end
  end
  local returned = due(S, 'due')
  for _, id in ipairs(returned) do
    local tenant = redis.call('HGET', job_key(P, id), 'tenant')
    undefer(S, id, tenant or '')
    if tenant then enqueue_again(S, id) end
  end
  for _, pool in ipairs(due(S, 'paused')) do
    redis.call('ZREM', P .. 'paused', pool)
    S.first.paused = nil
    redis.call('HDEL', P .. 'pool:' .. pool, 'until_ms')
    local p = pool_of(S, pool)
    p.closed = p.is_paused
    S.dirty[pool] = true
  end
  if some_several(S) then
    for _, tenant in ipairs(due(S, 'kept')) do keep_in_vain(S, tenant) end
  end
  refresh_rest(S)
  return #expired + #returned
end
