-- promote: someone waits for this job: move it to the interactive lane, due now; take it if it is unknown. One that runs
-- runs once more after its end: what the store says is due may have been committed by the very run that is not settled yet.
--
-- KEYS     the shard's prefix
-- ARGV     id, pool, tenant
-- Reply    'accepted' | 'joined' | 'closed', place
-- Repeat   joins
local function promote(keys, argv)
  local S = begin(keys[1])
  local id, key = argv[1], job_key(S.P, argv[1])
  local j = redis.call('HMGET', key, 'place', 'lane', 'pool', 'tenant')
  local place, pool, tenant = j[1], argv[2], argv[3]
  if not place then
    if S.closed then return { 'closed', 'unknown' } end
    redis.call('HSET', key, 'pool', pool, 'tenant', tenant, 'since_ms', S.now)
  elseif place == 'running' then
    redis.call('HSET', key, 'lane', 'interactive', 'again', '1')
    return { 'joined', place }
  else
    pool, tenant = j[3], j[4]
  end
  if place ~= 'waiting' or j[2] ~= 'interactive' then
    local seq = next_seq(S) -- the interactive lane is served in the order of the clicks
    if place == 'deferred' then undefer(S, id, tenant) end -- one that waits moves within its line
    redis.call('HSET', key, 'place', 'waiting', 'lane', 'interactive', 'seq', seq)
    enqueue(S, id, pool, tenant, 'interactive', seq)
  end
  flush(S)
  wake_idle(S, 1)
  return { place and 'joined' or 'accepted', 'waiting' }
end
redis.register_function('NAME_promote', promote)
