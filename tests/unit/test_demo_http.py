"""The demo's JSON client: whatever goes wrong on the way is one error of ours, which names the address."""

import pytest

from callspool.cli.demo.http import Http
from callspool.domain.errors import CallspoolError
from tests.fixtures.ports import free_port
from tests.fixtures.wire import Asked, Reply, serve


async def test_nobody_there_is_said_with_the_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CallspoolError, match=rf"^{url}/a gave no answer: .*refused"):
        await Http(url).get("/a")


async def test_an_answer_that_is_no_http_and_one_that_breaks_off_are_said_likewise() -> None:
    async def nonsense(asked: Asked, reply: Reply) -> None:
        await reply.more(
            b"nonsense\r\n\r\n" if asked.target == "/a" else b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"
        )

    async with serve(nonsense) as wire:
        for path in ("/a", "/b"):
            with pytest.raises(CallspoolError, match=rf"^{wire.url}{path} gave no answer: "):
                await Http(wire.url).post(path, {})


async def test_a_refusal_is_said_with_its_status_and_words() -> None:
    async with serve(lambda asked, reply: reply.whole("404 Not Found", b"no such thing")) as wire:
        with pytest.raises(CallspoolError, match=rf"^GET {wire.url}/a was answered 404: no such thing"):
            await Http(wire.url, "key").get("/a")
        assert wire.asked[0].headers["authorization"] == "Bearer key"
