-- set_tenant: tenants' limits; in force on the next decision.
--
-- KEYS     the shard's prefix
-- ARGV     for each tenant: tenant, slots, weight, paused ('0' | '1')
-- Reply    'ok'
-- Repeat   the same
local function set_tenant(keys, argv)
  local S, most = begin(keys[1]), 0
  for i = 1, #argv, 4 do
    redis.call('HSET', S.P .. 'tenant:' .. argv[i], 'slots', argv[i + 1], 'weight', argv[i + 2], 'paused', argv[i + 3])
    redis.call('SADD', S.P .. 'tenants', argv[i])
    refresh_tenant(S, tenant_of(S, argv[i]))
    most = most + tonumber(argv[i + 1])
  end
  flush(S)
  wake_idle(S, most)
  return 'ok'
end
redis.register_function('NAME_set_tenant', set_tenant)
