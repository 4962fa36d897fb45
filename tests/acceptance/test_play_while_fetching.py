"""Playing a recording while it comes: through the real server, from a real worker, as the provider sends it."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import PrivateKey
from callspool.fetch.tap import HELD_BACK
from callspool.simulator import PublicKey
from callspool.simulator.requestlog import Entry
from tests.acceptance.system import Process, System, system, until

RATE = "drip:100000"  # a 4 s dual call, 128 kB, takes more than a second


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for all of them; bravo has a single slot. Each test starts, and ends, the workers it needs."""
    async with system(tmp_path_factory.mktemp("system"), play_wait=60.0) as one:
        await one.parts.store.set_tenant(replace(await one.parts.store.tenant(TenantId("bravo")), slots=1))
        await one.parts.producer.set_tenant("bravo", slots=1, weight=1.0, paused=False)
        yield one


class Crew:
    """The worker that all tests share, until one of them ends it."""

    def __init__(self, running: System) -> None:
        self._running = running
        self._worker: Process | None = None

    async def worker(self) -> Process:
        if self._worker is None:
            self._worker = await self._running.worker(CALLSPOOL_DRAIN_GRACE="0")
        return self._worker

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._worker is not None:
            self._worker.send(signal.SIGCONT)
            await self._worker.end(number)
        self._worker = None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crew(running: System) -> AsyncIterator[Crew]:
    crew = Crew(running)
    yield crew
    await crew.end()


@pytest_asyncio.fixture(loop_scope="module")
async def worker(crew: Crew) -> Process:
    return await crew.worker()


class Heard:
    """A play request and what it brought."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.data = b""
        self._chunks = response.aiter_raw()

    async def until(self, at_least: int) -> None:
        """Listen until so many bytes came."""
        async with asyncio.timeout(20):
            while len(self.data) < at_least:
                self.data += await anext(self._chunks)

    async def rest(self) -> bytes:
        """Listen to the end. Raises `httpx.RemoteProtocolError` where the stream is cut."""
        async with asyncio.timeout(40):
            async for chunk in self._chunks:
                self.data += chunk
        return self.data


@asynccontextmanager
async def play(running: System, recording: Recording, **headers: str) -> AsyncIterator[Heard]:
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=60) as client:
        given = {"authorization": f"Bearer {running.key}", **headers}
        async with client.stream("GET", f"/api/recordings/{recording.id}/audio", headers=given) as response:
            yield Heard(response)


async def sent(running: System, recording: Recording) -> bytes:
    """What the provider has."""
    return await running.simulator.audio(running.simulator.recordings[recording.provider_recording_id])


def downloads(running: System, recording: Recording) -> list[Entry]:
    """The provider's log of it."""
    return [one for one in running.log() if one.recording_sid == recording.provider_recording_id]


def spool_descriptors(pid: int) -> int:
    """How many descriptors of that process are open on downloads, finished ones too."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += ".part" in str(link.readlink())
        except OSError:
            continue
    return count


@pytest.mark.rule("S6", "S10", "I3", "I7")
async def test_many_hear_one_download_as_it_comes(running: System, worker: Process) -> None:
    queued = await running.call(duration_s=4.0, channels=2, faults=[RATE])
    await running.is_downloading(queued)
    async with play(running, queued) as first:
        await first.until(1)
        (download,) = downloads(running, queued)
        assert download.end is None  # the provider still sends
        assert first.response.status_code == 200
        assert first.response.headers["content-type"] == "audio/wav"
        assert first.response.headers["transfer-encoding"] == "chunked"
        assert first.response.headers["cache-control"] == "no-store"
        assert first.response.headers["accept-ranges"] == "none"
        await first.until(50_000)
        # What has no end yet has no ranges: RFC 9110, 14.2, lets a server ignore them.
        async with play(running, queued, range="bytes=0-1") as second, play(running, queued) as third:
            assert second.response.status_code == 200
            audio = await sent(running, queued)
            assert await asyncio.gather(first.rest(), second.rest(), third.rest()) == [audio] * 3
    ready = await running.parts.store.get(None, queued.id)
    assert (ready.state, ready.attempt) == (State.READY, 1)  # what ended well was kept already
    assert len(downloads(running, queued)) == 1
    async with play(running, queued, range="bytes=0-1") as later:
        assert (later.response.status_code, await later.rest()) == (206, audio[:2])


@pytest.mark.rule("I3", "I5")
async def test_a_killed_worker_cuts_the_stream_and_the_recording_still_comes(
    running: System, worker: Process, crew: Crew
) -> None:
    queued = await running.call(duration_s=4.0, channels=2, faults=[RATE])
    async with play(running, queued) as heard:
        await heard.until(20_000)
        await crew.end(signal.SIGKILL)
        with pytest.raises(httpx.RemoteProtocolError):
            await heard.rest()
    await crew.worker()
    ready = await running.reaches(queued, State.READY)
    assert ready.attempt == 2
    audio = await sent(running, queued)
    assert audio.startswith(heard.data)
    assert len(heard.data) < len(audio)
    async with play(running, queued) as again:
        assert await again.rest() == audio


@pytest.mark.rule("I4")
async def test_a_frozen_worker_cuts_the_stream_once_another_has_the_recording(
    running: System, worker: Process, crew: Crew
) -> None:
    queued = await running.call(duration_s=4.0, channels=2, faults=[RATE])
    async with play(running, queued) as heard:
        await heard.until(20_000)
        worker.send(signal.SIGSTOP)
        other = await running.worker()
        with pytest.raises(httpx.RemoteProtocolError):
            await heard.rest()
    assert (await running.reaches(queued, State.READY)).attempt == 2
    await other.end()
    await crew.end()


@pytest.mark.rule("I3", "F11", "F26")
async def test_what_the_check_refuses_is_cut_and_never_completed(running: System, worker: Process) -> None:
    """The provider ends politely and early, and says no length: only the check can know."""
    queued = await running.call(duration_s=4.0, channels=2, faults=["truncated:0.5:1", RATE])
    async with play(running, queued) as heard:
        assert heard.response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            await heard.rest()
    audio = await sent(running, queued)
    assert audio.startswith(heard.data)
    assert 0 < len(heard.data) < len(audio) // 2  # not even all of what came
    assert (await running.reaches(queued, State.READY)).attempt == 2
    history = await running.parts.store.history(None, queued.id)
    assert "truncated" in [entry.reason for entry in history]


@pytest.mark.rule("S9")
async def test_a_break_that_is_mended_is_not_heard_and_one_that_begins_again_is_a_cut(
    running: System, worker: Process
) -> None:
    mended = await running.call(duration_s=4.0, channels=2, faults=["reset:0.5", RATE])
    async with play(running, mended) as heard:
        assert await heard.rest() == await sent(running, mended)
    assert [one.range != "" for one in downloads(running, mended)] == [False, True]
    begun_again = await running.call(duration_s=4.0, channels=2, faults=["reset:0.5", "weak-etag", RATE])
    async with play(running, begun_again) as heard:
        with pytest.raises(httpx.RemoteProtocolError):
            await heard.rest()
    assert (await running.reaches(begun_again, State.READY)).attempt == 2


@pytest_asyncio.fixture(loop_scope="module")
async def public_key(running: System) -> PublicKey:
    """The account's, at the provider; we have the private half."""
    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    sid, store = "CR" + "e" * 32, running.parts.store
    account = await store.account(AccountId("main"))
    await store.set_account(replace(account, private_keys=(PrivateKey(sid, pem.decode()),)))
    return PublicKey(sid, public.decode())


