-- place, load: read only.
--
-- place   ARGV id; Reply 'waiting' | 'running' | 'deferred' | 'unknown'
-- load    ARGV tenants; Reply for each: slots, running, waiting, deferred, oldest_wait_ms
local function place(keys, argv)
  return redis.call('HGET', job_key(keys[1], argv[1]), 'place') or 'unknown'
end
redis.register_function { function_name = 'callspool_1_place', callback = place, flags = { 'no-writes' } }

local function load(keys, argv)
  local P, now, reply = keys[1], now_ms(), {}
  for _, tenant in ipairs(argv) do
    local queued, oldest = 0, now
    for _, pool in ipairs(redis.call('SMEMBERS', P .. 'pools:' .. tenant)) do
      queued = queued + waiting(P, pool, tenant)
      for _, lane in ipairs({ 'interactive', 'bulk' }) do
        local first = redis.call('ZRANGE', wait_key(P, pool, tenant, lane), 0, 0)[1]
        if first then oldest = math.min(oldest, tonumber(redis.call('HGET', job_key(P, first), 'since_ms'))) end
      end
    end
    for _, figure in ipairs({
      tonumber(redis.call('HGET', P .. 'tenant:' .. tenant, 'slots') or '0'),
      redis.call('SCARD', P .. 'held:t:' .. tenant),
      queued,
      redis.call('SCARD', P .. 'off:' .. tenant),
      now - oldest,
    }) do
      reply[#reply + 1] = figure
    end
  end
  return reply
end
redis.register_function { function_name = 'callspool_1_load', callback = load, flags = { 'no-writes' } }
