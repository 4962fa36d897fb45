-- retire: a shard makes way for another layout, where nothing is left in it; or is what counts again.
--
-- KEYS     the shard's prefix
-- ARGV     'look' | 'close' | 'reopen', generation of the layout, then tenants
-- Reply    how many jobs run, how many are put off, in how many of these tenants' names jobs wait, whether it is closed
--          (0 | 1), and whether it was so for another layout. 'close' closes where the first three are 0; 'reopen' opens
--          what was closed so for an earlier generation
-- Repeat   the same
local function retire(keys, argv)
  local S, mode, generation = begin(keys[1]), argv[1], tonumber(argv[2])
  local P, epoch, waiting = S.P, S.P .. 'epoch', 0
  tick(S)
  flush(S)
  for i = 3, #argv do waiting = waiting + redis.call('EXISTS', P .. 'lines:' .. argv[i]) end
  local running, deferred = redis.call('ZCARD', P .. 'leases'), redis.call('ZCARD', P .. 'due')
  if mode == 'close' and running + deferred + waiting == 0 then
    redis.call('HSET', epoch, 'closed', '1', 'retired', argv[2])
    S.closed = true
  elseif mode == 'reopen' then
    local retired = tonumber(redis.call('HGET', epoch, 'retired'))
    if retired and retired < generation then
      redis.call('HDEL', epoch, 'closed', 'retired')
      redis.call('HINCRBY', epoch, 'refills', 1) -- what came meanwhile was not taken
      S.closed = false
    end
  end
  return { running, deferred, waiting, S.closed and 1 or 0, redis.call('HEXISTS', epoch, 'retired') }
end
redis.register_function('NAME_retire', retire)
