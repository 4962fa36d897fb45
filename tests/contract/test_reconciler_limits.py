"""The reconciler tells limits from a real store to a real scheduler, while a person changes them."""

import re
from collections.abc import Awaitable, Callable, Sequence

from callspool.domain.ids import TenantId
from callspool.domain.job import PoolLimits, TenantLimits
from callspool.domain.ports.store import Store
from callspool.domain.tenant import Tenant
from callspool.reconcile.reconciler import Reconciler
from callspool.scheduler.connection import Functions
from callspool.scheduler.producer import ValkeyProducer
from callspool.settings import Settings
from tests.fixtures.databases import ACME
from tests.fixtures.memory import RealTime


class Interrupted(ValkeyProducer):
    """Before the first limits go out, something else happens."""

    first: Callable[[], Awaitable[None]] | None = None

    async def set_limits(self, pools: Sequence[PoolLimits], tenants: Sequence[TenantLimits]) -> None:
        if self.first is not None:
            first, self.first = self.first, None
            await first()
        await super().set_limits(pools, tenants)


async def test_a_limit_that_a_person_sets_meanwhile_stays(store: Store, valkey: str) -> None:
    functions = Functions(valkey)
    producer = Interrupted(functions)

    async def person() -> None:
        tenant = await store.adjust_tenant(ACME, slots=9)
        await producer.set_tenant(ACME, slots=tenant.slots, weight=tenant.weight, paused=tenant.paused)

    producer.first = person
    reconciler = Reconciler(store=store, producer=producer, clock=RealTime(), settings=Settings.read({}))
    await reconciler.push_limits()
    (load,) = await producer.load([ACME])
    await functions.close()
    assert load.slots == 9


async def test_many_limits_go_in_few_calls(store: Store, valkey: str) -> None:
    functions = Functions(valkey)
    producer = ValkeyProducer(functions)
    for n in range(300):
        await store.add_tenant(Tenant(TenantId(f"t{n}"), f"Tenant {n}", slots=n + 1))
    await producer.epoch()
    await functions.client.execute_command("CONFIG", "RESETSTAT")
    reconciler = Reconciler(store=store, producer=producer, clock=RealTime(), settings=Settings.read({}))
    await reconciler.push_limits()
    stats = await functions.client.execute_command("INFO", "commandstats")
    calls = int(re.search(rb"cmdstat_fcall:calls=(\d+)", stats)[1])
    loads = await producer.load([f"t{n}" for n in range(300)])
    await functions.close()
    assert [load.slots for load in loads] == list(range(1, 301))
    assert calls <= 4
