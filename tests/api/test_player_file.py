"""The player's file, as pages of any origin load it."""

import gzip
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from callspool.api.app import shell


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, whose page was built; only one origin may use its API."""
    (tmp_path / "player.js").write_text("export {};")
    (tmp_path / "player.js.gz").write_bytes(gzip.compress(b"export {};"))
    app = shell(origins=["https://crm.example"])
    app.state.web = tmp_path
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://calls.example") as client:
        yield client


@pytest.mark.parametrize("origin", [None, "https://crm.example", "https://anybody.example"])
async def test_any_page_may_load_it_as_a_module(client: httpx.AsyncClient, origin: str | None) -> None:
    answer = await client.get("/player.js", headers={"origin": origin} if origin else {})
    assert answer.status_code == 200
    assert answer.text == "export {};"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] in {"*", origin}


async def test_its_etag_has_version_and_content_and_saves_sending_it_again(client: httpx.AsyncClient) -> None:
    packed = await client.get("/player.js")
    plain = await client.get("/player.js", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.headers["etag"] != plain.headers["etag"], "two forms of it must not be taken for one another"
    assert packed.headers["etag"].startswith(f'"{metadata.version("callspool")}-')
    assert packed.headers["cache-control"] == "no-cache"
    again = await client.get("/player.js", headers={"if-none-match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.head("/player.js")).headers["etag"] == packed.headers["etag"]


async def test_one_that_was_not_built_is_not_found(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "player.js").unlink()
    assert (await client.get("/player.js")).status_code == 404
