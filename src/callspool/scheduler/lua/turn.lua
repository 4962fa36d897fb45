-- turn: settle what ended, claim what there is room for, in one step. A slot that a settlement frees is
-- handed to the next job before anyone else can see it free.
--
-- KEYS     the shard's prefix
-- ARGV     request_id, worker, address, lease_ms, room, settlements: a JSON list, each a list of
--          id, token, verdict ('done' | 'defer'), delay_ms, pause_pool_ms,
--          signal ('none' | 'ok' | 'throttled' | 'failed' | 'refused'), latency_ms; instead: '', or the id of a
--          request that its sender gave up: what it was granted, or would be when it still comes, nobody works on
-- Reply    a JSON list: next_due_ms (-1: nothing), then for each lease: id, pool, tenant, lane, token
-- Repeat   the same request id of the same worker gets the same reply, within one lease time
local IDLE_MS = 60000

local function settle(S, given)
  local id, token, verdict, delay, pause, signal, latency = unpack(given)
  local key = job_key(S.P, id)
  local j = redis.call('HMGET', key, 'token', 'pool', 'tenant', 'cancel', 'again', 'changes')
  if j[1] ~= token then return end -- a late worker frees nobody's slot
  local p = pool_of(S, j[2])
  -- One that an older library granted has no number; it is taken for one of now.
  if signal ~= 'none' then delay = heed(S, p, signal, latency, tonumber(j[6]) or p.changes, pause, delay) end
  if pause > 0 and signal ~= 'refused' then pause_pool(S, p, pause, signal) end
  release(S, id, j[2], j[3])
  -- A submit that came after the cancellation has the last word.
  if not j[5] and (j[4] or verdict == 'done') then
    S.ended[#S.ended + 1] = key
  elseif verdict == 'done' or j[5] or delay == 0 then
    if verdict == 'done' then redis.call('HDEL', key, 'seq') end -- a new round waits in line again
    enqueue_again(S, id)
  else
    defer(S, id, j[3], delay)
  end
end

-- Take the next job of a line: interactive before bulk, but every BULK_FLOOR-th turn is bulk's.
local function take(S, t, line)
  if t.streak >= BULK_FLOOR - 1 then
    local id = redis.call('ZRANGE', line, 0, '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
    if id then -- only then: the turn of bulk that waits in another pool has yet to come
      t.streak = 0
      redis.call('HDEL', S.P .. 'tenant:' .. t.name, 'streak')
      redis.call('ZREM', line, id)
      return id, 'bulk'
    end
  end
  local first = redis.call('ZPOPMIN', line)
  if not first[1] then return nil end
  if tonumber(first[2]) >= 0 then return first[1], 'bulk' end
  if is_several(S, t.name) or redis.call('ZCOUNT', line, 0, '+inf') > 0 then
    t.streak = redis.call('HINCRBY', S.P .. 'tenant:' .. t.name, 'streak', 1)
  end
  return first[1], 'interactive'
end

-- Lease the next job of the tenant's line. Returns its id, or nothing.
local function grant(S, p, t, worker, token, reply)
  local P = S.P
  if not may_have(S, t, p.name) then return nil end -- this ring is yet to hear that its last slot is another's
  local id, lane = take(S, t, line_key(P, p.name, t.name))
  if not id then return nil end
  redis.call('HSET', job_key(P, id), 'place', 'running', 'token', token, 'worker', worker, 'granted_ms', S.now,
    'changes', p.changes)
  t.held, p.held = t.held + 1, p.held + 1
  if is_several(S, t.name) then had_slot(S, p.name, t.name) end
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] = id, p.name, t.name, lane, token
  return id
end

-- Find out who still waits in the pool: asked for all of them at once, and one by one only where some do not.
local function look_for_waiting(S, p, tenants)
  local lines = {}
  for i, one in ipairs(tenants) do lines[i] = line_key(S.P, p.name, one.name) end
  for from = 1, #lines, 1000 do
    local to = math.min(from + 999, #lines)
    local left = redis.call('EXISTS', unpack(lines, from, to))
    for i = from, to do
      local one = tenants[i]
      one.waits = left > to - from or left > 0 and redis.call('EXISTS', lines[i]) == 1
      if not one.waits then line_ended(S, p.name, one.name) end
    end
  end
end

-- The first of a pool's ring, as many as can be granted: no other can come before the last of them.
local function read_ring(ring, most)
  local heads, queue = redis.call('ZRANGE', ring, 0, most - 1, 'WITHSCORES'), {}
  for i = 1, #heads, 2 do queue[#queue + 1] = { name = heads[i], v = tonumber(heads[i + 1]) } end
  return queue
end

-- Put a tenant back behind those who come before it.
local function put_back(queue, first, last, one)
  while last >= first and queue[last].v > one.v do
    queue[last + 1] = queue[last]
    last = last - 1
  end
  queue[last + 1] = one
end

-- Serve one pool while it is the first in the ring. Returns the room that is left.
local function serve(S, p, v, rival, worker, request, room, reply, leases)
  local P, ring, most = S.P, S.P .. 'ring:' .. p.name, math.min(room, capacity(p) - p.held)
  local queue, ids, seen, out = read_ring(ring, most), {}, {}, {}
  local first, last = 1, #queue
  local is_whole, others = last < most, false
  while room > 0 and v <= rival and p.held < capacity(p) and first <= last do
    local one = queue[first]
    first = first + 1
    local t = tenant_of(S, one.name)
    if not one.ids then
      one.ids = {}
      seen[#seen + 1] = one
    end
    local id = grant(S, p, t, worker, request .. ':' .. room, reply)
    -- What this ring says of it is not so any more: an older library took one of its slots, or emptied its line.
    if not id and is_several(S, one.name) then S.turned[one.name] = true end
    if id then
      ids[#ids + 1], one.ids[#one.ids + 1] = id, id
      leases[#leases + 1], leases[#leases + 2] = S.now + S.lease_ms, id
      -- Weighted virtual time: each job moves its tenant back by 1 / weight, its pool by 1.
      p.clock, one.v = one.v, one.v + 1 / t.weight
      v, room = v + 1, room - 1
    end
    if id and may_have(S, t, p.name) then -- if nobody waits in its line any more, it gets nothing when it comes again
      put_back(queue, first, last, one)
      last = last + 1
    else
      out[#out + 1] = one
    end
  end
  look_for_waiting(S, p, seen)
  local gone, back = {}, {}
  for at = first, last do
    local one = queue[at]
    if one.waits then
      back[#back + 1], back[#back + 2] = one.v, one.name
    elseif one.ids then
      out[#out + 1] = one
    else
      others = true
    end
  end
  for i, one in ipairs(out) do
    gone[i] = one.name
    redis.call('HSET', P .. 'tenant:' .. one.name, 'v:' .. p.name, one.v)
  end
  call_in_parts('ZREM', ring, gone)
  call_in_parts('ZADD', ring, back)
  for _, one in ipairs(out) do
    local t = tenant_of(S, one.name)
    if #one.ids > 0 and t.held >= t.slots and not is_several(S, one.name) then
      local pools = some_lines(S, one.name)
      -- It may be in other rings too: an older library does not say that it waits in several pools.
      if #pools > 1 or pools[1] ~= p.name then refresh_tenant(S, t) else set_full(S, one.name, true) end
    end
  end
  for _, one in ipairs(seen) do call_in_parts('SADD', P .. 'held:t:' .. one.name, one.ids) end
  call_in_parts('SADD', P .. 'held:p:' .. p.name, ids)
  p.v, p.waits = v, nil
  if others or #back > 0 then p.waits = true elseif is_whole then p.waits = false end
  redis.call('HSET', p.key, 'clock', p.clock, 'v', v)
  redis.call('HSET', P .. 'epoch', 'clock', v - 1)
  S.clock, p.served, S.dirty[p.name] = v - 1, true, true
  return room
end

local function claim(S, worker, request, room, reply)
  local leases = {}
  -- Each time something is granted, or a tenant whose last slot was taken is put out of a ring.
  for _ = 1, room + MOST_POOLS_PER_CALL do
    if room == 0 then break end
    local first = redis.call('ZRANGE', S.P .. 'ring', 0, 1, 'WITHSCORES')
    if not first[1] then break end
    local rival = first[4] and tonumber(first[4]) or math.huge
    S.nothing_can_run = not first[4] -- unless the pool, or another one, comes back into the ring
    room = serve(S, pool_of(S, first[1]), tonumber(first[2]), rival, worker, request, room, reply, leases)
    flush(S, true)
    if S.nothing_can_run then break end
  end
  call_in_parts('ZADD', S.P .. 'leases', leases)
  S.first.leases = nil
  return room
end

local function next_due(S)
  if some_rest(S) then return 0 end
  local waits = S.now < S.opens -- and leases do not run out before that
  local due = math.min(waits and S.opens or math.huge, first_of(S, 'due'), first_of(S, 'paused'))
  if not waits then due = math.min(due, first_of(S, 'leases')) end
  if some_several(S) then due = math.min(due, first_of(S, 'kept')) end
  return due < math.huge and math.max(0, due - S.now) or -1
end

-- The leases of a reply that came too late go back to their lines.
local function hand_back(reply, settlements)
  for i = 2, #reply, 5 do
    settlements[#settlements + 1] = { reply[i], reply[i + 4], 'defer', 0, 0, 'none', 0 }
  end
end

local function turn(keys, argv)
  local P, request, worker, address = keys[1], argv[1], argv[2], argv[3]
  local reply_key = P .. 'reply:' .. worker
  local instead = argv[7] or ''
  local last = redis.call('HMGET', reply_key, 'request', 'reply', 'given_up')
  if last[1] == request then return last[2] end
  if last[3] == request then return '[-1]' end

  local S = begin(P, tonumber(argv[4]))
  S.lease_ms = tonumber(argv[4])
  local room, settlements = tonumber(argv[5]), cjson.decode(argv[6])
  if instead ~= '' then
    if last[1] == instead then hand_back(cjson.decode(last[2]), settlements) end
    redis.call('HSET', reply_key, 'given_up', instead)
  end
  local freed = tick(S) + #settlements
  for _, given in ipairs(settlements) do settle(S, given) end
  flush(S, true)
  local reply = { -1 }
  local left, is_open = room, S.now >= S.opens and not S.closed
  if is_open then left = claim(S, worker, request, room, reply) end
  flush(S)
  reply[1] = next_due(S)
  local answer = cjson.encode(reply)

  if left > 0 then
    local is_new = redis.call('ZADD', P .. 'idle', S.now + IDLE_MS, worker) == 1
    if is_new then redis.call('ZREMRANGEBYSCORE', P .. 'idle', '-inf', S.now) end -- those that are gone
  else
    redis.call('ZREM', P .. 'idle', worker)
  end
  if is_open then wake_idle(S, math.max(1, freed)) end
  if #reply > 1 or #settlements > 0 or instead ~= '' then -- a turn that did nothing may be done again
    redis.call('HSET', reply_key, 'request', request, 'reply', answer)
    redis.call('PEXPIRE', reply_key, S.lease_ms)
  end
  if #reply > 1 and address ~= '' then redis.call('SET', P .. 'address:' .. worker, address, 'PX', S.lease_ms) end
  return answer
end
redis.register_function('NAME_turn', turn)
