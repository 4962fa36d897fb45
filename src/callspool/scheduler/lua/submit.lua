-- submit: take jobs that are due in the store, or join them to those that are there.
--
-- ARGV     dedup_ms, again ('1': one that is running runs once more after its end), then for each job:
--          id, pool, tenant, lane, delay_ms
-- Reply    for each job: 'accepted' | 'joined', place
-- Repeat   joins; nothing is there twice
local function submit(keys, argv)
  local P, now = keys[1], now_ms()
  started_ms(P, now)
  local dedup_ms, again = tonumber(argv[1]), argv[2] == '1'
  local reply = {}
  for i = 3, #argv, 5 do
    local id, delay = argv[i], tonumber(argv[i + 4])
    local j = redis.call('HMGET', job_key(P, id), 'place', 'since_ms')
    local verdict, place = 'accepted', j[1]
    -- Past the window a job is believed only where it really is: a lost one blocks no longer than that (S1).
    if place and tonumber(j[2]) + dedup_ms <= now and not in_place(P, id) then
      detach(P, id, now)
      redis.call('DEL', job_key(P, id))
      place = false
    end
    if not place then
      new_job(P, id, argv[i + 1], argv[i + 2], argv[i + 3], now)
      if delay > 0 then defer(P, id, delay, now) else enqueue(P, id, now) end
    else
      verdict = 'joined'
      if place == 'running' then
        if again then redis.call('HSET', job_key(P, id), 'again', '1') end
      elseif place == 'deferred' and delay == 0 then
        detach(P, id, now)
        enqueue(P, id, now)
      end
    end
    reply[#reply + 1] = verdict
    reply[#reply + 1] = redis.call('HGET', job_key(P, id), 'place')
  end
  wake_idle(P, (#argv - 2) / 5, now)
  return reply
end
redis.register_function('callspool_1_submit', submit)
