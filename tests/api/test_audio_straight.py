"""The straight way of ranges to the socket: what the application would have said, byte for byte, or nothing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool.api.recent import MEMORY
from callspool.cli.serving import protocol
from callspool.domain.recording import Recording, State
from tests.api.conftest import AUDIO, Api, started, until

CRLF = b"\r\n"


@dataclass
class Asked:
    """Counts what the application was asked."""

    app: Any
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.paths.append(scope["path"])
        await self.app(scope, receive, send)


class Line:
    """One connection, on which requests are written as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, request: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> tuple[bytes, dict[bytes, bytes], bytes]:
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(CRLF + CRLF)
            status, *lines = head.strip().split(CRLF)
            fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
            return status, fields, await self.reader.readexactly(int(fields.get(b"content-length", 0)))


@dataclass
class Both:
    """The same application behind our protocol and behind uvicorn's own."""

    api: Api
    asked: Asked
    port: int
    plain_port: int
    recording: Recording
    path: str

    @contextlib.asynccontextmanager
    async def line(self, port: int | None = None) -> AsyncIterator[Line]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()

    def request(self, wanted: str, *fields: str, path: str = "") -> bytes:
        lines = [f"GET {path or self.path} HTTP/1.1", "Host: x", f"Range: {wanted}", *fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @contextlib.asynccontextmanager
    async def warm(self) -> AsyncIterator[Line]:
        """A connection on which the next range goes straight."""
        async with self.line() as line:
            await line.ask(self.request("bytes=0-1"))
            yield line


@contextlib.asynccontextmanager
async def served(app: Any, **given: Any) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1, **given)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: started(server, serving))
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving


@pytest.fixture
async def both(api: Api) -> AsyncIterator[Both]:
    recording = await api.ready()
    path = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
    asked = Asked(api.app)
    async with (
        served(asked, http=protocol(api.app), timeout_keep_alive=1) as port,
        served(api.app, timeout_keep_alive=30) as plain,
    ):
        yield Both(api, asked, port, plain, recording, path)


def told(answer: tuple[bytes, dict[bytes, bytes], bytes]) -> tuple[bytes, dict[bytes, bytes], bytes]:
    status, fields, body = answer
    boundary = fields.get(b"content-type", b"").partition(b"boundary=")[2] or b"-"  # drawn anew each time
    kept = {name: value.replace(boundary, b"-") for name, value in fields.items() if name not in (b"date", b"server")}
    return status, kept, body.replace(boundary, b"-")


async def test_ranges_of_a_recording_that_is_played_do_not_reach_the_application(both: Both) -> None:
    async with both.warm() as line, both.line(both.plain_port) as plain:
        before = len(both.asked.paths)
        for first, last in ((0, 1), (5, 70_000), (len(AUDIO) - 10, len(AUDIO) + 10), (0, 131_071)):
            request = both.request(f"bytes={first}-{last}", "Accept: */*", "Connection: keep-alive")
            answer = await line.ask(request)
            assert answer[2] == AUDIO[first : last + 1]
            assert told(answer) == told(await plain.ask(request))
        assert len(both.asked.paths) == before


OTHERWISE: list[tuple[str, tuple[str, ...]]] = [
    ("bytes=0-", ()),
    ("bytes=-5", ()),
    ("bytes=0-0,-1", ()),
    ("bytes=9-1", ()),
    (f"bytes={len(AUDIO)}-{len(AUDIO) + 5}", ()),
    ("bytes=0-200000", ()),
    ("octets=0-1", ()),
    ("bytes=0-1", ("Range: bytes=2-3",)),
    ("bytes=0-1", ("range: other",)),
    ("bytes=0-1", ('If-Range: "another"',)),
    ("bytes=0-1", ("If-None-Match: *",)),
    ("bytes=0-1", ('IF-MATCH: "another"',)),
    ("bytes=0-1", ("Origin: https://crm.example",)),
    ("bytes=0-1", ("Authorization: Bearer nonsense",)),
    ("bytes=0-1", ("Connection: close",)),
]


async def test_whatever_could_have_another_answer_is_the_applications(both: Both) -> None:
    for wanted, fields in OTHERWISE:
        request = both.request(wanted, *fields)
        async with both.warm() as line, both.line(both.plain_port) as plain:
            before = len(both.asked.paths)
            assert told(await line.ask(request)) == told(await plain.ask(request)), (wanted, fields)
            assert len(both.asked.paths) == before + 1, (wanted, fields)


@pytest.mark.rule("I9")
async def test_a_link_opens_nothing_else_straight(both: Both) -> None:
    foreign = await both.api.ready("bravo")
    theirs = (await both.api.post(f"/api/recordings/{foreign.id}/playback", who="bravo")).json()["url"]
    async with both.warm() as line:
        await line.ask(both.request("bytes=0-1", path=theirs))
        for path in (both.path.replace(both.recording.id, foreign.id), both.path[:-1], both.path + "&rendition=opus"):
            status, _, body = await line.ask(both.request("bytes=0-1", path=path))
            assert b"206" not in status, path
            assert AUDIO[:2] != body


