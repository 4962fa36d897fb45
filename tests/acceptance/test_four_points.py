"""Workers that are killed or frozen at the four points of a fetch, all at the same moment; another one takes over.

From outside only: the provider stops in the body, a gate before the storage holds the put or its answer, and a gate
before the database holds the COMMIT. Each point has a recording and a worker of its own.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import pytest

from callspool.domain.ids import TenantId
from callspool.domain.recording import Recording, State
from tests.acceptance.gated import Stage, staged
from tests.acceptance.system import Process, until
from tests.fixtures.s3 import S3Server

AT_BYTE_N, SPOOLED, PUT, UNCOMMITTED = "at byte N", "after the spool's fsync", "after the put", "before COMMIT"
POINTS = (AT_BYTE_N, SPOOLED, PUT, UNCOMMITTED)
LEASE_S = 5.0
"""As long as the database lets a frozen transaction hold its locks."""


@dataclass
class Scene:
    """Four recordings, each with a worker that has come to its point, and one that has nothing to do."""

    stage: Stage
    recordings: dict[str, Recording]
    workers: list[Process]
    rescuer: Process

    async def now(self) -> dict[str, Recording]:
        """Return the rows as they are."""
        return {point: await self.stage.system.of(one.provider_recording_id) for point, one in self.recordings.items()}

    async def running(self) -> int:
        """Return how many slots are taken."""
        (load,) = await self.stage.system.parts.producer.load(["acme"])
        return load.running

    async def taken_over(self, moment: float) -> dict[str, Recording]:
        """Wait until the other worker has them all before its put; return the rows.

        They were with the provider again within one lease, and a second, of *moment*.
        """
        await asyncio.wait_for(self.stage.rescue.has_held(len(POINTS)), 60)
        for point, one in self.recordings.items():
            first, second = self.downloads(one)
            assert second.start - moment <= LEASE_S + 1, point
            assert not first.whole or point != AT_BYTE_N
            assert f"-{self.rescuer.pid}-" in (await self.stage.system.workers_of(one.id))[-1]
        assert await self.running() == len(POINTS), "every slot is used again"
        return await self.now()

    async def ends_well(self) -> None:
        """Let the other worker go on; see that all is as if nothing had been."""
        self.stage.rescue.release()
        for point, one in self.recordings.items():
            ready = await self.stage.system.reaches(one, State.READY, seconds=60)
            assert ready.attempt == 2, point
            assert await self.stage.is_whole(ready), point
            assert await self.stage.events(one) == ["enqueue", "claim", "expire", "claim", "keep"], point
            assert f"{one.id}-2.wav" in await self.stage.files(one)
            assert len(self.downloads(one)) == 2, point

        async def none_is_taken() -> bool:
            return await self.running() == 0

        async def spool_is_empty() -> bool:
            return len(self.spools()) == 1 and not list(self.spool.rglob("*.part"))

        await until(none_is_taken, 30)
        await until(spool_is_empty, 30)

    def downloads(self, one: Recording) -> list:  # type: ignore[type-arg]
        """Return what the provider was asked for."""
        return [entry for entry in self.stage.system.log() if entry.recording_sid == one.provider_recording_id]

    @property
    def spool(self) -> Path:
        """The folder that all workers share."""
        return self.stage.system.parts.settings.spool

    def spools(self) -> list[Path]:
        """Return the workers' folders in it."""
        return [path for path in self.spool.glob("*") if path.is_dir()]


@pytest.fixture
async def scene(tmp_path: Path, postgres_url: str, s3_server: S3Server, s3_prefix: str) -> AsyncIterator[Scene]:
    async with staged(tmp_path, postgres_url, s3_server, s3_prefix, lease=LEASE_S) as stage:
        parts, simulator = stage.system.parts, stage.system.simulator
        acme = replace(await parts.store.tenant(TenantId("acme")), slots=len(POINTS))
        await parts.store.set_tenant(acme)
        await parts.producer.set_tenant(acme.id, slots=acme.slots, weight=1.0, paused=False)
        faults = {AT_BYTE_N: ["stall:0.5:1"]}
        made = {
            point: await stage.system.call(duration_s=2.0, channels=2, faults=faults.get(point, [])) for point in POINTS
        }
        file = {point: f"{one.id}-1.wav".encode() for point, one in made.items()}
        stage.vault.holds = lambda said: file[SPOOLED] in said
        stage.vault.holds_answer_to = lambda said: file[PUT] in said
        stage.store.holds = lambda said: file[UNCOMMITTED] in said and b"COMMIT;" in said
        stage.rescue.holds = lambda said: b"-2.wav" in said
        half = len(await simulator.audio(simulator.recordings[made[AT_BYTE_N].provider_recording_id])) // 2
        # Room for one each: every worker has another recording.
        workers = await asyncio.gather(*(stage.worker(CALLSPOOL_CONCURRENCY="1") for _ in POINTS))

        async def has_sent_half() -> bool:
            sid = made[AT_BYTE_N].provider_recording_id
            return any(entry.recording_sid == sid and entry.sent >= half for entry in stage.system.log())

        await until(has_sent_half)
        await asyncio.wait_for(stage.vault.has_held(2), 90)
        await asyncio.wait_for(stage.store.has_held(1), 90)
        assert await stage.files(made[SPOOLED]) == []
        assert await stage.files(made[PUT]) == [file[PUT].decode()], "the storage has it; nobody was told"
        rescuer = await stage.system.worker(**stage.rescuing, CALLSPOOL_SWEEP_EVERY="1")
        one = Scene(stage, made, list(workers), rescuer)

        async def is_there() -> bool:
            return len(one.spools()) == len(POINTS) + 1

        await until(is_there)
        assert {row.state for row in (await one.now()).values()} == {State.FETCHING}
        # Meanwhile the database has ended the transaction that stood so long, and its worker asks again: now it is new.
        await asyncio.wait_for(stage.store.has_held(stage.store.held + 1), 60)
        yield one


@pytest.mark.rule("S7", "S10", "F5", "I1", "I2", "I3", "I5")
@pytest.mark.timeout(400)
async def test_workers_killed_at_the_four_points_are_replaced_within_a_lease(scene: Scene) -> None:
    moment = monotonic()
    for worker in scene.workers:
        worker.send(signal.SIGKILL)

    await scene.taken_over(moment)
    await scene.ends_well()


@pytest.mark.rule("S4", "S10", "I1", "I3", "I4", "I5")
@pytest.mark.timeout(400)
async def test_workers_frozen_at_the_four_points_change_nothing_when_they_wake(scene: Scene) -> None:
    moment = monotonic()
    for worker in scene.workers:
        worker.send(signal.SIGSTOP)

    before = await scene.taken_over(moment)
    scene.stage.vault.release()
    scene.stage.store.release()
    for worker in scene.workers:
        worker.send(signal.SIGCONT)
    for worker in scene.workers:  # each ends what it does, and then itself
        assert await worker.end(signal.SIGTERM) == 0

    assert await scene.now() == before
    assert await scene.running() == len(POINTS), "they freed nobody's slot"
    await scene.ends_well()
