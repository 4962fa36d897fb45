"""What is special about object storage: it is far away, refuses, breaks off, and answers late."""

import asyncio
import contextlib
import re
import urllib.request
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callspool.api.ready import ready_response
from callspool.domain.errors import Misconfigured, NotFound, VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.recording import Kept
from callspool.playback.ranges import Conditions
from callspool.settings import Settings
from callspool.vault.disk import DiskVault
from callspool.vault.keys import vault_key
from callspool.vault.s3 import S3Vault
from callspool.wiring import open_vault
from tests.fixtures.memory import RealTime
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server

KEY = vault_key(TenantId("acme"), RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607"), 1, "wav")
LARGE = 20_000_000
SPOT = b"spot"


def vault_at(url: str, prefix: str, **given: object) -> S3Vault:
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "clock": RealTime()}
    return S3Vault(BUCKET, prefix=prefix, endpoint=url, **{**keys, **given})  # type: ignore[arg-type]


def unfinished(server: S3Server, prefix: str) -> list[str]:
    """Return the keys of uploads that neither ended nor were given up."""
    with urllib.request.urlopen(f"{server.url}/{BUCKET}?uploads", timeout=10) as answer:
        keys = re.findall("<Key>(.*?)</Key>", answer.read().decode())
    return [key for key in keys if key.startswith(prefix)]


class Wire:
    """A proxy before the server. *cut_after*: bytes to the server after which both sides are broken off.

    *spoils*: what is `SPOT` in the file arrives as something else of the same length.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.cut_after: int | None = None
        self.is_silent = False
        self.spoils = False
        self.holds: re.Pattern[bytes] | None = None
        """What is not let through until it is released."""
        self.held, self.released = asyncio.Event(), asyncio.Event()
        self.url = ""
        self.passed = 0
        self.asked: list[str] = []
        """The methods of all requests."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
            back = asyncio.create_task(self._back(up_reader, writer))
            try:
                while data := await reader.read(65536):
                    self.passed += len(data)
                    self.asked += re.findall(r"^([A-Z]+) /\S* HTTP/1.1\r$", data.decode("latin-1"), re.MULTILINE)
                    if self.cut_after is not None and self.passed > self.cut_after:
                        break
                    if self.holds is not None and self.holds.search(data):
                        self.held.set()
                        await self.released.wait()
                    up_writer.write(data.replace(SPOT, SPOT[::-1]) if self.spoils else data)
                    await up_writer.drain()
            finally:
                back.cancel()
                up_writer.transport.abort()
                writer.transport.abort()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                while self.is_silent:
                    await asyncio.sleep(0.05)
                writer.write(data)
                await writer.drain()
            writer.close()


