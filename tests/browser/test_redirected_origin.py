"""What a real browser calls a page when we send its player on to an object storage: why the doctor asks as it does."""

import pytest
from playwright.async_api import Page

from tests.fixtures.made import wav
from tests.fixtures.wire import Asked, Reply, serve

PLAYS = """url => new Promise((resolve) => {
  const audio = new Audio();
  audio.crossOrigin = 'anonymous';
  audio.oncanplay = () => resolve('plays');
  audio.onerror = () => resolve('refused');
  audio.src = url;
})"""


@pytest.mark.parametrize("is_ours", [True, False])
async def test_after_a_redirect_a_page_elsewhere_has_no_name(page: Page, is_ours: bool) -> None:
    origins: list[str] = []

    async def storage(asked: Asked, reply: Reply) -> None:
        origins.append(asked.headers.get("origin", ""))
        await reply.whole("200 OK", wav(1), content_type="audio/wav", access_control_allow_origin="*")

    async with serve(storage) as bucket:

        async def callspool(asked: Asked, reply: Reply) -> None:
            if asked.target == "/audio":
                await reply.whole("307 Temporary Redirect", location=bucket.url, access_control_allow_origin="*")
            else:
                await reply.whole("200 OK", b"<!doctype html>", content_type="text/html")

        async with serve(callspool) as ours, serve(callspool) as elsewhere:
            await page.goto(ours.url if is_ours else elsewhere.url)
            assert await page.evaluate(PLAYS, f"{ours.url}/audio") == "plays"
            assert set(origins) == {ours.url if is_ours else "null"}