async def test_a_body_is_no_request_of_its_own(both: Both) -> None:
    hidden = both.request("bytes=0-1")
    for name in ("Content-Length", "content-length", "Content-Length "):
        request = both.request("bytes=0-1", f"{name}: {len(hidden)}") + hidden
        async with both.warm() as line, both.line(both.plain_port) as plain:
            assert told(await line.ask(request)) == told(await plain.ask(request))
            for one in (line, plain):  # one answer, and no more
                with pytest.raises((TimeoutError, asyncio.IncompleteReadError)):
                    async with asyncio.timeout(0.2):
                        await one.reader.readexactly(1)


async def test_requests_that_come_together_or_in_pieces_are_answered_in_order(both: Both) -> None:
    first, second = both.request("bytes=0-9"), both.request("bytes=10-19")
    async with both.warm() as line:
        line.writer.write(first + second)
        assert [(await line.answer())[2] for _ in range(2)] == [AUDIO[:10], AUDIO[10:20]]
        for cut in (3, len(first) // 2, len(first) - 1):
            line.writer.write(first[:cut])
            await line.writer.drain()
            await both.api.get("/healthz")  # the server has read what was sent by then
            assert (await line.ask(first[cut:]))[2] == AUDIO[:10]
            assert (await line.ask(second))[2] == AUDIO[10:20]
        # The long way answers this one later than the straight way could the next.
        line.writer.write(both.request("bytes=0-99", "Origin: https://crm.example"))
        await line.writer.drain()
        line.writer.write(second)
        assert [(await line.answer())[2] for _ in range(2)] == [AUDIO[:100], AUDIO[10:20]]


@pytest.mark.rule("I3")
async def test_a_client_that_reads_slowly_gets_every_byte_once(both: Both) -> None:
    count, size = 64, 131_072
    async with both.warm() as line:
        line.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(count):
            line.writer.write(both.request(f"bytes={number}-{number + size - 1}"))
            await both.api.get("/healthz")
        line.reader._transport.resume_reading()  # type: ignore[attr-defined]
        for number in range(count):
            assert (await line.answer())[2] == AUDIO[number : number + size]


async def test_what_was_purged_is_not_heard_a_moment_later(both: Both) -> None:
    async with both.warm() as line:
        answer = await both.api.client.delete(f"/api/recordings/{both.recording.id}", headers=both.api.as_("operator"))
        assert answer.status_code == 204
        async with asyncio.timeout(MEMORY.total_seconds() + 5):
            while b" 206 " in (await line.ask(both.request("bytes=0-1")))[0]:
                await asyncio.sleep(0.02)
        status, _, body = await line.ask(both.request("bytes=0-1"))
    assert b" 410 " in status
    assert State.PURGED.encode() in body


async def test_who_goes_on_playing_goes_on_straight(both: Both) -> None:
    async with both.warm() as line:
        before, loop = len(both.asked.paths), asyncio.get_running_loop()
        until_s = loop.time() + 3 * MEMORY.total_seconds()
        while loop.time() < until_s:
            assert b" 206 " in (await line.ask(both.request("bytes=0-1")))[0]
        # On a machine that is busy a look at the row may come too late once or twice.
        assert len(both.asked.paths) - before <= 2


async def test_descriptors_are_given_back_when_the_client_goes_or_is_silent(both: Both) -> None:
    def ours() -> int:
        audio = str(both.api.folder / "vault")
        return sum(_target(link).startswith(audio) for link in Path("/proc/self/fd").iterdir())

    async def none() -> bool:
        return ours() == 0

    async with both.warm() as line:
        await line.ask(both.request("bytes=0-1"))
        assert ours() == 1
        line.writer.transport.abort()
        await until(none)
    async with both.warm() as line:
        await line.ask(both.request("bytes=0-1"))
        assert await line.reader.read() == b""  # closed by the server, after the second that is set here
        await until(none)


def _target(link: Path) -> str:
    with contextlib.suppress(OSError):
        return str(link.readlink())
    return ""


_PIECES = st.sampled_from(
    [
        b"Range: bytes=0-1",
        b"range:bytes=3-4",
        b"Range: bytes=0-1 ",
        b"Range: bytes=1-0",
        b"Ran ge: bytes=0-1",
        b" bytes=0-1",
        b"X: Range: bytes=0-1",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 0",
        b"TE: trailers",
        b"Connection: keep-alive",
        b"Connection: Keep-Alive, X",
        b"Connection : close",
        b"If-Range:",
        b"Expect: 100-continue",
        b"Accept: \xff",
        b"Origin:",
        b"Cookie: a=b",
        b"R",
        b":",
        b"",
        b"Host: x",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_PIECES, max_size=5), end=st.sampled_from([b"\r\n", b"\n", b"\r"]))
async def test_no_form_of_a_request_is_answered_otherwise_than_by_the_parser(
    both: Both, lines: list[bytes], end: bytes
) -> None:
    first = f"GET {both.path} HTTP/1.1".encode()
    request = end.join([first, b"Host: x", *lines]) + end + end
    await both.api.client.get(both.path, headers={"range": "bytes=0-1"})  # remembered
    answers = []
    for port in (both.port, both.plain_port):
        async with both.line(port) as line:
            await line.ask(both.request("bytes=0-1"))
            line.writer.write(request)
            line.writer.write_eof()
            async with asyncio.timeout(10):
                whole = await line.reader.read()
        answers.append(sorted(part for part in whole.split(CRLF) if not part.lower().startswith((b"date", b"server"))))
    assert answers[0] == answers[1]
