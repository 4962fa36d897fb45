"""The waveform over HTTP: for a player that has loaded no audio yet."""

import asyncio
import gzip
import json

import pytest

from callspool.vault.keys import rendition_key
from tests.api.conftest import Api
from tests.fixtures import made

AUDIO = made.wav(12.0)


async def test_waveform_is_drawable_and_cached_for_ever(api: Api) -> None:
    recording = await api.ready(data=AUDIO)

    answer = await api.get(f"/api/recordings/{recording.id}/waveform")

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["version"], told["channels"], told["sample_rate"]) == (2, 1, 8000)
    assert len(told["data"]) == 2 * told["length"]
    assert "immutable" in answer.headers["cache-control"]
    again = await api.get(f"/api/recordings/{recording.id}/waveform", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_signed_link_s_token_is_enough(api: Api) -> None:
    recording = await api.ready(data=AUDIO)
    link = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
    token = link.partition("token=")[2]

    assert (await api.get(f"/api/recordings/{recording.id}/waveform?token={token}", None)).status_code == 200
    assert (await api.get(f"/api/recordings/{recording.id}/waveform?token=x{token}", None)).status_code == 403


async def test_a_missing_one_is_made_once_however_many_ask_and_kept(api: Api) -> None:
    recording = await api.ready(data=AUDIO)
    assert recording.kept is not None
    probed: list[object] = []
    real = api.services.prober.probe

    async def counted(path: object) -> object:
        probed.append(path)
        return await real(path)  # type: ignore[arg-type]

    api.services.prober.probe = counted  # type: ignore[method-assign, assignment]

    answers = await asyncio.gather(*(api.get(f"/api/recordings/{recording.id}/waveform") for _ in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(probed) == 1
    kept = await api.services.vault.read_all(rendition_key(recording.kept.vault_key, "peaks"))
    assert json.loads(gzip.decompress(kept)) == answers[0].json()
    assert list((api.folder / "tmp").iterdir()) == []


@pytest.mark.rule("F25")
async def test_not_yet_and_never_are_told_apart(api: Api) -> None:
    waiting, failed, absent = await api.fetching(), await api.failed(), await api.absent()

    statuses = [(await api.get(f"/api/recordings/{one.id}/waveform")).status_code for one in (waiting, failed, absent)]

    assert statuses == [409, 409, 404] or statuses == [409, 409, 410]


async def test_what_the_vault_lost_is_the_operator_s_matter(api: Api) -> None:
    recording = await api.ready(data=AUDIO)
    assert recording.kept is not None
    await api.services.vault.delete(recording.kept.vault_key)

    answer = await api.get(f"/api/recordings/{recording.id}/waveform")

    assert (answer.status_code, answer.json()["code"]) == (503, "vault_unavailable")
