-- turn: settle what ended, claim what there is room for, in one step. A slot that a settlement frees is
-- handed to the next job before anyone else can see it free.
--
-- ARGV     request_id, worker, lease_ms, room, settlements, then for each settlement:
--          id, token, verdict ('done' | 'defer'), delay_ms, pause_pool_ms
-- Reply    next_due_ms (-1: nothing), then for each lease: id, pool, tenant, lane, token
-- Repeat   the same request id of the same worker gets the same reply, within one lease time
local BULK_FLOOR = 5 -- of a tenant's jobs at least one in five is bulk, while it has both

local function settle(P, id, token, verdict, delay, pause, now)
  local j = redis.call('HMGET', job_key(P, id), 'token', 'pool', 'cancel', 'again')
  if j[1] ~= token then return end -- a late worker frees nobody's slot
  if pause > 0 then
    local key = P .. 'pool:' .. j[2]
    local until_ms = math.max(now + pause, tonumber(redis.call('HGET', key, 'until_ms') or '0'))
    redis.call('HSET', key, 'until_ms', until_ms)
    redis.call('ZADD', P .. 'paused', until_ms, j[2])
  end
  detach(P, id, now)
  if j[3] or (verdict == 'done' and not j[4]) then
    redis.call('DEL', job_key(P, id))
  elseif verdict == 'done' or j[4] or delay == 0 then
    if verdict == 'done' then redis.call('HDEL', job_key(P, id), 'seq') end -- a new round waits in line again
    enqueue(P, id, now)
  else
    defer(P, id, delay, now)
  end
end

-- Choose the lane: interactive first, but every BULK_FLOOR-th turn is bulk's.
local function choose_lane(P, pool, tenant)
  if redis.call('ZCARD', wait_key(P, pool, tenant, 'interactive')) == 0 then return 'bulk' end
  local key = P .. 'tenant:' .. tenant
  if redis.call('ZCARD', wait_key(P, pool, tenant, 'bulk')) > 0
    and redis.call('HINCRBY', key, 'streak', 1) >= BULK_FLOOR then
    redis.call('HSET', key, 'streak', 0)
    return 'bulk'
  end
  return 'interactive'
end

local function claim(P, worker, request, lease_ms, room, reply, now)
  while room > 0 do
    local first_pool = redis.call('ZRANGE', P .. 'ring', 0, 0, 'WITHSCORES')
    local pool = first_pool[1]
    if not pool then return room end
    local first_tenant = redis.call('ZRANGE', P .. 'ring:' .. pool, 0, 0, 'WITHSCORES')
    local tenant, v = first_tenant[1], tonumber(first_tenant[2])
    local tenant_key, pool_key = P .. 'tenant:' .. tenant, P .. 'pool:' .. pool
    local lane = choose_lane(P, pool, tenant)
    local id = redis.call('ZPOPMIN', wait_key(P, pool, tenant, lane))[1]

    local token = request .. ':' .. room
    redis.call('HSET', job_key(P, id), 'place', 'running', 'token', token, 'worker', worker)
    redis.call('ZADD', P .. 'leases', now + lease_ms, id)
    redis.call('SADD', P .. 'held:t:' .. tenant, id)
    redis.call('SADD', P .. 'held:p:' .. pool, id)
    for _, field in ipairs({ id, pool, tenant, redis.call('HGET', job_key(P, id), 'lane'), token }) do
      reply[#reply + 1] = field
    end

    -- Weighted virtual time: each job moves its tenant back by 1 / weight, its pool by 1.
    local weight = tonumber(redis.call('HGET', tenant_key, 'weight') or '1')
    redis.call('HSET', tenant_key, 'v:' .. pool, v + 1 / weight)
    redis.call('ZADD', P .. 'ring:' .. pool, v + 1 / weight, tenant)
    redis.call('HSET', pool_key, 'clock', v, 'v', first_pool[2] + 1)
    redis.call('ZADD', P .. 'ring', first_pool[2] + 1, pool)
    redis.call('HSET', P .. 'epoch', 'clock', first_pool[2])
    refresh_tenant(P, tenant, now)
    refresh_pool(P, pool, now)
    room = room - 1
  end
  return room
end

local function turn(keys, argv)
  local P, now = keys[1], now_ms()
  local request, worker, lease_ms, room = argv[1], argv[2], tonumber(argv[3]), tonumber(argv[4])
  local reply_key = P .. 'reply:' .. worker
  local last = redis.call('HMGET', reply_key, 'request', 'reply')
  if last[1] == request then return cmsgpack.unpack(last[2]) end

  local opens = started_ms(P, now) + lease_ms
  redis.call('ZREM', P .. 'idle', worker)
  tick(P, now)
  for i = 6, 5 + 5 * tonumber(argv[5]), 5 do
    settle(P, argv[i], argv[i + 1], argv[i + 2], tonumber(argv[i + 3]), tonumber(argv[i + 4]), now)
  end
  local reply = { -1 }
  local left = room
  if now >= opens then left = claim(P, worker, request, lease_ms, room, reply, now) end

  local due = now < opens and opens or math.huge
  for _, name in ipairs({ 'due', 'leases', 'paused' }) do
    local first = redis.call('ZRANGE', P .. name, 0, 0, 'WITHSCORES')
    if first[2] then due = math.min(due, tonumber(first[2])) end
  end
  if due < math.huge then reply[1] = math.max(0, due - now) end

  if left > 0 then redis.call('ZADD', P .. 'idle', now + 60000, worker) end
  if now >= opens then wake_idle(P, 1, now) end
  if #reply > 1 or argv[5] ~= '0' then -- a turn that did nothing may be done again
    redis.call('HSET', reply_key, 'request', request, 'reply', cmsgpack.pack(reply))
    redis.call('PEXPIRE', reply_key, lease_ms)
  end
  return reply
end
redis.register_function('callspool_1_turn', turn)
