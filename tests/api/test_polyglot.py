"""A recording that is sound and a web page at once: whole as the one, and never shown or run as the other."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from callspool.scheduler.connection import Functions
from callspool.scheduler.embedded import Embedded
from callspool.store import connect
from tests.api.conftest import SECRET, Api, SettableClock, running, until
from tests.fixtures import made

SCRIPT = b"window.owned = true; document.title = 'owned';"
PAGE = b"<!doctype html><html><body id=owned>owned<script>" + SCRIPT + b"</script></body></html>"


def polyglot() -> bytes:
    """An MP3 with a web page in a tag before its first frame."""
    frame = b"TIT2" + _seven_bits(len(PAGE) + 1) + b"\x00\x00" + b"\x03" + PAGE
    return b"ID3\x04\x00\x00" + _seven_bits(len(frame)) + frame + made.mp3(2)


def _seven_bits(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


@pytest_asyncio.fixture(loop_scope="session")
async def api(tmp_path: Path, clock: SettableClock, valkey_server: Embedded) -> AsyncIterator[Api]:
    """The API on the browser's event loop."""
    store = await connect(f"sqlite:///{tmp_path}/callspool.db", clock=clock, secret_key=SECRET)
    functions = Functions(valkey_server.url, f"1.{secrets.token_hex(8)}")
    async with running(tmp_path, clock, store, functions) as api:
        yield api
    await functions.close()
    await store.close()


async def test_sound_with_a_page_in_it_is_played_and_never_a_page_or_a_script(
    api: Api, page: Any, complaints: Any, tmp_path: Path
) -> None:
    complaints.allow("MIME type|Failed to load resource|Content Security Policy|sandboxed")
    file = tmp_path / "polyglot.mp3"
    file.write_bytes(polyglot())
    probe = await api.services.prober.probe(file)
    assert probe.content_type == "audio/mpeg"
    recording = await api.ready(data=file.read_bytes(), content_type=probe.content_type)
    answer = await api.post(f"/api/recordings/{recording.id}/playback")
    link = api.url + answer.json()["url"].removeprefix(api.services.settings.public_url)
    assert (await api.client.get(link)).content == file.read_bytes()

    await page.goto(link)
    assert await page.evaluate("[document.title, window.owned ?? null, document.querySelector('#owned')]") == [
        "",
        None,
        None,
    ]
    await page.goto(api.url)  # a page of ours: its policy lets scripts of this origin run
    await page.evaluate(
        """(link) => {
            const script = document.createElement('script');
            script.onload = () => { window.came = 'loaded'; };
            script.onerror = () => { window.came = 'refused'; };
            script.src = link;
            document.head.append(script);
        }""",
        link,
    )

    async def came() -> bool:
        return bool(await page.evaluate("window.came ?? null"))

    await until(came, 15)
    assert await page.evaluate("[window.came, window.owned ?? null]") == ["refused", None]
    await page.goto("about:blank")
