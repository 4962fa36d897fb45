-- set_tenant, set_pool: limits; in force on the next decision. open: end the wait of a new lifetime at once.
-- epoch: which lifetime is this?
--
-- set_tenant  ARGV tenant, slots, weight, paused ('0' | '1')
-- set_pool    ARGV pool, limit, paused
-- open        no ARGV: the caller knows that no worker can hold a lease
-- epoch       no ARGV; Reply its number, which changes when the data was lost
-- Reply       'ok'
-- Repeat      the same
local function set_tenant(keys, argv)
  local P, now = keys[1], now_ms()
  started_ms(P, now)
  redis.call('HSET', P .. 'tenant:' .. argv[1], 'slots', argv[2], 'weight', argv[3], 'paused', argv[4])
  refresh_tenant(P, argv[1], now)
  wake_idle(P, tonumber(argv[2]), now)
  return 'ok'
end
redis.register_function('callspool_1_set_tenant', set_tenant)

local function set_pool(keys, argv)
  local P, now = keys[1], now_ms()
  started_ms(P, now)
  local key = P .. 'pool:' .. argv[1]
  -- Lifting a pause by hand also ends the one that a provider's answer caused; a mere repetition does not.
  if argv[3] == '0' and redis.call('HGET', key, 'paused') == '1' then
    redis.call('HDEL', key, 'until_ms')
    redis.call('ZREM', P .. 'paused', argv[1])
  end
  redis.call('HSET', key, 'limit', argv[2], 'paused', argv[3])
  refresh_pool(P, argv[1], now)
  wake_idle(P, tonumber(argv[2]), now)
  return 'ok'
end
redis.register_function('callspool_1_set_pool', set_pool)

local function open(keys)
  redis.call('HSET', keys[1] .. 'epoch', 'started_ms', 0)
  wake_idle(keys[1], 1000, now_ms())
  return 'ok'
end
redis.register_function('callspool_1_open', open)

local function epoch(keys) return started_ms(keys[1], now_ms()) end
redis.register_function('callspool_1_epoch', epoch)
