"""What a person waits for goes first, also after the scheduler has lost all that it knew."""

from datetime import timedelta

import pytest

from callspool.domain.job import Lane
from callspool.domain.ports.store import Store
from callspool.reconcile.reconciler import Reconciler
from callspool.scheduler.connection import Functions
from callspool.scheduler.consumer import ValkeyConsumer
from callspool.scheduler.producer import ValkeyProducer
from callspool.settings import Settings
from tests.contract.test_store import queued
from tests.fixtures.databases import ACME
from tests.fixtures.memory import RealTime


@pytest.mark.rule("I8")
async def test_after_a_loss_what_a_person_waits_for_still_goes_first(store: Store, valkey: str) -> None:
    functions = Functions(valkey)
    producer = ValkeyProducer(functions)
    reconciler = Reconciler(store=store, producer=producer, clock=RealTime(), settings=Settings.read({}))
    await producer.open()
    archive = [await queued(store, provider_recording_id=f"RE{n:032x}") for n in range(1, 6)]
    wanted = archive[-1]
    await store.hasten(ACME, wanted.id)

    await functions.client.execute_command("FLUSHALL")
    await producer.open()
    await reconciler.push_limits()
    assert await reconciler.resubmit() == len(archive)

    consumer = ValkeyConsumer(valkey, worker_id="w1", lease=timedelta(seconds=5))
    try:
        (lease,) = (await consumer.turn([], room=1)).leases
        assert (lease.job.id, lease.job.lane) == (wanted.id, Lane.INTERACTIVE)
    finally:
        await consumer.close()
        await functions.close()


@pytest.mark.rule("I8")
async def test_a_click_that_did_not_reach_the_scheduler_goes_first_after_the_next_round(
    store: Store, valkey: str
) -> None:
    functions = Functions(valkey)
    producer = ValkeyProducer(functions)
    reconciler = Reconciler(store=store, producer=producer, clock=RealTime(), settings=Settings.read({}))
    await producer.open()
    archive = [await queued(store, provider_recording_id=f"RE{n:032x}") for n in range(1, 6)]
    await reconciler.push_limits()
    await reconciler.resubmit()
    (wanted,) = [one for one in archive if (await producer.why(one.id)).ahead == len(archive) - 1]
    await store.hasten(ACME, wanted.id)  # and its promotion was lost
    assert await reconciler.resubmit() == 0
    try:
        assert (await producer.why(wanted.id)).ahead == 0
    finally:
        await functions.close()
