"""Playing what is not there yet: hastened, heard as it comes, completed only when the store says that it is ready."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from callspool.api.coming import MOST_WAITING
from callspool.domain.job import Job, Place
from callspool.domain.recording import Recording
from callspool.fetch.spool import Spool, SpoolFile
from callspool.fetch.tap import HELD_BACK, Tap, Taps
from callspool.fetch.tapserver import TapServer
from callspool.scheduler.connection import Functions
from callspool.scheduler.consumer import ValkeyConsumer
from callspool.scheduler.producer import ValkeyProducer
from tests.api.conftest import SECRET, Api, SettableClock, until
from tests.fixtures import made

WAV = made.wav(20.0)


class Hands:
    """A worker whose every step is the test's: the real lease, spool and server."""

    def __init__(self, api: Api, consumer: ValkeyConsumer, taps: Taps, spool: Spool) -> None:
        self.api = api
        self._consumer = consumer
        self._taps = taps
        self._spool = spool

    @asynccontextmanager
    async def fetching(self, recording: Recording) -> AsyncIterator[tuple[Recording, SpoolFile, Tap]]:
        """Claim it and begin its download."""
        await self.api.services.producer.submit(Job(recording.id, recording.account_id, recording.tenant_id))
        (lease,) = (await self._consumer.turn((), 1)).leases
        assert lease.job.id == recording.id
        claimed = await self.api.services.store.claim(recording.id, actor="worker:test")
        assert claimed is not None
        file = self._spool.open(claimed.id, claimed.attempt)
        with self._taps.open(claimed.id, claimed.attempt, file) as tap:
            await self.api.services.bulletin.ring()
            yield claimed, file, tap


@pytest.fixture
async def hands(patient_api: Api, functions: Functions, tmp_path: Path, clock: SettableClock) -> AsyncIterator[Hands]:
    await ValkeyProducer(functions).open()  # nobody held a lease before
    taps, spool = Taps(), Spool(tmp_path / "spool", "w1")
    async with TapServer(taps, host="127.0.0.1", port=0, address="", secret_key=SECRET, clock=clock) as server:
        consumer = ValkeyConsumer(
            functions.url,
            worker_id=secrets.token_hex(8),
            lease=timedelta(seconds=30),
            shards=(functions.keys.shard,),
            address=server.address,
        )
        yield Hands(patient_api, consumer, taps, spool)
        await consumer.close()
    spool.close()