@asynccontextmanager
async def wire(server: S3Server) -> AsyncIterator[Wire]:
    made = Wire(server.port)
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        listening.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(bytes(range(250)) * (LARGE // 250))
    return path


@pytest.mark.rule("I3")
async def test_upload_that_is_cut_leaves_nothing_to_read_and_can_be_repeated(
    s3_server: S3Server, s3_prefix: str, source: Path
) -> None:
    async with wire(s3_server) as between:
        vault = vault_at(between.url, s3_prefix)
        between.cut_after = LARGE // 2
        with pytest.raises(VaultUnavailable):
            await vault.put(KEY, source)
        with pytest.raises(NotFound):
            await vault_at(s3_server.url, s3_prefix).open(KEY)
        between.cut_after = None
        await vault.put(KEY, source)
    assert (await vault_at(s3_server.url, s3_prefix).open(KEY)).size == LARGE


class Player:
    """Takes an answer, as a server would."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.steps = 0

    async def receive(self) -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        if data := message.get("body"):
            self.body += data
            self.steps += 1


@pytest.mark.parametrize(
    ("asked", "status", "begin", "end"),
    [
        (None, 200, 0, LARGE),
        ("bytes=0-", 206, 0, LARGE),
        ("bytes=1000-66535", 206, 1000, 66536),
        ("bytes=-5000000", 206, LARGE - 5_000_000, LARGE),
    ],
)
async def test_playing_costs_one_request_whatever_is_played(
    s3_server: S3Server, s3_prefix: str, source: Path, asked: str | None, status: int, begin: int, end: int
) -> None:
    await vault_at(s3_server.url, s3_prefix).put(KEY, source)
    kept = Kept(KEY, "0" * 64, LARGE, "audio/wav", 2, 8000, LARGE / 32000, verified=True)
    async with wire(s3_server) as between:
        services = SimpleNamespace(vault=vault_at(between.url, s3_prefix), settings=Settings.read({}))
        conditions = Conditions(method="GET", range=asked)
        response = await ready_response(services, kept, conditions, ())  # type: ignore[arg-type]
        player = Player()
        await response({"type": "http"}, player.receive, player.send)  # type: ignore[arg-type]
        assert between.asked == ["GET"]
    assert player.status == status
    assert player.body == source.read_bytes()[begin:end]
    assert player.steps >= (end - begin) // (1 << 20)  # never all of it at once


@pytest.mark.rule("I3")
async def test_what_breaks_off_while_it_is_played_goes_on_where_it_is_needed(
    s3_server: S3Server, s3_prefix: str, source: Path
) -> None:
    """A player that paused for longer than the storage lets a connection stand."""
    await vault_at(s3_server.url, s3_prefix).put(KEY, source)
    async with wire(s3_server) as between:
        vault = vault_at(between.url, s3_prefix, timeout=timedelta(seconds=1))
        file = await vault.open(KEY, reads=(0, LARGE))
        heard = await file.read(0, 100_000)
        await asyncio.sleep(1.5)  # past the time that one request may take
        while data := await file.read(len(heard), 1 << 20):
            heard += data
        await file.close()
    assert heard == source.read_bytes()


async def test_object_that_is_missing_is_known_before_the_answer_begins(s3_server: S3Server, s3_prefix: str) -> None:
    with pytest.raises(NotFound):
        await vault_at(s3_server.url, s3_prefix).open(KEY, reads=(0, 1000))


async def test_object_of_another_size_is_known_before_the_answer_begins(
    s3_server: S3Server, s3_prefix: str, source: Path
) -> None:
    vault = vault_at(s3_server.url, s3_prefix)
    await vault.put(KEY, source)
    assert (await vault.open(KEY, reads=(0, 1000))).size == LARGE


@pytest.mark.rule("I3")
async def test_upload_that_is_cancelled_leaves_nothing_to_read(
    s3_server: S3Server, s3_prefix: str, source: Path
) -> None:
    async with wire(s3_server) as between:
        putting = asyncio.create_task(vault_at(between.url, s3_prefix).put(KEY, source))
        while between.passed < LARGE // 2 and not putting.done():
            await asyncio.sleep(0.01)
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        while await asyncio.to_thread(unfinished, s3_server, s3_prefix):  # until the test's own deadline
            await asyncio.sleep(0.05)
    with pytest.raises(NotFound):
        await vault_at(s3_server.url, s3_prefix).open(KEY)


@pytest.mark.rule("I3")
@pytest.mark.parametrize("size", [1000, LARGE])
async def test_bytes_that_change_on_their_way_are_refused_by_the_storage(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "source"
    path.write_bytes((b"a" * (size // 2) + SPOT).ljust(size, b"b"))
    async with wire(s3_server) as between:
        vault = vault_at(between.url, s3_prefix)
        between.spoils = True
        with pytest.raises(VaultUnavailable):
            await vault.put(KEY, path)
        with pytest.raises(NotFound):
            await vault_at(s3_server.url, s3_prefix).open(KEY)
        between.spoils = False
        await vault.put(KEY, path)
    assert await vault_at(s3_server.url, s3_prefix).read_all(KEY) == path.read_bytes()


async def test_answer_that_comes_too_late_is_unavailable_and_the_put_can_be_repeated(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"spoken")
    async with wire(s3_server) as between:
        vault = vault_at(between.url, s3_prefix, timeout=timedelta(seconds=0.5))
        between.is_silent = True
        with pytest.raises(VaultUnavailable):
            await vault.put(KEY, small)
        between.is_silent = False
        await vault.put(KEY, small)  # whether or not the first one was stored after all
    assert (await vault_at(s3_server.url, s3_prefix).open(KEY)).size == 6


@pytest.mark.rule("I3", "I4")
async def test_what_is_there_is_never_replaced_by_something_else(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path
) -> None:
    vault = vault_at(s3_server.url, s3_prefix)
    for data in (b"spoken", b"something else"):
        (tmp_path / str(len(data))).write_bytes(data)
    await vault.put(KEY, tmp_path / "6")
    with pytest.raises(VaultUnavailable, match="not replaced"):
        await vault.put(KEY, tmp_path / "14")
    file = await vault.open(KEY)
    assert await file.read(0, 100) == b"spoken"


@pytest.mark.rule("I3", "I4")
@pytest.mark.parametrize("is_same", [True, False], ids=["same-bytes", "other-bytes"])
async def test_of_two_late_writers_of_one_large_object_the_first_stays(
    s3_server: S3Server, s3_prefix: str, source: Path, tmp_path: Path, is_same: bool
) -> None:
    """Both saw nothing there. The second has sent every part when the first ends."""
    other = tmp_path / "other"
    other.write_bytes(source.read_bytes() if is_same else source.read_bytes()[::-1])
    async with wire(s3_server) as between:
        second = vault_at(between.url, s3_prefix)
        between.holds = re.compile(rb"^POST /\S*\?uploadId=", re.MULTILINE)
        putting = asyncio.create_task(second.put(KEY, other))
        async with asyncio.timeout(60):
            await between.held.wait()
        await vault_at(s3_server.url, s3_prefix).put(KEY, source)
        between.holds = None
        between.released.set()
        if is_same:
            await putting
        else:
            with pytest.raises(VaultUnavailable, match="not replaced"):
                await putting
    assert await vault_at(s3_server.url, s3_prefix).read_all(KEY) == source.read_bytes()
    assert unfinished(s3_server, s3_prefix) == []


async def test_wrong_credentials_say_what_to_check(s3_server: S3Server, s3_prefix: str) -> None:
    with pytest.raises(VaultUnavailable, match="CALLSPOOL_VAULT_SECRET_KEY"):
        await vault_at(s3_server.url, s3_prefix, secret_key="wrong").open(KEY)


async def test_storage_that_is_away_is_unavailable(s3_prefix: str) -> None:
    with pytest.raises(VaultUnavailable, match="does not answer"):
        await vault_at("http://127.0.0.1:9", s3_prefix, timeout=timedelta(seconds=2)).ping()


def test_the_settings_choose_the_vault(tmp_path: Path) -> None:
    assert isinstance(open_vault(Settings.read({}, data=tmp_path)), DiskVault)
    assert isinstance(open_vault(Settings.read({}, data=tmp_path, vault_url=f"file://{tmp_path}/audio")), DiskVault)
    assert (tmp_path / "audio").is_dir()
    address = "s3://bucket/some/prefix?endpoint=http://127.0.0.1:9&region=eu-central-1"
    assert isinstance(open_vault(Settings.read({}, data=tmp_path, vault_url=address)), S3Vault)
    with pytest.raises(Misconfigured, match="'bogus' is not known"):
        open_vault(Settings.read({}, data=tmp_path, vault_url="s3://bucket?bogus=1"))
    with pytest.raises(Misconfigured, match="CALLSPOOL_VAULT_URL"):
        Settings.read({}, data=tmp_path, vault_url="ftp://bucket")
