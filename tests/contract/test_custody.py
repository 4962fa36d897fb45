"""What we owe of kept files, on real stores and vaults, with a provider that has a log of what it was asked.

Bytes that decay are found and never served; the provider's copy goes only after ours was read back whole.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from callspool.domain.audit import By
from callspool.domain.errors import VaultUnavailable
from callspool.domain.job import Job
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Event, Kept, Recording, State
from callspool.lifecycle.orphans import sweep_orphans
from callspool.lifecycle.proof import Found, read_back
from callspool.lifecycle.release import Releaser
from callspool.lifecycle.scrub import Scrubber
from callspool.providers.twilio import Twilio
from callspool.simulator import Account as Theirs
from callspool.simulator import Simulator
from callspool.vault.disk import DiskVault
from callspool.vault.keys import vault_key
from callspool.vault.s3 import S3Vault
from tests.fixtures.databases import ACME, MAIN, SetClock
from tests.fixtures.memory import Jobs, Rings
from tests.fixtures.providers import account_of
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server

AUDIO = bytes(range(256)) * 2000  # more than one block
DAY = timedelta(days=1)
FAST = 1e12
WORKER = "worker:1"


class Decay:
    """A vault's bytes, changed behind its back."""

    def __init__(self, vault: Vault, folder: Path, bucket: S3Store | None) -> None:
        self.vault, self._folder, self._bucket = vault, folder, bucket

    async def write(self, key: str, data: bytes) -> None:
        if self._bucket is None:
            (self._folder / key).write_bytes(data)
        else:
            await obstore.put_async(self._bucket, key, data, use_multipart=False)

    async def flip(self, key: str) -> None:
        """One bit, near the end."""
        data = bytearray(await self.vault.read_all(key))
        data[-100] ^= 1
        await self.write(key, bytes(data))


