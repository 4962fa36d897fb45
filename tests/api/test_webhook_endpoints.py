"""Outbound webhooks from the route to the receiver: the real API, store, scheduler and worker."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from callspool.domain.ports.store import Store
from callspool.fetch.worker import Worker
from callspool.reconcile.courier import Courier
from callspool.scheduler.connection import Functions
from callspool.scheduler.consumer import ValkeyConsumer
from callspool.scheduler.producer import ValkeyProducer
from tests.api.conftest import Api, SettableClock, running, until
from tests.fixtures.receiver import Receiver, receiving


@asynccontextmanager
async def working(api: Api, functions: Functions) -> AsyncIterator[Courier]:
    """A worker, and what hands messages to the scheduler."""
    parts, shard = api.services, functions.keys.shard
    consumer = ValkeyConsumer(
        functions.url, worker_id=secrets.token_hex(8), lease=timedelta(seconds=30), shards=(shard,)
    )
    worker = Worker(
        worker_id="w1",
        store=parts.store,
        consumer=consumer,
        bulletin=parts.bulletin,
        provider_of=parts.providers,
        vault=parts.vault,
        prober=parts.prober,
        clock=parts.clock,
        settings=parts.settings,
        spool=api.folder / "spool",
        random=Random(7),
    )
    await ValkeyProducer(functions).open()  # nobody held a lease before
    task = asyncio.create_task(worker.run())
    try:
        yield Courier(
            store=parts.store,
            producer=parts.producer,
            bulletin=parts.bulletin,
            clock=parts.clock,
            settings=parts.settings,
        )
    finally:
        worker.drain()
        await task
        await consumer.close()


@pytest.fixture
async def open_api(tmp_path: Path, clock: SettableClock, store: Store, functions: Functions) -> AsyncIterator[Api]:
    """An API that may tell receivers on this machine, and tries again at once."""
    given: dict[str, Any] = {"webhook_private": True, "retry_scale": 0.0, "spool_reserve": 0}
    async with running(tmp_path, clock, store, functions, **given) as api:
        yield api


async def add(api: Api, receiver: Receiver) -> dict[str, Any]:
    answer = await api.post("/api/webhook-endpoints", json={"url": receiver.url})
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    return added


async def newest(api: Api, endpoint_id: str) -> dict[str, Any]:
    answer = await api.get(f"/api/webhook-endpoints/{endpoint_id}/deliveries")
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found[0]


async def test_a_kept_recording_is_told_to_its_tenants_endpoint(open_api: Api, functions: Functions) -> None:
    async with receiving() as receiver, working(open_api, functions) as courier:
        added = await add(open_api, receiver)
        recording = await open_api.ready()

        await courier.step()
        await until(lambda: _arrived(open_api, added["id"]))

    ((headers, body),) = receiver.came
    message = Webhook(added["secret"]).verify(body, headers)
    assert (message["type"], message["data"]["id"]) == ("recording.ready", recording.id)
    listed = (await open_api.get("/api/webhook-endpoints")).json()["endpoints"]
    assert [one["id"] for one in listed] == [added["id"]]
    assert added["secret"] not in (await open_api.get("/api/webhook-endpoints")).text


async def test_what_did_not_arrive_is_sent_again_under_the_same_id(open_api: Api, functions: Functions) -> None:
    async with receiving("500 Oops", "429 Slow Down", "200 OK") as receiver, working(open_api, functions) as courier:
        added = await add(open_api, receiver)
        await open_api.ready()

        await courier.step()
        await until(lambda: _arrived(open_api, added["id"]))

    assert len(receiver.came) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    assert (await newest(open_api, added["id"]))["attempts"] == 3


async def test_messages_outlive_the_schedulers_data(open_api: Api, functions: Functions) -> None:
    async with receiving() as receiver:
        added = await add(open_api, receiver)
        await open_api.ready()
        parts = open_api.services
        dead = Courier(
            store=parts.store,
            producer=parts.producer,
            bulletin=parts.bulletin,
            clock=parts.clock,
            settings=parts.settings,
        )
        await dead.step()
        waiting = await parts.store.pending_deliveries(None, limit=1, submitted=True)
        await parts.producer.cancel(waiting[0].id)  # the scheduler knows nothing of it any more

        async with working(open_api, functions) as courier:
            await courier.step()
            await until(lambda: _arrived(open_api, added["id"]))

    assert len(receiver.came) == 1


async def test_a_gone_endpoint_is_told_no_more(open_api: Api, functions: Functions) -> None:
    async with receiving("410 Gone") as receiver, working(open_api, functions) as courier:
        added = await add(open_api, receiver)
        await open_api.ready()
        await courier.step()

        async def off() -> bool:
            return (await open_api.services.store.endpoint(None, added["id"])).disabled_at is not None

        await until(off)

    (listed,) = (await open_api.get("/api/webhook-endpoints")).json()["endpoints"]
    assert listed["disabled_because"] == "The endpoint answered 410: it is gone."


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"url": "http://receiver.example/"}, 422),
        ({"url": "https://user@receiver.example/"}, 422),
        ({"url": "https://receiver.example/", "events": []}, 422),
        ({"url": "https://receiver.example/", "events": ["recording.eaten"]}, 422),
        ({"url": "https://receiver.example/", "tenant_id": "bravo"}, 404),
        ({"url": "https://receiver.example/"}, 201),
    ],
)
async def test_wishes_are_checked(api: Api, wish: dict[str, Any], status: int) -> None:
    assert (await api.post("/api/webhook-endpoints", json=wish)).status_code == status


async def _arrived(api: Api, endpoint_id: str) -> bool:
    return bool((await newest(api, endpoint_id))["state"] == "delivered")