class Play:
    """A play request under way."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.data = b""
        self._chunks = response.aiter_raw()

    async def until(self, at_least: int) -> None:
        async with asyncio.timeout(10):
            while len(self.data) < at_least:
                self.data += await anext(self._chunks)

    async def rest(self) -> bytes:
        async with asyncio.timeout(20):
            async for chunk in self._chunks:
                self.data += chunk
        return self.data


@asynccontextmanager
async def play(api: Api, recording: Recording, **headers: str) -> AsyncIterator[Play]:
    path = f"/api/recordings/{recording.id}/audio"
    async with api.client.stream("GET", path, headers={**api.as_("acme"), **headers}) as response:
        yield Play(response)


async def waits(api: Api) -> bool:
    """A play request waits for events."""
    return bool(api.live._listeners)


@pytest.mark.rule("S3", "S6", "F28")
async def test_playing_what_waits_brings_it_before_the_archive_and_takes_no_slot(api: Api) -> None:
    waiting, deferred = await api.record(), await api.deferred()
    for recording in (waiting, deferred):
        job = Job(recording.id, recording.account_id, recording.tenant_id)
        await api.services.producer.submit(job, delay=timedelta(hours=1) if recording is deferred else None)
    assert await api.services.producer.place(deferred.id) is Place.DEFERRED

    for recording in (waiting, deferred):
        assert (await api.get(f"/api/recordings/{recording.id}/audio")).status_code == 202

    assert (await api.services.store.get(None, deferred.id)).not_before is None
    assert await api.services.producer.place(deferred.id) is Place.WAITING
    (load,) = await api.services.producer.load(["acme"])
    assert (load.running, load.waiting, load.deferred) == (0, 2, 0)


async def test_a_head_request_hastens_nothing(api: Api) -> None:
    recording = await api.deferred()

    answer = await api.client.head(f"/api/recordings/{recording.id}/audio", headers=api.as_("acme"))

    assert (answer.status_code, answer.content) == (202, b"")
    assert (await api.services.store.get(None, recording.id)).not_before is not None


async def test_what_becomes_ready_during_the_wait_is_played_with_ranges(patient_api: Api) -> None:
    api = patient_api
    recording = await api.record()
    path = f"/api/recordings/{recording.id}/audio"
    asking = asyncio.create_task(api.get(path, headers={"range": "bytes=-5"}))
    await until(lambda: waits(api))

    claimed = await api.services.store.claim(recording.id, actor="worker:test")
    assert claimed is not None
    await api.keep(claimed, WAV)
    answer = await asking

    assert (answer.status_code, answer.content) == (206, WAV[-5:])


@pytest.mark.rule("F25")
async def test_what_fails_during_the_wait_is_said_at_once(patient_api: Api) -> None:
    api = patient_api
    recording = await api.fetching()
    asking = asyncio.create_task(api.get(f"/api/recordings/{recording.id}/audio"))
    await until(lambda: waits(api))

    await api.give_up(recording)
    await api.services.bulletin.ring()
    answer = await asking

    assert (answer.status_code, answer.json()["code"]) == (409, "needs_retry")


async def test_a_request_that_waits_begins_with_the_first_bytes(hands: Hands) -> None:
    recording = await hands.api.record()

    async def listen() -> tuple[str, bytes]:
        async with play(hands.api, recording) as heard:
            return heard.response.headers["content-type"], await heard.rest()

    asking = asyncio.create_task(listen())
    await until(lambda: waits(hands.api))
    async with hands.fetching(recording) as (claimed, file, tap):
        await file.append(WAV)
        await file.finish()
        await hands.api.keep(claimed, WAV)
        tap.keep()
        assert await asking == ("audio/wav", WAV)


async def test_what_was_heard_while_it_came_is_told(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it where it was kept; where it was cut, what was sent."""
    monkeypatch.setattr("callspool.api.listening.QUIET", timedelta(0))
    monkeypatch.setattr("callspool.api.trail._LOOK", timedelta(seconds=0.2))
    kept, cut = await hands.api.record(), await hands.api.record()
    for recording in (kept, cut):
        async with hands.fetching(recording) as (claimed, file, tap):
            await file.append(WAV)
            async with play(hands.api, recording) as heard:
                await file.finish()
                if recording is kept:
                    await hands.api.keep(claimed, WAV)
                tap.keep()
                with contextlib.suppress(httpx.RemoteProtocolError):
                    await heard.rest()

    store = hands.api.services.store

    async def told() -> list[tuple[str, str | None, int | None, str | None]]:
        listens = [one for it in (kept, cut) for one in (await store.timeline(None, it.id)).listens]
        return [(one.actor[:4], one.how, one.bytes, one.result) for one in listens]

    async def are_told() -> bool:
        return [None not in one for one in await told()] == [True, True]

    await until(are_told)
    assert await told() == [("key:", "growing", len(WAV), "complete"), ("key:", "growing", len(WAV), "partial")]


@pytest.mark.rule("I3", "I4")
async def test_the_stream_is_completed_only_when_the_store_says_ready(hands: Hands) -> None:
    """A worker's own word is not enough: it may be one that was paused, and another attempt runs."""
    recording = await hands.api.record()
    async with hands.fetching(recording) as (_, file, tap):
        await file.append(WAV)
        async with play(hands.api, recording) as heard:
            assert heard.response.status_code == 200
            await file.finish()
            tap.keep()
            with pytest.raises(httpx.RemoteProtocolError):
                await heard.rest()


@pytest.mark.rule("I4")
async def test_a_silent_download_whose_attempt_is_over_is_cut(hands: Hands) -> None:
    recording = await hands.api.record()
    async with hands.fetching(recording) as (claimed, file, _):
        await file.append(WAV[:100_000])
        async with play(hands.api, recording) as heard:
            await heard.until(100_000 - HELD_BACK)
            await hands.api.give_up(claimed)
            with pytest.raises(httpx.RemoteProtocolError):
                await heard.rest()
    assert heard.data == WAV[: 100_000 - HELD_BACK]


@pytest.mark.rule("I9")
async def test_a_link_to_what_is_on_its_way_plays_it_and_nothing_else(hands: Hands) -> None:
    api, recording = hands.api, await hands.api.record()
    link = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
    other = await api.ready("bravo")
    async with hands.fetching(recording) as (claimed, file, tap):
        await file.append(WAV)
        async with api.client.stream("GET", link) as response:
            heard = Play(response)
            await heard.until(len(WAV) - HELD_BACK)
            await file.finish()
            await api.keep(claimed, WAV)
            tap.keep()
            assert await heard.rest() == WAV
    assert (await api.client.get(link)).content == WAV
    assert (await api.client.get(link.replace(recording.id, other.id))).status_code == 403
    failed = await api.failed()
    assert (await api.post(f"/api/recordings/{failed.id}/playback")).json()["code"] == "needs_retry"


