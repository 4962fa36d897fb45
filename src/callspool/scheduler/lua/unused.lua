-- unused: which libraries of functions nobody has called for long.
--
-- KEYS     the shard's prefix
-- ARGV     unused_ms, names of libraries
-- Reply    those that were last called longer ago; they are forgotten here. One that was never seen counts from now
-- Repeat   fewer
local function unused(keys, argv)
  local S, found = begin(keys[1]), {}
  local key = S.P .. 'versions'
  for i = 2, #argv do
    if redis.call('HSETNX', key, argv[i], S.now) == 0 and redis.call('HGET', key, argv[i]) + argv[1] < S.now then
      redis.call('HDEL', key, argv[i])
      found[#found + 1] = argv[i]
    end
  end
  return found
end
redis.register_function('NAME_unused', unused)
