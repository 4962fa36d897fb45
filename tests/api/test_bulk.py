"""Retrying all that failed, from the count to the scheduler."""

import asyncio
import contextlib

from callspool.domain.job import Place
from callspool.domain.reasons import Reason
from callspool.reconcile.operations import OperationRunner
from tests.api.conftest import Api, until


def runner(api: Api) -> OperationRunner:
    services = api.services
    return OperationRunner(store=services.store, producer=services.producer, bulletin=services.bulletin)


async def test_a_dry_run_only_counts(api: Api) -> None:
    failed = await api.failed(reason=Reason.TRUNCATED)
    await api.failed("bravo", reason=Reason.TRUNCATED)

    async def counted(wish: dict[str, object], who: str = "operator") -> int:
        answer = await api.post("/api/failures/retry", who, json={**wish, "dry_run": True})
        assert answer.status_code == 200
        return int(answer.json()["matched"])

    assert await counted({}) == await counted({"reason": "truncated", "account_id": "main"}) == 2
    assert await counted({"tenant_id": "bravo"}) == await counted({}, "bravo") == 1
    assert await counted({"reason": "gone"}) == 0
    assert await runner(api).step() is False
    assert (await api.services.store.get(None, failed.id)).state == "failed"


async def test_all_that_failed_for_a_reason_wait_for_a_slot_again(api: Api) -> None:
    failed = [await api.failed(reason=Reason.TRUNCATED) for _ in range(3)]
    of_bravo = await api.failed("bravo", reason=Reason.TRUNCATED)
    gone = await api.failed(reason=Reason.GONE)
    running = asyncio.create_task(runner(api).run())

    begun = (await api.post("/api/failures/retry", json={"reason": "truncated"})).json()

    async def is_done() -> bool:
        now = (await api.get(f"/api/operations/{begun['id']}")).json()
        return bool(now["state"] == "done")

    await until(is_done)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert (begun["kind"], begun["matched"], begun["state"], begun["ended_at"]) == ("retry", 3, "running", None)
    done = (await api.get(f"/api/operations/{begun['id']}", "operator")).json()
    assert (done["done"], done["skipped"], done["matched"]) == (3, 0, 3)
    assert {await api.services.producer.place(one.id) for one in failed} == {Place.WAITING}
    states = {one.id: one.state for one in await api.recordings()}
    assert (states[of_bravo.id], states[gone.id]) == ("failed", "failed")
    assert (await api.get("/api/failures", "operator")).json()["groups"][0]["count"] == 1


async def test_a_retry_of_all_of_an_account_leaves_the_others_alone(api: Api) -> None:
    of_main = await api.failed(reason=Reason.TRUNCATED)
    of_second = await api.failed(reason=Reason.TRUNCATED, account="second")
    wish = {"reason": "truncated", "account_id": "second"}
    counted = (await api.post("/api/failures/retry", "operator", json={**wish, "dry_run": True})).json()
    await api.post("/api/failures/retry", "operator", json=wish)

    while await runner(api).step():
        pass

    states = {one.id: one.state for one in await api.recordings()}
    assert counted == {"matched": 1}
    assert (states[of_second.id], states[of_main.id]) == ("queued", "failed")
    (left,) = (await api.get("/api/failures", "operator")).json()["accounts"]
    assert left == {"account_id": "main", "count": 1}


async def test_without_the_scheduler_they_are_queued_in_the_store(api_without_valkey: Api) -> None:
    api = api_without_valkey
    failed = await api.failed(reason=Reason.TRUNCATED)
    await api.post("/api/failures/retry", json={})

    assert await runner(api).step() is True

    assert (await api.services.store.get(None, failed.id)).state == "queued"