@pytest.mark.rule("F21", "F25")
async def test_a_click_on_what_is_on_its_way_gives_a_link_that_plays_it_while_it_grows(hands: Hands) -> None:
    api, recording = hands.api, await hands.api.record()
    while_it_waits = (await api.post(f"/api/recordings/{recording.id}/fetch")).json()
    assert (while_it_waits["state"], while_it_waits["growing"]) == ("queued", True)
    async with hands.fetching(recording) as (claimed, file, tap):
        clicked = (await api.post(f"/api/recordings/{recording.id}/fetch")).json()
        assert (clicked["state"], clicked["growing"]) == ("fetching", True)
        await file.append(WAV)
        async with api.client.stream("GET", clicked["audio_url"], headers={"range": "bytes=0-"}) as response:
            assert (response.status_code, response.headers["accept-ranges"]) == (200, "none")
            assert "content-length" not in response.headers
            heard = Play(response)
            await heard.until(len(WAV) - HELD_BACK)
            await file.finish()
            await api.keep(claimed, WAV)
            tap.keep()
            assert await heard.rest() == WAV
    for earlier in (while_it_waits, clicked):
        whole = await api.client.get(earlier["audio_url"], headers={"range": "bytes=0-1"})
        assert (whole.status_code, whole.headers["accept-ranges"], whole.content) == (206, "bytes", WAV[:2])


async def test_without_chunks_only_the_whole_is_sent(hands: Hands) -> None:
    """HTTP/1.0 ends a body by closing the connection: there a break could not be told from the end."""
    recording = await hands.api.record()
    host, port = hands.api.url.removeprefix("http://").split(":")
    lines = [f"GET /api/recordings/{recording.id}/audio HTTP/1.0", f"authorization: Bearer {hands.api.keys['acme']}"]
    async with hands.fetching(recording) as (claimed, file, tap):
        await file.append(WAV)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await until(lambda: waits(hands.api))
        await file.finish()
        await hands.api.keep(claimed, WAV)
        tap.keep()
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert b"\r\ncontent-length: " in head.lower()
    assert body == WAV


async def test_a_client_that_goes_while_it_waits_is_not_waited_for(patient_api: Api) -> None:
    recording = await patient_api.record()
    asking = asyncio.create_task(patient_api.get(f"/api/recordings/{recording.id}/audio"))
    await until(lambda: waits(patient_api))

    asking.cancel()

    async def is_over() -> bool:
        return not await waits(patient_api)

    await until(is_over, seconds=5)


async def test_with_too_many_that_wait_nobody_waits_any_more(patient_api: Api) -> None:
    recording = await patient_api.record()
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_WAITING):
            stack.enter_context(patient_api.live.listen(None))
        async with asyncio.timeout(5):
            assert (await patient_api.get(f"/api/recordings/{recording.id}/audio")).status_code == 202


async def test_a_server_that_stops_lets_nobody_wait(patient_api: Api) -> None:
    recording = await patient_api.record()
    asking = asyncio.create_task(patient_api.get(f"/api/recordings/{recording.id}/audio"))
    await until(lambda: waits(patient_api))

    patient_api.live.close()

    async with asyncio.timeout(5):
        assert (await asking).status_code == 202


async def test_a_condition_that_growing_audio_cannot_meet_waits_for_the_whole(hands: Hands) -> None:
    recording = await hands.api.record()
    async with hands.fetching(recording) as (claimed, file, tap):
        await file.append(WAV)
        path = f"/api/recordings/{recording.id}/audio"
        asking = asyncio.create_task(hands.api.get(path, headers={"if-match": '"x"'}))
        await until(lambda: waits(hands.api))
        await file.finish()
        await hands.api.keep(claimed, WAV)
        tap.keep()
        assert (await asking).status_code == 412


async def test_with_the_scheduler_away_it_is_said_to_be_on_its_way(api_without_valkey: Api) -> None:
    recording = await api_without_valkey.record()

    assert (await api_without_valkey.get(f"/api/recordings/{recording.id}/audio")).status_code == 202


async def test_how_far_a_download_is_can_be_asked(hands: Hands) -> None:
    recording = await hands.api.record()

    async def why() -> tuple[object, object]:
        told = (await hands.api.get(f"/api/recordings/{recording.id}/why")).json()
        return told["received"], told["expected"]

    assert await why() == (None, None)
    async with hands.fetching(recording) as (_, file, _tap):
        file.expected = len(WAV)
        await file.append(WAV[:1000])
        assert await why() == (1000, len(WAV))
    assert await why() == (None, None)  # nobody downloads it
