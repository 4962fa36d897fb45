"""A download through breaks, within its limits of time, rate and size."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason
from callspool.domain.tenant import MediaFormat
from callspool.fetch.download import Downloaded, Limits, download, size_cap
from callspool.fetch.spool import Spool, SpoolFile
from callspool.providers.twilio import Twilio
from tests.fixtures import made
from tests.fixtures.wire import Answer, Asked, Reply, Wire, serve

DATA = bytes(n * 31 % 253 for n in range(1_000_000))
LIMITS = Limits(deadline=timedelta(seconds=20), minimum_rate=0)

Fetch = Callable[..., Awaitable[Downloaded]]


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    twilio = Twilio(stall_timeout=timedelta(seconds=1))
    yield twilio
    await twilio.close()


@pytest.fixture
def file(tmp_path: Path) -> SpoolFile:
    return Spool(tmp_path, "w1").open(made.recording().id, 1)


async def fetch(
    twilio: Twilio, file: SpoolFile, answer: Answer, limits: Limits = LIMITS, duration_s: float | None = None
) -> tuple[Downloaded, Wire]:
    async with serve(answer) as wire:
        recording = made.recording(announced_duration_s=duration_s)
        got = await download(twilio, made.account(base_url=wire.url), recording, file, limits)
    return got, wire


async def reason_of(
    twilio: Twilio, file: SpoolFile, answer: Answer, limits: Limits = LIMITS, duration_s: float | None = None
) -> Reason:
    with pytest.raises(FetchFailed) as failed:
        await fetch(twilio, file, answer, limits, duration_s)
    return failed.value.reason


def breaking(at: list[int], *, etag: str | None) -> Answer:
    """Answer with DATA, breaking at each of these offsets in turn; with a tag, ranges are honoured."""
    breaks = iter(at)

    async def answer(asked: Asked, reply: Reply) -> None:
        begin = 0
        headers = {"ETag": etag} if etag else {}
        status = "200 OK"
        if "range" in asked.headers and asked.headers.get("if-range") == etag:
            begin = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
            status = "206 Partial Content"
            headers["Content-Range"] = f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}"
        end = next(breaks, len(DATA))
        await reply.send(status, {**headers, "Content-Length": str(len(DATA) - begin)}, DATA[begin:end])

    return answer


def assert_whole(got: Downloaded, file: SpoolFile) -> None:
    assert (got.size, got.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert file.path.read_bytes() == DATA


@pytest.mark.rule("S9", "I3")
async def test_a_broken_download_goes_on_where_it_broke(twilio: Twilio, file: SpoolFile) -> None:
    got, wire = await fetch(twilio, file, breaking([300_000, 300_001, 900_000], etag='"v1"'))
    assert_whole(got, file)
    assert [asked.headers.get("range") for asked in wire.asked] == [
        None,
        "bytes=300000-",
        "bytes=300001-",
        "bytes=900000-",
    ]


@pytest.mark.rule("S9", "I3")
@pytest.mark.parametrize("etag", [None, 'W/"v1"'], ids=["no-tag", "weak-tag"])
async def test_without_a_strong_tag_nothing_is_repeated_here(twilio: Twilio, file: SpoolFile, etag: str | None) -> None:
    """A download from the start is another try: the scheduler's, which counts it."""
    async with serve(breaking([300_000], etag=etag)) as wire:
        with pytest.raises(FetchFailed) as failed:
            await download(twilio, made.account(base_url=wire.url), made.recording(), file, LIMITS)
    assert failed.value.reason is Reason.TRUNCATED
    assert len(wire.asked) == 1


@pytest.mark.rule("S3")
async def test_a_break_before_the_first_byte_is_not_mended_here(twilio: Twilio, file: SpoolFile) -> None:
    async with serve(breaking([0], etag='"v1"')) as wire:
        with pytest.raises(FetchFailed):
            await download(twilio, made.account(base_url=wire.url), made.recording(), file, LIMITS)
    assert len(wire.asked) == 1


@pytest.mark.rule("I3")
async def test_a_file_that_changed_between_the_parts_is_not_patched_together(twilio: Twilio, file: SpoolFile) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        if "range" not in asked.headers:
            await reply.send("200 OK", {"ETag": '"v1"', "Content-Length": "1000000"}, b"old" * 1000)
        else:  # If-Range does not hold any more: all of the new file
            await reply.send("200 OK", {"ETag": '"v2"', "Content-Length": str(len(DATA))}, DATA)

    got, _ = await fetch(twilio, file, answer)
    assert_whole(got, file)


async def test_a_download_that_always_breaks_is_given_up(twilio: Twilio, file: SpoolFile) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": "1000"}, b"begin")
        reply.reset()

    assert await reason_of(twilio, file, answer) is Reason.INTERRUPTED


@pytest.mark.rule("I3")
async def test_a_body_shorter_than_its_length_is_truncated(twilio: Twilio, file: SpoolFile) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": "1000"}, b"begin")

    assert await reason_of(twilio, file, answer) is Reason.TRUNCATED


