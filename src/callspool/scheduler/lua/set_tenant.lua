-- set_tenant: a tenant's limits; in force on the next decision.
--
-- ARGV     tenant, slots, weight, paused ('0' | '1')
-- Reply    'ok'
-- Repeat   the same
local function set_tenant(keys, argv)
  local S = begin(keys[1])
  redis.call('HSET', S.P .. 'tenant:' .. argv[1], 'slots', argv[2], 'weight', argv[3], 'paused', argv[4])
  refresh_tenant(S, tenant_of(S, argv[1]))
  flush(S)
  wake_idle(S, tonumber(argv[2]))
  return 'ok'
end
redis.register_function('NAME_set_tenant', set_tenant)
