"""How recordings and their files go, on real stores and vaults: nothing said to be gone stays, nothing needed goes."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from callspool.domain.audit import By
from callspool.domain.errors import VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Kept, Recording, State
from callspool.lifecycle.orphans import sweep_orphans
from callspool.lifecycle.purge import Purger
from callspool.lifecycle.retention import purge_expired
from callspool.lifecycle.schedule import Lifecycle, remove_old
from callspool.settings import Settings
from callspool.vault.disk import DiskVault
from callspool.vault.keys import rendition_key, vault_key
from callspool.vault.s3 import S3Vault
from tests.fixtures.databases import ACME, MAIN, OTHER, SetClock
from tests.fixtures.memory import Jobs, Rings
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server

REST = timedelta(hours=1)
AUDIO = b"spoken"


@pytest.fixture(params=["disk", "s3"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    if request.param == "disk":
        return DiskVault(tmp_path / "vault")
    server: S3Server = request.getfixturevalue("s3_server")
    prefix = request.getfixturevalue("s3_prefix")
    return S3Vault(BUCKET, prefix=prefix, endpoint=server.url, access_key=ACCESS_KEY, secret_key=SECRET_KEY)


class Hands:
    """Brings recordings into store and vault."""

    def __init__(self, store: Store, vault: Vault, clock: SetClock) -> None:
        self.store, self.vault, self.clock = store, vault, clock
        self.rings = Rings()
        self.purger = Purger(store, vault, self.rings)
        self._number = 0
        self.vault_is_away = False

    async def queued(self, tenant: TenantId = ACME) -> Recording:
        self._number += 1
        notice = Notice(MAIN, tenant, f"RE{self._number}", call_id=None, status=ProviderStatus.COMPLETED)
        return (await self.store.record(notice, actor="webhook")).recording

    async def fetching(self, row: Recording | None = None, tenant: TenantId = ACME) -> Recording:
        claimed = await self.store.claim((row or await self.queued(tenant)).id, actor="worker:1")
        assert claimed is not None
        return claimed

    async def put(self, row: Recording, attempt: int | None = None) -> list[str]:
        """Put what an attempt puts: audio and its waveform."""
        key = vault_key(row.tenant_id, row.id, attempt or row.attempt, "wav")
        keys = [key, rendition_key(key, "peaks")]
        for one in keys:
            await self.vault.put_bytes(one, AUDIO)
        return keys

    async def ready(self, row: Recording | None = None, tenant: TenantId = ACME) -> tuple[Recording, list[str]]:
        claimed = await self.fetching(row, tenant)
        keys = await self.put(claimed)
        kept = Kept(keys[0], "ab" * 32, len(AUDIO), "audio/wav", 1, 8000, 3.0, verified=True)
        done = await self.store.keep(claimed.id, claimed.attempt, kept, actor="worker:1")
        assert done is not None
        return done, keys

    async def deferred(self, row: Recording) -> None:
        await self.store.defer(
            row.id,
            row.attempt,
            reason=Reason.INTERRUPTED,
            detail="",
            budget=Budget.TRIES,
            not_before=self.clock.now(),
            actor="worker:1",
        )

    async def files(self) -> set[str]:
        return {key async for key in self.vault.keys(None)}


@pytest.fixture
def hands(store: Store, vault: Vault, clock: SetClock) -> Hands:
    return Hands(store, vault, clock)


async def test_purge_leaves_the_tombstone_before_anything_is_deleted_and_then_nothing(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, keys = await hands.ready()
    # What an earlier attempt left, and a rendition made since, go with it; others stay.
    await hands.put(row, attempt=7)
    await hands.vault.put_bytes(rendition_key(keys[0], "opus"), b"small")
    _, others = await hands.ready()
    states, delete = [], hands.vault.delete

    async def observed(key: str) -> None:
        states.append((await hands.store.get(None, row.id)).state)
        await delete(key)

    monkeypatch.setattr(hands.vault, "delete", observed)
    purged = await hands.purger.purge(ACME, row.id, by=By("key:1"), why="")

    assert purged.state is State.PURGED
    assert states == [State.PURGED] * 5
    assert await hands.files() == set(others)
    assert await hands.store.to_erase(limit=10) == []
    assert hands.rings.count == 1


async def test_what_could_not_be_deleted_is_deleted_later(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    row, keys = await hands.ready()
    delete = hands.vault.delete

    async def away(key: str) -> None:
        if key.endswith(".peaks"):
            raise VaultUnavailable("away, as the test wants it")
        await delete(key)

    monkeypatch.setattr(hands.vault, "delete", away)
    assert (await hands.purger.purge(ACME, row.id, by=By("key:1"), why="")).state is State.PURGED
    assert keys[1] in await hands.files()
    assert await hands.purger.erase_due(limit=10) == 0

    monkeypatch.setattr(hands.vault, "delete", delete)
    assert await hands.purger.erase_due(limit=10) == 1
    assert await hands.files() == set()
    assert await hands.purger.erase_due(limit=10) == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_one_that_cannot_be_deleted_holds_up_no_other(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, keys = await hands.ready()
    delete = hands.vault.delete

    async def away(key: str) -> None:
        if key in keys or hands.vault_is_away:
            raise VaultUnavailable("away, as the test wants it")
        await delete(key)

    monkeypatch.setattr(hands.vault, "delete", away)
    hands.vault_is_away = True
    for recording in (stuck, *[(await hands.ready())[0] for _ in range(5)]):
        hands.clock.pass_by(timedelta(seconds=1))
        await hands.purger.purge(ACME, recording.id, by=By("key:1"), why="")
    assert await hands.purger.erase_due(limit=10) == 0

    hands.vault_is_away = False
    while await hands.purger.erase_due(limit=1) or await hands.purger.erase_due(limit=2):
        hands.clock.pass_by(timedelta(seconds=1))
    assert await hands.files() == set(keys)


async def test_retention_purges_what_is_too_old_and_some_at_a_time(hands: Hands) -> None:
    await hands.store.set_tenant(replace(await hands.store.tenant(ACME), retention_days=30))
    old = [(await hands.ready())[0].id for _ in range(3)]
    foreign, _ = await hands.ready(tenant=OTHER)  # its tenant keeps everything for ever
    hands.clock.pass_by(timedelta(days=29))
    fresh, _ = await hands.ready()

    async def purge() -> int:
        return await purge_expired(hands.store, hands.purger, hands.clock, limit=2)

    assert await purge() == 0
    hands.clock.pass_by(timedelta(days=1, seconds=1))
    assert [await purge(), await purge(), await purge()] == [2, 1, 0]
    for recording in old:
        assert (await hands.store.history(None, recording))[-1].actor == "lifecycle"
        assert "30 days" in ((await hands.store.history(None, recording))[-1].detail or "")
    for kept in (foreign, fresh):
        assert await hands.store.get(None, kept.id) == kept
    assert {key.split("/")[2][:36] for key in await hands.files()} == {foreign.id, fresh.id}


@pytest.mark.rule("I3", "I4")
async def test_orphans_go_and_what_is_needed_or_may_be_written_stays(hands: Hands) -> None:
    # Ready by the second attempt: what the first one left is nobody's.
    first = await hands.fetching()
    lost = await hands.put(first)
    await hands.deferred(first)
    winner, kept = await hands.ready(first)
    assert winner.attempt == 2
    # Put off: the next claim gives out another number.
    waiting = await hands.fetching()
    left = await hands.put(waiting)
    await hands.deferred(waiting)
    # Being fetched: the older attempt's can never be kept any more, the running one's may be at any moment.
    running = await hands.fetching(await hands.queued())
    stale = await hands.put(running)
    await hands.deferred(running)
    running = await hands.fetching(running)
    live = await hands.put(running)
    # Of these the store says nothing, or not so much.
    unknown = replace(winner, id=RecordingId("rec_" + "0" * 32))
    strange = [*await hands.put(unknown), *await hands.put(winner, attempt=3)]
    strange += await hands.put(replace(winner, tenant_id=OTHER))

    async def sweep() -> tuple[int, int]:
        swept = await sweep_orphans(hands.store, hands.vault, hands.clock, settled_for=REST, most=100)
        return swept.removed, swept.unknown

    assert await sweep() == (0, 6)  # all of it moved a moment ago
    hands.clock.pass_by(2 * REST)
    assert await sweep() == (6, 6)
    assert await hands.files() == {*kept, *live, *strange}
    assert not {*lost, *left, *stale} & await hands.files()
    assert await sweep() == (0, 6)


async def test_what_comes_after_a_purge_goes_at_once(hands: Hands) -> None:
    row, _ = await hands.ready()
    await hands.purger.purge(ACME, row.id, by=By("key:1"), why="")
    await hands.put(row)

    swept = await sweep_orphans(hands.store, hands.vault, hands.clock, settled_for=REST, most=100)

    assert (swept.removed, await hands.files()) == (2, set())


async def test_one_sweep_removes_a_bounded_number(hands: Hands) -> None:
    row, _ = await hands.ready()
    await hands.purger.purge(ACME, row.id, by=By("key:1"), why="")
    for attempt in (1, 2, 3):
        await hands.put(replace(row, attempt=3), attempt)
    removed = [
        (await sweep_orphans(hands.store, hands.vault, hands.clock, settled_for=REST, most=2)).removed for _ in "12"
    ]
    assert removed == [2, 2]
    assert len(await hands.files()) == 6 - sum(removed)


def test_old_temporary_files_and_folders_go(tmp_path: Path) -> None:
    for name in ("old", "fresh"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "audio").write_bytes(AUDIO)
    os.utime(tmp_path / "old", (0, 0))
    remove_old(tmp_path, timedelta(days=1))
    remove_old(tmp_path / "nothing", timedelta(days=1))
    assert [path.name for path in tmp_path.iterdir()] == ["fresh"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_it_runs_by_itself_until_it_is_stopped(
    store: Store, clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(store, DiskVault(tmp_path / "vault"), clock)
    first = await hands.fetching()
    orphans = await hands.put(first)
    await hands.deferred(first)
    _, kept = await hands.ready(first)
    await hands.store.set_tenant(replace(await hands.store.tenant(OTHER), retention_days=1))
    expired, _ = await hands.ready(tenant=OTHER)
    clock.pass_by(timedelta(days=2))
    settings = Settings.read({}, reconcile_every=0.1, sweep_every=1, scrub_every=0)
    lifecycle = Lifecycle(
        store=store,
        vault=hands.vault,
        bulletin=hands.rings,
        producer=Jobs(),  # type: ignore[arg-type]
        providers={},
        clock=clock,
        settings=settings,
    )
    stopping = asyncio.Event()
    away = [VaultUnavailable("away, as the test wants it"), RuntimeError("a mistake, as the test wants it")]
    turn = lifecycle.turn

    async def stumbles() -> None:
        if away:
            raise away.pop()
        await turn()

    monkeypatch.setattr(lifecycle, "turn", stumbles)
    running = asyncio.create_task(lifecycle.run(stopping))
    await until(lambda: not any((tmp_path / "vault" / key).exists() for key in orphans))

    assert (await store.get(None, expired.id)).state is State.PURGED
    assert await hands.files() == set(kept)
    stopping.set()
    await running


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
