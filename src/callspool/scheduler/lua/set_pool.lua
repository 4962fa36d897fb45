-- set_pool: a pool's limit; in force on the next decision.
--
-- ARGV     pool, limit, paused ('0' | '1')
-- Reply    'ok'
-- Repeat   the same
local function set_pool(keys, argv)
  local S = begin(keys[1])
  local pool, limit = argv[1], tonumber(argv[2])
  local key = S.P .. 'pool:' .. pool
  local c = redis.call('HMGET', key, 'paused', 'window')
  -- Lifting a pause by hand also ends the one that a provider's answers caused; a mere repetition does not.
  if argv[3] == '0' and c[1] == '1' then
    redis.call('HDEL', key, 'until_ms', 'cause', 'probing', 'failures', 'trips', 'window')
    redis.call('ZREM', S.P .. 'paused', pool)
  elseif tonumber(c[2] or '0') >= limit then
    redis.call('HDEL', key, 'window')
  end
  redis.call('HSET', key, 'limit', limit, 'paused', argv[3])
  S.dirty[pool] = true
  flush(S)
  wake_idle(S, limit)
  return 'ok'
end
redis.register_function('NAME_set_pool', set_pool)
