-- renew: a heartbeat. Keep the leases for one more lease time; register them again after a loss of data.
--
-- ARGV     worker, lease_ms, then for each lease: id, pool, tenant, lane, token
-- Reply    for each lease: 'held' | 'cancelled' (held, but its work must end) | 'lost'
-- Repeat   the same
local function renew(keys, argv)
  local P, now = keys[1], now_ms()
  local worker, lease_ms = argv[1], tonumber(argv[2])
  local mourning = now < started_ms(P, now) + lease_ms
  local reply = {}
  for i = 3, #argv, 5 do
    local id, pool, tenant, lane, token = unpack(argv, i, i + 4)
    local j = redis.call('HMGET', job_key(P, id), 'token', 'cancel', 'place')
    local verdict = 'held'
    if j[1] ~= token then
      -- In the wait after a loss nothing is granted, so whoever says that it holds the lease does hold it.
      if mourning and j[3] ~= 'running' then
        if not j[3] then new_job(P, id, pool, tenant, lane, now) else detach(P, id, now) end
        redis.call('HSET', job_key(P, id), 'place', 'running', 'token', token, 'worker', worker)
        redis.call('SADD', P .. 'held:t:' .. tenant, id)
        redis.call('SADD', P .. 'held:p:' .. pool, id)
      else
        verdict = 'lost'
      end
    elseif j[2] then
      verdict = 'cancelled'
    end
    if verdict ~= 'lost' then redis.call('ZADD', P .. 'leases', now + lease_ms, id) end
    reply[#reply + 1] = verdict
    if j[1] ~= token then
      refresh_tenant(P, tenant, now)
      refresh_pool(P, pool, now)
    end
  end
  return reply
end
redis.register_function('callspool_1_renew', renew)
