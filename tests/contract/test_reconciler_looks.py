"""Where no worker lives the reconciler alone shows Valkey that its clock did not jump."""

import asyncio
from datetime import timedelta

import pytest

from callspool.domain.ports.store import Store
from callspool.reconcile.reconciler import Reconciler
from callspool.settings import Settings
from tests.contract.test_store import queued
from tests.fixtures.bench import LEASE, Bench, ids, next_leases
from tests.fixtures.memory import RealTime

TICK_S = 0.01


async def has_run_out(bench: Bench, job_id: str) -> bool:
    """Say whether a lease is over by the server's clock. No function is called: that would be heard of."""
    client, keys = bench.client, bench.functions.keys
    until_ms = await client.zscore(f"{keys.prefix}leases", job_id)
    assert until_ms is not None
    seconds, microseconds = await client.time()
    return timedelta(seconds=int(seconds), microseconds=int(microseconds)) > timedelta(milliseconds=until_ms)


@pytest.mark.rule("S7", "I5")
async def test_what_the_last_worker_ran_when_it_died_is_there_for_the_next_once_its_lease_is_over(
    store: Store, valkey: str
) -> None:
    recording = await queued(store)
    bench = Bench(valkey)
    await bench.producer.open()
    settings = Settings.read({}, lease=LEASE.total_seconds())
    reconciler = Reconciler(store=store, producer=bench.producer, clock=RealTime(), settings=settings)
    running = asyncio.create_task(reconciler.run())
    try:
        dead = bench.worker("dead", LEASE)
        assert ids(await next_leases(dead)) == [recording.id]
        await dead.close()
        async with asyncio.timeout(2 * LEASE.total_seconds()):
            while not await has_run_out(bench, recording.id):
                await asyncio.sleep(TICK_S)
        assert ids((await bench.worker("next", LEASE).turn([], 1)).leases) == [recording.id]
    finally:
        reconciler.stop()
        await running
        await bench.close()
