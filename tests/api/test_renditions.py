"""The smaller form of a recording: made once, kept, made again, and never of what is gone."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from callspool.domain.audit import By
from callspool.domain.ports.store import Store
from callspool.lifecycle.purge import Purger
from callspool.scheduler.connection import Functions
from callspool.vault.keys import rendition_key
from tests.api.conftest import Api, SettableClock, running, until
from tests.fixtures import made


class Work:
    """Counts what is made, and holds it until it may go on."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work
        self.count = 0
        self.may_go_on = asyncio.Event()

    async def __call__(self, *args: Any) -> Any:
        self.count += 1
        result = await self._work(*args)
        await self.may_go_on.wait()
        return result


def seconds_of(opus: bytes) -> tuple[float, int]:
    """Decode it; return how long it is and how many channels it has."""
    with av.open(io.BytesIO(opus), format="ogg") as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(stream)) / 48_000, stream.channels


@pytest.mark.parametrize(("data", "kind"), [(made.wav(3.0, 2, "ULAW"), "audio/wav"), (made.mp3(3.0, 2), "audio/mpeg")])
async def test_it_is_made_once_however_many_ask_and_kept(
    patient_api: Api, monkeypatch: pytest.MonkeyPatch, data: bytes, kind: str
) -> None:
    api, recording = patient_api, await patient_api.ready(data=data, content_type=kind)
    path = f"/api/recordings/{recording.id}/audio?rendition=opus"
    work = Work(api.services.renderer.render)
    monkeypatch.setattr(api.services.renderer, "render", work)
    work.may_go_on.set()

    answers = await asyncio.gather(*(api.get(path) for _ in range(5)))

    assert {(answer.status_code, answer.headers["content-type"]) for answer in answers} == {(200, "audio/ogg")}
    assert (len({answer.content for answer in answers}), work.count) == (1, 1)
    whole = answers[0].content
    seconds, channels = seconds_of(whole)
    assert (seconds, channels) == (pytest.approx(3.0, abs=0.2), 2)
    assert len(whole) < len(data)
    assert answers[0].headers["content-disposition"] == f'inline; filename="{recording.id}.opus"'
    part = await api.get(path, headers={"range": "bytes=-7", "if-range": answers[0].headers["etag"]})
    assert (part.status_code, part.content, work.count) == (206, whole[-7:], 1)
    # A lost one is made again, and is the same.
    await api.services.vault.delete(rendition_key(recording.kept.vault_key, "opus"))
    again = await api.get(path)
    assert (again.content, again.headers["etag"], work.count) == (whole, answers[0].headers["etag"], 2)


async def test_original_and_smaller_are_told_apart_however_quick_the_answer(patient_api: Api) -> None:
    data = made.wav(1.0)
    recording = await patient_api.ready(data=data)
    link = (await patient_api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
    for _ in range(2):  # the second time by what is remembered
        original, smaller = [await patient_api.client.get(f"{link}{more}") for more in ("", "&rendition=opus")]
        assert original.content == data
        assert smaller.headers["content-type"] == "audio/ogg"
        assert original.headers["etag"] != smaller.headers["etag"]


async def test_one_that_takes_long_is_said_to_be_on_its_way(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = await api.ready(data=made.wav(1.0))
    path = f"/api/recordings/{recording.id}/audio?rendition=opus"
    work = Work(api.services.renderer.render)
    monkeypatch.setattr(api.services.renderer, "render", work)

    for _ in range(2):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["state"]) == (202, "ready")
        assert int(answer.headers["retry-after"]) > 0
    work.may_go_on.set()

    async def is_there() -> bool:
        return (await api.get(path)).status_code == 200

    await until(is_there)
    assert work.count == 1


async def test_many_that_are_asked_for_at_once_take_little_disk(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = [await api.ready(data=made.wav(0.5)) for _ in range(5)]
    work = Work(api.services.renderer.render)
    monkeypatch.setattr(api.services.renderer, "render", work)
    paths = [f"/api/recordings/{recording.id}/audio?rendition=opus" for recording in recordings]

    answers = await asyncio.gather(*(api.get(path) for path in paths))

    assert [answer.status_code for answer in answers] == [202] * 5
    assert len(list((api.folder / "tmp").iterdir())) <= 2
    work.may_go_on.set()

    async def are_there() -> bool:
        return [(await api.get(path)).status_code for path in paths] == [200] * 5

    await until(are_there)
    assert work.count == 5
    assert list((api.folder / "tmp").iterdir()) == []


@pytest.mark.rule("I4")
@pytest.mark.parametrize(
    ("route", "part", "method"), [("audio", "renderer", "render"), ("waveform", "prober", "probe")]
)
async def test_what_is_made_while_its_recording_is_purged_is_thrown_away(
    patient_api: Api, monkeypatch: pytest.MonkeyPatch, route: str, part: str, method: str
) -> None:
    api, recording = patient_api, await patient_api.ready(data=made.wav(1.0))
    target = getattr(api.services, part)
    work = Work(getattr(target, method))
    monkeypatch.setattr(target, method, work)
    asking = asyncio.create_task(api.get(f"/api/recordings/{recording.id}/{route}?rendition=opus"))

    async def is_made() -> bool:
        return work.count == 1

    await until(is_made)
    purger = Purger(api.services.store, api.services.vault, api.services.bulletin)
    await purger.purge(None, recording.id, by=By("cli"), why="")
    work.may_go_on.set()

    assert (await asking).status_code == 410
    assert [key async for key in api.services.vault.keys(None)] == []


async def test_what_cannot_be_encoded_is_the_operators_matter_and_not_kept(patient_api: Api) -> None:
    recording = await patient_api.ready()  # no audio at all

    answer = await patient_api.get(f"/api/recordings/{recording.id}/audio?rendition=opus")

    assert (answer.status_code, answer.json()["code"]) == (503, "vault_unavailable")
    assert [key async for key in patient_api.services.vault.keys(None)] == [recording.kept.vault_key]


async def test_what_is_not_made_here_and_what_is_none_are_told(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions
) -> None:
    async with running(tmp_path, clock, store, functions, renditions=False) as api:
        recording = await api.ready(data=made.wav(1.0))
        path = f"/api/recordings/{recording.id}/audio"
        off, unknown = [await api.get(f"{path}?rendition={name}") for name in ("opus", "ogg")]
        assert (off.status_code, off.json()["code"]) == (404, "no_rendition")
        assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_input")
        assert (await api.get(path)).status_code == 200