@pytest.mark.rule("I3")
async def test_no_client_is_trusted_to_count(file: SpoolFile) -> None:
    """A provider's module whose client takes a short body for whole, as several clients do."""

    class Short:
        length, offset, etag, channels, duration_s, kind = 1000, 0, None, None, None, None

        async def chunks(self) -> AsyncIterator[bytes]:
            yield b"begin"

    class Careless:
        @asynccontextmanager
        async def open(self, *args: object, **kwargs: object) -> AsyncIterator[Short]:
            yield Short()

    with pytest.raises(FetchFailed) as failed:
        await download(Careless(), made.account(), made.recording(), file, LIMITS)  # type: ignore[arg-type]
    assert failed.value.reason is Reason.TRUNCATED


async def test_an_empty_file_of_unknown_length_comes_through_as_empty(twilio: Twilio, file: SpoolFile) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Connection": "close"})

    assert (await fetch(twilio, file, answer))[0].size == 0


@pytest.mark.parametrize("with_length", [True, False], ids=["announced", "unannounced"])
async def test_far_more_than_the_duration_can_have_is_not_taken(
    twilio: Twilio, file: SpoolFile, with_length: bool
) -> None:
    cap = size_cap(made.recording(announced_duration_s=1.0))

    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": str(cap + 1)} if with_length else {"Connection": "close"})
        for _ in range(200):
            await reply.more(bytes(100_000))

    assert await reason_of(twilio, file, answer, duration_s=1.0) is Reason.TOO_LARGE
    assert file.size <= cap


@pytest.mark.parametrize(
    ("media_format", "fits", "is_too_large"),
    [
        (MediaFormat.MP3, 20_000 * 600, 64_000 * 600),  # 160 kbit/s; as a WAV of two channels at 16 kHz
        (MediaFormat.DUAL_WAV, 64_000 * 600, 96_000 * 600),
    ],
    ids=["mp3", "dual-wav"],
)
async def test_how_much_is_too_much_depends_on_the_form(
    twilio: Twilio, file: SpoolFile, media_format: MediaFormat, fits: int, is_too_large: int
) -> None:
    for size, reason in ((fits, Reason.TRUNCATED), (is_too_large, Reason.TOO_LARGE)):

        async def answer(asked: Asked, reply: Reply, size: int = size) -> None:
            await reply.send("200 OK", {"Content-Length": str(size)}, b"begin")

        async with serve(answer) as wire:
            account = made.account(base_url=wire.url, media_format=media_format)
            recording = made.recording(announced_duration_s=600.0, announced_channels=2)
            with pytest.raises(FetchFailed) as failed:
                await download(twilio, account, recording, file, LIMITS)
            assert failed.value.reason is reason


def drip(pause_s: float) -> Answer:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": "1000"})
        for _ in range(1000):
            await reply.more(b"x")
            await asyncio.sleep(pause_s)

    return answer


async def test_a_drip_is_too_slow(twilio: Twilio, file: SpoolFile) -> None:
    limits = Limits(timedelta(seconds=20), minimum_rate=500, rate_window=timedelta(seconds=0.3))
    assert await reason_of(twilio, file, drip(0.02), limits) is Reason.TOO_SLOW


@pytest.mark.rule("S4")
async def test_a_slow_download_may_go_on_for_as_long_as_bytes_flow(twilio: Twilio, file: SpoolFile) -> None:
    """Longer than the stall timeout and many rate windows: only the deadline would end it."""
    limits = Limits(timedelta(seconds=20), minimum_rate=20, rate_window=timedelta(seconds=0.1))
    got, _ = await fetch(twilio, file, drip(0.002), limits)
    assert got.size == 1000


@pytest.mark.rule("S4")
async def test_the_deadline_ends_even_a_download_that_flows(twilio: Twilio, file: SpoolFile) -> None:
    assert await reason_of(twilio, file, drip(0.02), Limits(timedelta(seconds=0.4), 0)) is Reason.DEADLINE


async def test_a_slow_download_is_on_the_disk_while_it_grows(twilio: Twilio, file: SpoolFile) -> None:
    task = asyncio.create_task(fetch(twilio, file, drip(0.01)))
    while not task.done() and not file.path.stat().st_size:
        await asyncio.sleep(0.01)
    assert not task.done(), task.exception()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.rule("I1", "I4")
async def test_a_cancellation_that_races_with_a_chunk_is_never_lost(twilio: Twilio, file: SpoolFile) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": "3"}, b"x")
        await asyncio.sleep(0.005)
        await reply.more(b"x")  # on its way to the client, which is cancelled in the same step
        task.cancel()
        await asyncio.sleep(0.005)
        await reply.more(b"x")

    for _ in range(30):
        await file.restart()
        task = asyncio.create_task(fetch(twilio, file, answer))
        with pytest.raises(asyncio.CancelledError):
            await task
