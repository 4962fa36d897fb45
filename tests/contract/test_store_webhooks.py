"""What every store must keep of outbound webhooks: who is told what, and each message until it has arrived."""

import json
from datetime import timedelta

import pytest

from callspool.domain.audit import By
from callspool.domain.errors import NotFound
from callspool.domain.ids import TenantId
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Call, Recording
from callspool.domain.webhook import Delivery, DeliveryState, Endpoint, Refused, Subject, new_endpoint
from tests.contract.test_store_purge import queued, ready
from tests.fixtures.databases import ACME, OTHER, Database, SetClock

FIVE_DAYS = timedelta(days=5)


async def added(
    store: Store, clock: SetClock, tenant: TenantId | None = ACME, *events: Subject, number: int = 0
) -> Endpoint:
    randomness = bytes([number]) * 40
    given = list(events or Subject)
    endpoint = new_endpoint(tenant, "https://receiver.example/", given, now=clock.now(), randomness=randomness)
    await store.add_endpoint(endpoint, by=By("test"))
    return endpoint


async def failed(store: Store, number: int = 1) -> Recording:
    row = await queued(store, number)
    claimed = await store.claim(row.id, actor="worker:1")
    assert claimed is not None
    done = await store.give_up(
        row.id, claimed.attempt, reason=Reason.GONE, detail="404", budget=Budget.TRIES, actor="worker:1"
    )
    assert done is not None
    return done


async def message(store: Store) -> Delivery:
    (one,) = await store.pending_deliveries(None, limit=10)
    return one


async def test_each_end_of_a_recording_is_told_and_nothing_else(store: Store, clock: SetClock) -> None:
    endpoint = await added(store, clock)
    kept = await ready(store, 1, call=Call("+15550001", "+15550002", "inbound"))
    lost = await failed(store, 2)
    await store.purge(None, kept.id, by=By("test"), why="asked for")

    told = await store.deliveries(ACME, endpoint.id, limit=10)

    assert {(one.type, one.recording_id) for one in told} == {
        (Subject.READY, kept.id),
        (Subject.FAILED, lost.id),
        (Subject.PURGED, kept.id),
    }
    payload = json.loads(next(one.payload for one in told if one.type is Subject.READY))
    assert (payload["type"], payload["timestamp"]) == ("recording.ready", clock.now().isoformat())
    assert (payload["data"]["id"], payload["data"]["sha256"]) == (kept.id, "ab" * 32)
    assert all("+1555" not in one.payload and "acme/rec" not in one.payload for one in told)


async def test_a_stale_worker_tells_nothing(store: Store, clock: SetClock) -> None:
    await added(store, clock)
    row = await ready(store)
    waiting = await store.pending_deliveries(None, limit=10)
    assert row.kept is not None

    assert await store.keep(row.id, row.attempt, row.kept, actor="worker:late") is None

    assert await store.pending_deliveries(None, limit=10) == waiting


async def test_only_who_may_know_and_wants_to_is_told(store: Store, clock: SetClock) -> None:
    own = await added(store, clock, ACME, number=1)
    foreign = await added(store, clock, OTHER, number=2)
    operators = await added(store, clock, None, number=3)
    unconcerned = await added(store, clock, ACME, Subject.PURGED, number=4)

    await ready(store)

    told = [bool(await store.deliveries(None, one.id, limit=9)) for one in (own, foreign, operators, unconcerned)]
    assert told == [True, False, True, False]


