"""A tenant's list of web pages, as a browser keeps it: real server, real Chromium, pages of two origins."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from callspool.domain.ids import TenantId
from callspool.wiring import add_key
from tests.acceptance.system import system

READ = """async ([url, key]) => {
  const headers = { Authorization: `Bearer ${key}` };
  return fetch(`${url}/api/recordings`, { headers }).then((answer) => answer.status, () => "not told");
}"""


class AnyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>CRM</title><link rel=icon href=data:,>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server of pages, which has two names: two origins."""
    with ThreadingHTTPServer(("127.0.0.1", 0), AnyPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


async def test_a_browser_tells_a_page_nothing_of_a_tenant_whose_list_lacks_it(
    tmp_path: Path, page: Any, complaints: Any, port: int
) -> None:
    complaints.allow("CORS policy|Failed to load resource")
    crm, other = f"http://localhost:{port}", f"http://127.0.0.1:{port}"
    async with system(tmp_path) as running:
        await running.parts.store.adjust_tenant(TenantId("acme"), allowed_origins=[crm])
        keys = {name: (await add_key(running.parts, TenantId(name), "crm"))[1] for name in ("acme", "bravo")}
        for origin, expected in ((crm, {"acme": 200, "bravo": 200}), (other, {"acme": "not told", "bravo": 200})):
            await page.goto(origin)
            assert {name: await page.evaluate(READ, [running.url, key]) for name, key in keys.items()} == expected
        await page.goto("about:blank")
