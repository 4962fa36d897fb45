"""The page, freshly built, before a stand-in for the API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Page

from callspool.api.schemas import RecordingView
from tests.browser.calls import Call, call
from tests.browser.stand_in import KEY, StandIn, create_app, tenant
from tests.fixtures.made import wav
from tests.fixtures.node import run

Embed = Callable[..., Awaitable[Page]]
PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Somebody's page</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<script type="module" src="/player.js"></script></head><body><main>{players}</main></body></html>"""
Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture(scope="session")
def built_page(web_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built from the sources as they are now."""
    folder = tmp_path_factory.mktemp("web_dist")
    for which in ([], ["--config", "player/vite.config.ts"]):
        done = run(web_tools, "node_modules/vite/bin/vite.js", "build", "--outDir", folder, *which)
        assert done.returncode == 0, done.stderr
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def there(built_page: Path, tmp_path: Path) -> AsyncIterator[StandIn]:
    """A running server with one tenant, without recordings."""
    sound = tmp_path / "sound.wav"
    sound.write_bytes(wav(8))
    stand_in = StandIn(sound, tenants=[tenant("Acme Ltd")])
    config = uvicorn.Config(
        create_app(stand_in, built_page), port=0, lifespan="off", log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    stand_in.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield stand_in
    server.should_exit = True
    await serving


@pytest.fixture
def until() -> Until:
    """Waits until a condition of the test's own process holds."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.02)

    return wait


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(page: Page, there: StandIn) -> Callable[[], Awaitable[Page]]:
    """Opens the page with a valid key and waits until it listens."""

    async def go() -> Page:
        await page.goto(f"{there.url}/#key={KEY}")
        await page.get_by_text("Live", exact=True).wait_for()
        return page

    return go


@pytest.fixture(scope="session")
def a_call() -> Call:
    """Two people on a channel each, for three minutes."""
    return call(184)


@pytest_asyncio.fixture(loop_scope="session")
async def embed(page: Page, there: StandIn, a_call: Call) -> Embed:
    """Opens a page of somebody who embeds players, with these attributes of each, and returns it."""
    there.sound.write_bytes(a_call.wav)
    there.waveform = a_call.waveform

    async def go(*players: str, lang: str = "en", name: str = "page") -> Page:
        tags = "".join(f"<callspool-player {attributes}></callspool-player>" for attributes in players)
        there.pages[name] = PAGE.format(lang=lang, players=tags)
        await page.goto(f"{there.url}/embed/{name}")
        return page

    return go


@pytest.fixture
def with_key() -> Callable[[RecordingView], str]:
    """The attributes of a player that has a key."""
    return lambda recording: f'recording="{recording.id}" token="{KEY}"'
