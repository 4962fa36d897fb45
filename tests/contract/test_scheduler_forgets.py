"""What is no more in the store leaves nothing in Valkey, but never before its last job has ended."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callspool.domain.job import Job, Names, Signal
from callspool.domain.ports.store import Store
from callspool.domain.webhook import AT_ONCE
from callspool.reconcile.reconciler import Reconciler
from callspool.settings import Settings
from tests.fixtures.bench import Bench, deferred, done
from tests.fixtures.databases import ACME
from tests.fixtures.memory import RealTime
from tests.fixtures.raw import End, Raw, Request

STAYING = Names(frozenset({"main"}), frozenset({"acme", *(f"t{n}" for n in range(250))}))
GONE = Names(frozenset({"whe", "old"}), frozenset({"whe"}))


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
async def bench(valkey: str, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    bench = Bench(valkey, shards=request.param)
    await bench.producer.open()
    await bench.limits("acme", *sorted(STAYING.tenants - {"acme"}))
    for pool in GONE.pools:
        await bench.producer.set_pool(pool, limit=5, paused=False)
    await bench.producer.set_tenant("whe", slots=5, weight=1, paused=False)
    yield bench
    await bench.close()


async def forget(bench: Bench) -> int:
    return await bench.producer.forget(GONE, STAYING)


async def left(bench: Bench) -> set[str]:
    """Return the keys in which a name that is gone stands, and those that have a field of it."""
    client, found = bench.client, set()
    async for key in client.scan_iter("callspool:*"):
        name = key.decode().rpartition("}:")[2]
        fields = await client.hkeys(key) if await client.type(key) == b"hash" else []
        if set(name.split(":")) & {"whe", "old"} or {b"v:whe", b"v:old"} & set(fields):
            found.add(name)
    return found


async def test_who_is_kept_is_known_and_who_is_gone_leaves_nothing(bench: Bench) -> None:
    for pool, tenant in (("old", "acme"), ("old", "t249"), ("whe", "whe"), ("main", "acme")):
        await bench.producer.submit(Job(f"{pool}-{tenant}", pool, tenant))
    worker = bench.worker()
    leases = (await worker.turn([], 9)).leases
    assert len(leases) == 4
    await worker.turn([done(lease, Signal.THROTTLED if lease.job.pool == "old" else Signal.OK) for lease in leases], 0)
    assert await bench.producer.names() == Names(STAYING.pools | GONE.pools, STAYING.tenants | GONE.tenants)
    assert {"pool:old", "tenant:whe", "tenant:acme"} <= await left(bench)
    assert await forget(bench) == 2 + len(bench.shards)  # a tenant is known in every shard
    assert await left(bench) == set()
    assert await bench.producer.names() == STAYING
    assert await forget(bench) == 0
    # The others did not notice.
    await bench.submit("acme", "j")
    assert len((await worker.turn([], 9)).leases) == 1


@pytest.mark.rule("I1")
@pytest.mark.parametrize("end", ["done", "failed", "deferred"])
async def test_what_runs_ends_as_ever_and_then_its_limits_go(bench: Bench, end: str) -> None:
    await bench.producer.submit(Job("j", "whe", "whe"))
    worker = bench.worker()
    (lease,) = (await worker.turn([], 9)).leases
    await forget(bench)
    (load,) = await bench.producer.load(["whe"])
    assert (load.slots, load.running) == (5, 1)
    (pool,) = await bench.producer.pool_loads(["whe"], ["whe"])
    assert (pool.set_limit, pool.running) == (5, 1)
    if end == "deferred":
        (lease,) = (await worker.turn([deferred(lease, 1, signal=Signal.FAILED)], 0)).leases or (lease,)
        await forget(bench)
        while not (again := (await worker.turn([], 9)).leases):
            await worker.wait(timedelta(milliseconds=20))
        (lease,) = again
    await worker.turn([done(lease, Signal.FAILED if end == "failed" else Signal.OK)], 0)
    await forget(bench)
    assert await left(bench) == set()


async def test_what_waits_keeps_its_limits_though_its_tenant_is_paused(bench: Bench) -> None:
    await bench.producer.set_tenant("acme", slots=5, weight=1, paused=True)
    await bench.producer.submit(Job("j", "old", "acme"))
    await forget(bench)
    (pool,) = await bench.producer.pool_loads(["old"], ["acme"])
    assert (pool.set_limit, pool.waiting) == (5, 1)
    await bench.producer.set_tenant("acme", slots=5, weight=1, paused=False)
    worker = bench.worker()
    (lease,) = (await worker.turn([], 9)).leases
    await worker.turn([done(lease)], 0)
    await forget(bench)
    assert await left(bench) == set()


def test_in_the_moment_of_forgetting_nothing_may_be_left(valkey: str) -> None:
    """Whatever came since its figures were looked at."""
    raw = Raw(valkey)
    raw.call("open")
    raw.call("set_pool", "p", 5, 0)
    raw.call("set_tenant", "t", 5, 1, 0)

    def forgotten() -> tuple[int, int]:
        return raw.call("prune", 1, "p", 0), raw.call("prune", 0, 1, "t")

    raw.submit(("j", "p", "t", "bulk", 0))
    assert forgotten() == (0, 0)
    _, (grant,) = raw.turn(Request("r1", "w", 1))
    assert forgotten() == (0, 0)
    assert raw.renew("w", [grant]) == ["held"]
    raw.turn(Request("r2", "w", 0, (End("j", grant.token, "defer", 60_000),)))
    assert raw.call("prune", 0, 1, "t") == 0  # it will come back
    raw.call("cancel", "j")
    assert forgotten() == (1, 1)
    assert {"pool:p", "tenant:t", "pools", "tenants"}.isdisjoint(raw.lasting_keys())
    raw.close()


async def test_one_that_comes_again_begins_anew(bench: Bench) -> None:
    await forget(bench)
    await bench.producer.set_pool("old", limit=2, paused=False)
    for n in range(3):
        await bench.producer.submit(Job(f"j{n}", "old", "acme"))
    assert len((await bench.worker().turn([], 9)).leases) == 2


async def test_the_reconciler_has_forgotten_what_the_store_has_no_more(store: Store, valkey: str) -> None:
    bench = Bench(valkey)
    reconciler = Reconciler(store=store, producer=bench.producer, clock=RealTime(), settings=Settings.read({}))
    await reconciler.push_limits()
    known = await bench.producer.names()
    assert ACME in known.tenants
    assert known.pools
    await bench.producer.set_pool("whe_1", limit=AT_ONCE, paused=False)
    await bench.producer.set_tenant("whe_1", slots=AT_ONCE, weight=1, paused=False)
    assert await reconciler.forget_removed() == 2
    assert await bench.producer.names() == known
    assert await reconciler.forget_removed() == 0
    await bench.close()