@pytest.fixture(params=["disk", "s3"])
def decay(request: pytest.FixtureRequest, tmp_path: Path) -> Decay:
    folder = tmp_path / "vault"
    if request.param == "disk":
        return Decay(DiskVault(folder), folder, None)
    server: S3Server = request.getfixturevalue("s3_server")
    prefix = request.getfixturevalue("s3_prefix")
    vault = S3Vault(BUCKET, prefix=prefix, endpoint=server.url, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    return Decay(vault, folder, vault._store)


class Custody:
    """A store, a vault and a provider, and what looks after what is kept."""

    def __init__(self, store: Store, decay: Decay, clock: SetClock, simulator: Simulator, theirs: Theirs) -> None:
        self.store, self.vault, self.decay, self.clock = store, decay.vault, decay, clock
        self.simulator, self.theirs = simulator, theirs
        self.provider = Twilio(connect_timeout=timedelta(seconds=2), stall_timeout=timedelta(seconds=5))
        self.jobs, self.rings = Jobs(), Rings()
        parts = {"store": store, "vault": self.vault, "providers": {"twilio": self.provider}, "clock": clock}
        self.scrubber = Scrubber(producer=self.jobs, bulletin=self.rings, rate=FAST, **parts)  # type: ignore[arg-type]
        self.releaser = Releaser(scrubber=self.scrubber, rate=FAST, pause=timedelta(), **parts)  # type: ignore[arg-type]

    async def queued(self) -> Recording:
        made = self.simulator.add_recording(account_sid=self.theirs.sid)
        notice = Notice(MAIN, ACME, made.sid, call_id=None, status=ProviderStatus.COMPLETED)
        return (await self.store.record(notice, actor="webhook")).recording

    async def kept(self, row: Recording | None = None, *, verified: bool = True) -> Recording:
        claimed = await self.store.claim((row or await self.queued()).id, actor=WORKER)
        assert claimed is not None
        key = vault_key(ACME, claimed.id, claimed.attempt, "wav")
        await self.vault.put_bytes(key, AUDIO)
        sha256 = hashlib.sha256(AUDIO).hexdigest()
        kept = Kept(key, sha256, len(AUDIO), "audio/wav", 1, 8000, 3.0, verified=verified)
        done = await self.store.keep(claimed.id, claimed.attempt, kept, actor=WORKER)
        assert done is not None
        return done

    async def now(self, row: Recording) -> Recording:
        return await self.store.get(None, row.id)

    async def events(self, row: Recording) -> list[Event]:
        return [entry.event for entry in await self.store.history(None, row.id)]

    def deletions(self) -> list[str]:
        """What the provider was told to delete, in order."""
        entries = self.simulator.log.entries
        return [entry.path.rpartition("/")[2].split(".")[0] for entry in entries if entry.method == "DELETE"]


@pytest.fixture
async def custody(store: Store, decay: Decay, clock: SetClock, simulator: Simulator) -> AsyncIterator[Custody]:
    theirs = simulator.add_account()
    await store.set_account(account_of(simulator, theirs, delete_after_keep=True))
    custody = Custody(store, decay, clock, simulator, theirs)
    yield custody
    await custody.provider.close()


def key_of(row: Recording) -> str:
    assert row.kept is not None
    return row.kept.vault_key


@pytest.mark.rule("I3")
async def test_a_flipped_bit_is_found_told_and_fetched_again(custody: Custody) -> None:
    sound, rotten = await custody.kept(), await custody.kept()
    await custody.decay.flip(key_of(rotten))
    assert await custody.scrubber.turn(DAY) == 0  # nothing is due so soon

    custody.clock.pass_by(2 * DAY)
    assert await custody.scrubber.turn(DAY) == 2

    now = await custody.now(rotten)
    assert (now.state, now.reason, now.kept) == (State.QUEUED, Reason.CORRUPT, rotten.kept)
    assert (await custody.events(rotten))[-2:] == [Event.CORRUPT, Event.RETRY]
    assert custody.jobs.submitted == [Job(rotten.id, MAIN, ACME)]
    (entry,) = await custody.store.audit_log(None, limit=1)
    assert (entry.actor, entry.action, entry.target) == ("scrub", "recording.corrupt", rotten.id)
    assert json.loads(entry.detail)["sha256"] == key_sha(rotten)
    assert await custody.now(sound) == sound
    assert await custody.scrubber.turn(DAY) == 0  # the sound one was noted

    again = await custody.kept(now)
    assert (again.state, again.reason, again.attempt) == (State.READY, None, rotten.attempt + 1)
    assert again.ready_at == rotten.ready_at  # its retention goes on from there
    assert await read_back(custody.vault, again.kept, rate=FAST) is Found.SAME  # type: ignore[arg-type]


def key_sha(row: Recording) -> str:
    assert row.kept is not None
    return row.kept.sha256


async def test_a_lost_or_shortened_file_is_corrupt_too(custody: Custody) -> None:
    gone, short = await custody.kept(), await custody.kept()
    await custody.vault.delete(key_of(gone))
    await custody.decay.write(key_of(short), AUDIO[:-1])
    custody.clock.pass_by(2 * DAY)
    await custody.scrubber.turn(DAY)

    details = [(await custody.now(row)).detail for row in (gone, short)]
    assert details == [Found.MISSING.value, Found.SIZE.value]


async def test_what_the_provider_no_longer_has_fails_visibly_and_its_file_stays(custody: Custody) -> None:
    row = await custody.kept()
    await custody.provider.delete(await custody.store.account(MAIN), row.provider_recording_id)
    await custody.decay.flip(key_of(row))
    custody.clock.pass_by(2 * DAY)
    await custody.scrubber.turn(DAY)

    now = await custody.now(row)
    assert (now.state, now.reason) == (State.FAILED, Reason.CORRUPT)
    assert custody.jobs.submitted == []
    custody.clock.pass_by(2 * DAY)
    await sweep_orphans(custody.store, custody.vault, custody.clock, settled_for=DAY, most=10)
    assert len(await custody.vault.read_all(key_of(row))) == len(AUDIO)  # damaged, and the only one there is

    await custody.decay.write(key_of(row), AUDIO)  # from a backup
    restored = await custody.scrubber.prove(now)
    assert (restored.state, restored.reason, restored.kept) == (State.READY, None, row.kept)
    assert (await custody.store.audit_log(None, limit=1))[0].action == "recording.restore"


async def test_what_moved_meanwhile_is_not_condemned(custody: Custody) -> None:
    row = await custody.kept()
    await custody.store.purge(None, row.id, by=By("cli"), why="")
    assert await custody.store.corrupt(row, "", again=True) is None
    other = await custody.kept()
    moved = await custody.store.corrupt(other, "", again=True)
    assert moved is not None
    newer = await custody.kept(moved)
    assert await custody.store.corrupt(other, "", again=True) is None  # that was the file before
    assert await custody.now(newer) == newer


async def test_a_vault_that_is_away_condemns_nothing_and_one_lost_file_is_told_from_it(
    custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await custody.kept()
    custody.clock.pass_by(2 * DAY)

    async def away(*_: object) -> None:
        raise VaultUnavailable("away, as the test wants it")

    monkeypatch.setattr(custody.vault, "open", away)
    with monkeypatch.context() as patch:
        patch.setattr(custody.vault, "ping", away)
        with pytest.raises(VaultUnavailable):
            await custody.scrubber.turn(DAY)
    assert await custody.now(row) == row
    await custody.scrubber.turn(DAY)  # now it answers, but for this file
    assert (await custody.now(row)).detail == Found.UNREADABLE.value


async def test_it_reads_no_faster_than_it_may(custody: Custody, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await custody.kept()
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("callspool.lifecycle.proof.asyncio.sleep", note)
    assert row.kept is not None
    await read_back(custody.vault, row.kept, rate=1000)
    assert sum(slept) == pytest.approx(len(AUDIO) / 1000)


async def test_the_providers_copy_goes_once_ours_was_read_back_and_not_before(custody: Custody) -> None:
    waiting = await custody.queued()
    assert await custody.releaser.turn(limit=10) == 0
    assert custody.deletions() == []

    row = await custody.kept(waiting)
    assert await custody.releaser.turn(limit=10) == 1

    assert custody.deletions() == [row.provider_recording_id]
    assert (await custody.now(row)).provider_deleted_at == custody.clock.now()
    (entry,) = await custody.store.audit_log(None, limit=1)
    assert (entry.action, entry.target) == ("recording.delete_at_provider", row.id)
    assert json.loads(entry.detail)["sha256"] == key_sha(row)
    assert await custody.releaser.turn(limit=10) == 0
    assert custody.deletions() == [row.provider_recording_id]


async def test_nothing_is_deleted_of_what_decayed_is_held_or_was_not_verified(custody: Custody) -> None:
    rotten, held, unsure = await custody.kept(), await custody.kept(), await custody.kept(verified=False)
    await custody.decay.flip(key_of(rotten))
    hold = await custody.store.hold_recording(None, held.id, why="Doe v. Acme")
    whole = await custody.store.hold_tenant(ACME, why="all of it")

    assert await custody.releaser.turn(limit=10) == 0
    await custody.store.remove_hold(whole.id)
    custody.clock.pass_by(DAY)
    assert await custody.releaser.turn(limit=10) == 0

    assert custody.deletions() == []
    assert (await custody.now(rotten)).reason is Reason.CORRUPT  # and so it is fetched again
    assert (await custody.now(unsure)).provider_deleted_at is None
    await custody.store.remove_hold(hold.id)
    assert await custody.releaser.turn(limit=10) == 1
    assert custody.deletions() == [held.provider_recording_id]


async def test_a_hold_that_comes_while_the_file_is_read_back_stops_the_deletion(
    custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await custody.kept()
    proved = custody.store.proved

    async def hold_first(recording: Recording) -> None:
        await custody.store.hold_recording(None, recording.id, why="just in time")
        await proved(recording)

    monkeypatch.setattr(custody.store, "proved", hold_first)
    assert await custody.releaser.turn(limit=10) == 0
    assert custody.deletions() == []
    assert (await custody.now(row)).state is State.READY


async def test_a_provider_that_does_not_answer_is_asked_again_later(custody: Custody) -> None:
    row = await custody.kept()
    account = await custody.store.account(MAIN)
    await custody.store.set_account(replace(account, base_url="http://127.0.0.1:9"))
    assert await custody.releaser.turn(limit=10) == 0
    await custody.store.set_account(account)
    assert await custody.releaser.turn(limit=10) == 0  # not at once
    custody.clock.pass_by(timedelta(minutes=2))
    assert await custody.releaser.turn(limit=10) == 1
    assert custody.deletions() == [row.provider_recording_id]


async def test_only_what_is_kept_after_an_account_asked_for_it_is_deleted(custody: Custody) -> None:
    account = await custody.store.account(MAIN)
    await custody.store.set_account(replace(account, delete_after_keep=False))
    await custody.kept()
    await custody.store.set_account(account)
    later = await custody.kept()
    custody.clock.pass_by(DAY)
    assert await custody.releaser.turn(limit=10) == 1
    assert custody.deletions() == [later.provider_recording_id]


@pytest.mark.rule("I4")
async def test_a_failure_that_is_not_decay_cannot_be_restored(custody: Custody) -> None:
    claimed = await custody.store.claim((await custody.queued()).id, actor=WORKER)
    assert claimed is not None
    failed = await custody.store.give_up(
        claimed.id, claimed.attempt, reason=Reason.GONE, detail="", budget=Budget.TRIES, actor=WORKER
    )
    assert failed is not None
    assert await custody.store.restore(failed) is None
    assert await custody.now(failed) == failed
