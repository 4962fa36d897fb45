-- set_pool: pools' limits; in force on the next decision.
--
-- KEYS     the shard's prefix
-- ARGV     for each pool: pool, limit, paused ('0' | '1')
-- Reply    'ok'
-- Repeat   the same
local function set_one(S, pool, limit, paused)
  local key = S.P .. 'pool:' .. pool
  local c = redis.call('HMGET', key, 'paused', 'window')
  -- Lifting a pause by hand also ends the one that a provider's answers caused; a mere repetition does not.
  if paused == '0' and c[1] == '1' then
    redis.call('HDEL', key, 'until_ms', 'cause', 'probing', 'failures', 'trips', 'window')
    redis.call('ZREM', S.P .. 'paused', pool)
  elseif tonumber(c[2] or '0') >= limit then
    redis.call('HDEL', key, 'window')
  end
  redis.call('HSET', key, 'limit', limit, 'paused', paused)
  redis.call('SADD', S.P .. 'pools', pool)
  S.dirty[pool] = true
end

local function set_pool(keys, argv)
  local S, most = begin(keys[1]), 0
  for i = 1, #argv, 3 do
    local limit = tonumber(argv[i + 1])
    set_one(S, argv[i], limit, argv[i + 2])
    most = most + limit
  end
  flush(S)
  wake_idle(S, most)
  return 'ok'
end
redis.register_function('NAME_set_pool', set_pool)
