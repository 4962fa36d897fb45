-- promote: someone waits for this job: move it to the interactive lane, due now; take it if it is unknown.
--
-- ARGV     id, pool, tenant
-- Reply    'accepted' | 'joined', place
-- Repeat   joins
local function promote(keys, argv)
  local P, now = keys[1], now_ms()
  started_ms(P, now)
  local id = argv[1]
  local j = redis.call('HMGET', job_key(P, id), 'place', 'lane')
  local verdict = 'joined'
  if not j[1] then
    verdict = 'accepted'
    new_job(P, id, argv[2], argv[3], 'interactive', now)
    enqueue(P, id, now)
  elseif j[1] == 'running' then
    redis.call('HSET', job_key(P, id), 'lane', 'interactive') -- for its next turn, should it need one
  elseif j[1] == 'deferred' or j[2] ~= 'interactive' then
    detach(P, id, now)
    redis.call('HSET', job_key(P, id), 'lane', 'interactive')
    redis.call('HDEL', job_key(P, id), 'seq') -- the interactive lane is served in the order of the clicks
    enqueue(P, id, now)
  end
  wake_idle(P, 1, now)
  return { verdict, redis.call('HGET', job_key(P, id), 'place') }
end
redis.register_function('callspool_1_promote', promote)
