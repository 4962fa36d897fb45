-- submit: take jobs that are due in the store, or join them to those that are there. One that waits as bulk and comes as
-- interactive goes to the end of that lane, as by the promotion that did not arrive; never the other way round.
--
-- KEYS     the shard's prefix
-- ARGV     dedup_ms, again ('1': one that is running runs once more after its end), then for each job:
--          id, pool, tenant, lane, delay_ms
-- Reply    for each job: 'accepted' | 'joined' | 'closed' (this shard is being drained), place
-- Repeat   joins; nothing is there twice

-- Is the job where its hash says? It cannot be otherwise, unless data was lost or a defect put it so.
local function in_place(P, id, j)
  if j[1] == 'waiting' then return redis.call('ZSCORE', line_key(P, j[3], j[4]), id) end
  return redis.call('ZSCORE', P .. (j[1] == 'deferred' and 'due' or 'leases'), id)
end

local function submit_new(S, id, pool, tenant, lane, delay)
  local key = job_key(S.P, id)
  if delay > 0 then
    redis.call('HSET', key, 'pool', pool, 'tenant', tenant, 'lane', lane, 'since_ms', S.now)
    defer(S, id, tenant, delay)
    return 'deferred'
  end
  local seq = next_seq(S)
  redis.call('HSET', key, 'pool', pool, 'tenant', tenant, 'lane', lane, 'since_ms', S.now, 'place', 'waiting', 'seq', seq)
  enqueue(S, id, pool, tenant, lane, seq)
  return 'waiting'
end

-- One that is there and does not run waits from now on: in the place that it had, or at the end of the interactive lane.
local function wait_again(S, id, place, tenant, is_raised)
  if place == 'deferred' then undefer(S, id, tenant) end
  if is_raised then redis.call('HSET', job_key(S.P, id), 'lane', 'interactive', 'seq', next_seq(S)) end
  enqueue_again(S, id)
end

local function submit(keys, argv)
  local S = begin(keys[1])
  local P, dedup_ms, again = S.P, tonumber(argv[1]), argv[2] == '1'
  local reply, woken = {}, 0
  for i = 3, #argv, 5 do
    local id, delay = argv[i], tonumber(argv[i + 4])
    local j = redis.call('HMGET', job_key(P, id), 'place', 'since_ms', 'pool', 'tenant', 'lane')
    local verdict, place, is_raised = 'joined', j[1], argv[i + 3] == 'interactive' and j[5] ~= 'interactive'
    -- Past the window a job is believed only where it really is: a lost one blocks no longer than that (S1).
    if place and tonumber(j[2]) + dedup_ms <= S.now and not in_place(P, id, j) then
      detach(S, id, place, j[3], j[4])
      redis.call('DEL', job_key(P, id))
      place = false
    end
    if not place then
      verdict, place = S.closed and 'closed' or 'accepted', 'unknown'
      if not S.closed then
        place = submit_new(S, id, argv[i + 1], argv[i + 2], argv[i + 3], delay)
        woken = woken + 1
      end
    elseif place == 'running' then
      if again then redis.call('HSET', job_key(P, id), 'again', '1') end
    elseif place == 'deferred' and delay == 0 or place == 'waiting' and is_raised then
      wait_again(S, id, place, j[4], is_raised)
      place, woken = 'waiting', woken + 1
    end
    reply[#reply + 1] = verdict
    reply[#reply + 1] = place
  end
  flush(S)
  wake_idle(S, woken)
  return reply
end
redis.register_function('NAME_submit', submit)