@pytest.mark.rule("I3")
async def test_an_encrypted_recording_is_heard_once_its_tag_was_checked(
    running: System, worker: Process, public_key: PublicKey
) -> None:
    """Before that, anybody on the way may have altered what would be heard."""
    queued = await running.call(duration_s=4.0, channels=2, faults=[RATE], public_key=public_key)
    async with play(running, queued) as heard:
        await heard.until(1)
        (download,) = downloads(running, queued)
        assert download.end is not None
        assert await heard.rest() == await sent(running, queued)
    assert len(downloads(running, queued)) == 1


@pytest.mark.rule("I3")
async def test_altered_ciphertext_is_never_heard_while_someone_listens(
    running: System, worker: Process, public_key: PublicKey
) -> None:
    queued = await running.call(duration_s=4.0, channels=2, faults=["altered:0.9", RATE], public_key=public_key)
    await running.is_downloading(queued)
    async with play(running, queued) as heard:
        body = b""
        with contextlib.suppress(httpx.RemoteProtocolError):
            body = await heard.rest()
        assert not heard.response.headers["content-type"].startswith("audio/")
        assert b"RIFF" not in heard.data + body
    failed = await running.reaches(queued, State.FAILED)
    assert (failed.reason, failed.kept) == (Reason.UNDECRYPTABLE, None)


@pytest.mark.rule("F28", "S3", "S6", "I1")
async def test_a_play_request_goes_before_what_waits_and_begins_when_its_bytes_do(
    running: System, worker: Process
) -> None:
    calls = [await running.call("bravo", duration_s=2.0, channels=2, faults=[RATE]) for _ in range(3)]
    await running.is_downloading(calls[0])
    async with play(running, calls[2]) as heard:
        (load,) = await running.parts.producer.load(["bravo"])
        assert load.running == 1  # its own download: listening takes no slot
        assert await heard.rest() == await sent(running, calls[2])
    await running.reaches(calls[1], State.READY)
    logs = [downloads(running, call) for call in calls]
    assert [len(log) for log in logs] == [1, 1, 1]
    assert logs[0][0].start < logs[2][0].start < logs[1][0].start
    assert max(log[0].tag_concurrency for log in logs) == 1


async def test_a_listener_that_leaves_gives_everything_back(running: System, worker: Process) -> None:
    """Noticed also while there is nothing to send."""
    queued = await running.call(duration_s=60.0, channels=2, faults=["stall:0.5"])
    await running.is_downloading(queued)
    assert spool_descriptors(worker.pid) == 1  # the download's own
    async with play(running, queued) as heard:
        await heard.until(len(await sent(running, queued)) // 2 - HELD_BACK)  # and nothing more comes
        assert spool_descriptors(worker.pid) == 2

    async def given_back() -> bool:
        return spool_descriptors(worker.pid) == 1

    await until(given_back, seconds=5)
    (download,) = downloads(running, queued)
    assert download.end is None  # the download goes on


async def test_sound_comes_while_less_than_one_write_has_come(running: System, worker: Process) -> None:
    """A slow provider's bytes are heard from memory, long before there is enough of them for the disk."""
    queued = await running.call(duration_s=4.0, channels=2, faults=["drip:4000"])
    async with play(running, queued) as heard:
        await heard.until(2000)
        (download,) = downloads(running, queued)
        assert download.sent < 64 * 1024
