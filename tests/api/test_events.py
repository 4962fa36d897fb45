"""The live stream: what happened, to whom it may be told, and after a break."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import Message

from callspool.api.live import MOST_BEHIND, Listener
from callspool.api.routes import events
from callspool.api.routes.events import EventStream
from callspool.api.schemas import LiveEvent
from callspool.domain.ids import TenantId
from tests.api.conftest import Api, until


class Stream:
    """A client's side of the stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[int, dict[str, Any]]:
        """The next event's number and data."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line and "data" in fields:
                    assert fields["event"] == "recording"
                    return int(fields["id"]), json.loads(fields["data"])
                name, _, value = line.partition(": ")
                fields = fields if line else {}
                fields[name] = value
        raise AssertionError("the stream ended")


@contextlib.asynccontextmanager
async def listening(api: Api, who: str, path: str = "/api/events", **headers: str) -> AsyncIterator[Stream]:
    async with api.client.stream("GET", path, headers={**api.as_(who), **headers}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = Stream(response)
        async with asyncio.timeout(10):
            await anext(stream._lines)  # the server says that it listens
        yield stream


@pytest.mark.rule("S8")
async def test_a_webhook_is_told_at_once(api: Api) -> None:
    async with listening(api, "acme") as stream:
        await api.webhook()
        number, event = await stream.next()

    assert number == event["seq"]
    assert (event["event"], event["state"], event["recording"]["tenant_id"]) == ("enqueue", "queued", "acme")
    assert "audio" not in json.dumps(event["recording"]["state"])


@pytest.mark.rule("I9")
async def test_a_tenant_hears_only_its_own(api: Api) -> None:
    async with listening(api, "bravo") as bravo, listening(api, "operator") as operator:
        await api.webhook()
        await api.webhook("/webhooks/twilio/main/bravo")
        _, event = await bravo.next()
        heard = [(await operator.next())[1] for _ in range(2)]

    assert event["recording"]["tenant_id"] == "bravo"
    assert {each["recording"]["tenant_id"] for each in heard} == {"acme", "bravo"}


@pytest.mark.parametrize("how", ["header", "query"])
async def test_who_comes_back_misses_nothing(api: Api, how: str) -> None:
    async with listening(api, "acme") as stream:
        await api.webhook()
        seen, _ = await stream.next()
    for _ in range(3):
        await api.webhook()
    await api.webhook("/webhooks/twilio/main/bravo")

    await api.webhook()

    query, headers = ("", {"last-event-id": str(seen)}) if how == "header" else (f"?after={seen}", {})
    async with listening(api, "acme", "/api/events" + query, **headers) as stream:
        heard = [await stream.next() for _ in range(4)]
        await api.webhook()
        heard.append(await stream.next())

    numbers = [number for number, _ in heard]
    assert numbers == sorted(set(numbers))
    assert min(numbers) > seen
    assert {event["recording"]["tenant_id"] for _, event in heard} == {"acme"}


async def test_the_stream_needs_a_key(api: Api) -> None:
    assert (await api.get("/api/events", None)).status_code == 401


async def test_a_client_that_reads_too_slowly_is_cut(api: Api) -> None:
    await api.webhook()
    event = await anext(api.live.since(None, 0))
    listener = Listener(TenantId("acme"))

    for _ in range(MOST_BEHIND + 10):
        listener.offer(event)

    got: list[LiveEvent | None] = [await listener.next() for _ in range(MOST_BEHIND + 1)]
    assert (got[-1], listener.cut) == (None, True)


async def test_a_number_from_the_future_does_not_silence_the_stream(api: Api) -> None:
    async with listening(api, "acme", "/api/events?after=999999") as stream:
        await api.webhook()
        _, event = await stream.next()

    assert event["state"] == "queued"


async def test_a_client_that_does_not_read_at_all_is_let_go() -> None:
    async def frames() -> AsyncGenerator[bytes]:
        while True:
            yield b"data: x\n\n"

    started: list[str] = []

    async def stuck(message: Message) -> None:
        started.append(message["type"])
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def silent() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(5):
        await EventStream(frames(), send_time_s=0.05)({"type": "http"}, silent, stuck)

    assert started == ["http.response.start", "http.response.body"]


async def test_one_key_cannot_take_all_streams(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 2)
    async with listening(api, "acme"), contextlib.AsyncExitStack() as second:
        await second.enter_async_context(listening(api, "acme"))

        refused = await api.get("/api/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        assert "retry-after" in refused.headers
        async with listening(api, "bravo"):
            await second.aclose()

            async def one_is_free() -> bool:
                return api.live.count_of("key:key_" + api.keys["acme"].split("_")[1]) == 1

            await until(one_is_free)
            async with listening(api, "acme"):
                pass