async def test_a_foreign_endpoint_does_not_exist(store: Store, clock: SetClock) -> None:
    endpoint = await added(store, clock)
    for attempt in (
        store.endpoint(OTHER, endpoint.id),
        store.deliveries(OTHER, endpoint.id, limit=1),
        store.remove_endpoint(OTHER, endpoint.id),
        store.rotate_endpoint(OTHER, endpoint.id, endpoint.secret),
        store.enable_endpoint(OTHER, endpoint.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await store.endpoints(OTHER) == []
    assert await store.endpoints(ACME) == [endpoint]


async def test_a_removed_endpoint_takes_its_messages_with_it(store: Store, clock: SetClock) -> None:
    endpoint = await added(store, clock)
    await ready(store)
    one = await message(store)

    await store.remove_endpoint(ACME, endpoint.id, by=By("key:1"))

    assert await store.pending_deliveries(None, limit=10) == []
    assert await store.to_deliver(one.id) is None
    assert [(entry.action, entry.target) for entry in await store.audit_log(None, limit=1)] == [
        ("webhook.remove", endpoint.id)
    ]


async def test_each_try_is_noted_once_and_what_arrived_stays(store: Store, clock: SetClock) -> None:
    endpoint = await added(store, clock)
    await ready(store)
    one = await message(store)
    again_at = clock.now() + timedelta(seconds=5)
    refused = Refused("it answered 500", 500, again_at)

    for noted in (refused, Refused("a rival's note of the same try")):
        assert not await store.not_delivered(one, noted, disable_after=FIVE_DAYS)

    tried = await message(store)
    assert (tried.attempts, tried.status, tried.not_before) == (1, 500, again_at)
    assert (await store.endpoint(ACME, endpoint.id)).failing_since == clock.now()
    await store.delivered(tried, 204)
    await store.not_delivered(tried, refused, disable_after=FIVE_DAYS)
    (ended,) = await store.deliveries(ACME, endpoint.id, limit=10)
    assert (ended.state, ended.attempts, ended.status, ended.error) == (DeliveryState.DELIVERED, 2, 204, None)
    assert (await store.endpoint(ACME, endpoint.id)).failing_since is None


async def test_an_endpoint_that_fails_for_days_is_disabled_until_it_is_enabled(store: Store, clock: SetClock) -> None:
    endpoint = await added(store, clock)
    await ready(store)
    refused = Refused("no connection", None, clock.now())
    assert not await store.not_delivered(await message(store), refused, disable_after=FIVE_DAYS)
    clock.pass_by(FIVE_DAYS)
    one = await message(store)

    assert await store.not_delivered(one, refused, disable_after=FIVE_DAYS)

    off = await store.endpoint(ACME, endpoint.id)
    assert off.disabled_at == clock.now()
    assert off.disabled_because == "Nothing arrived for 5 days. The last try: no connection"
    await ready(store, 2)  # told to nobody
    assert (await store.pending_deliveries(None, limit=10), await store.to_deliver(one.id)) == ([], None)
    on = await store.enable_endpoint(ACME, endpoint.id)
    assert (on.disabled_at, on.failing_since) == (None, None)
    assert (await message(store)).id == one.id


async def test_an_endpoint_that_is_gone_is_disabled_at_once(store: Store, clock: SetClock) -> None:
    await added(store, clock)
    await ready(store)

    assert await store.not_delivered(
        await message(store), Refused("it answered 410", 410, gone=True), disable_after=FIVE_DAYS
    )


async def test_submitted_messages_are_told_apart_from_new_ones(store: Store, clock: SetClock) -> None:
    await added(store, clock)
    await ready(store, 1)
    first = await message(store)
    await store.deliveries_submitted([first.id])
    clock.pass_by(timedelta(seconds=1))
    await ready(store, 2)

    (new,) = await store.pending_deliveries(None, limit=10, submitted=False)

    assert new.id != first.id
    assert await store.pending_deliveries(first.id, limit=10) == [new]


async def test_ended_messages_are_forgotten_after_a_time(store: Store, clock: SetClock) -> None:
    await added(store, clock)
    await ready(store, 1)
    await store.delivered(await message(store), 200)
    await ready(store, 2)
    clock.pass_by(timedelta(days=31))

    assert await store.forget_deliveries(clock.now() - timedelta(days=30), limit=10) == 1
    assert len(await store.pending_deliveries(None, limit=10)) == 1


async def test_secrets_are_sealed_and_outlive_a_rotation(store: Store, clock: SetClock, database: Database) -> None:
    endpoint = await added(store, clock, number=7)
    new = "whsec_" + "QUJD" * 10
    changed = await store.rotate_endpoint(ACME, endpoint.id, new)

    assert (changed.secret, changed.previous_secret) == (new, endpoint.secret)
    assert changed.previous_until == clock.now() + timedelta(days=1)
    assert await store.endpoint(ACME, endpoint.id) == changed
    dump = database.dump()
    assert endpoint.secret not in dump
    assert new not in dump
