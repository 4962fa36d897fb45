-- layout: the number of shards that all work with. It is the one key outside of the shards, so that there is one of it.
--
-- KEYS     the layout's key
-- ARGV     the caller's number of shards; instead_of: '', or the generation of the layout that it found empty and
--          closed ('0': none was written), or not quite given up, and puts its own in the place of
-- Reply    the number in force (0: none), its generation, for how long nobody who works with it was heard, ms
-- Repeat   the same

local NOTE_SEEN_MS = 1000

local function layout(keys, argv)
  local key, mine, instead_of, now = keys[1], argv[1], argv[2], now_ms()
  local c = redis.call('HMGET', key, 'shards', 'generation', 'seen_ms')
  local generation, seen = tonumber(c[2] or '0'), tonumber(c[3] or '0')
  if instead_of == string.format('%.0f', generation) then
    -- A time, so that it grows even where the key was lost.
    generation = math.max(now, generation + 1)
    redis.call('HSET', key, 'shards', mine, 'generation', string.format('%.0f', generation), 'seen_ms', now)
    return { tonumber(mine), generation, 0 }
  end
  if c[1] == mine and math.abs(now - seen) >= NOTE_SEEN_MS then
    redis.call('HSET', key, 'seen_ms', now)
    seen = now
  end
  return { tonumber(c[1] or '0'), generation, math.abs(now - seen) }
end
redis.register_function('NAME_layout', layout)
