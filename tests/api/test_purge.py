"""Deleting a recording: who may, what is answered, and that nothing of it is heard afterwards."""

import pytest

from callspool.api.recent import MEMORY
from callspool.domain.recording import Event, State
from callspool.vault.keys import rendition_key
from tests.api.conftest import Api, until


async def delete(api: Api, path: str, who: str | None = "operator") -> tuple[int, str]:
    answer = await api.client.delete(path, headers=api.as_(who))
    return answer.status_code, answer.json()["code"] if answer.content else ""


async def test_a_purged_recording_is_gone_and_says_since_when(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}"
    link = (await api.post(f"{path}/playback")).json()["url"]
    await api.services.vault.put_bytes(rendition_key(recording.kept.vault_key, "peaks"), b"x")

    assert await delete(api, f"{path}?why=the%20caller%20asked%20for%20it") == (204, "")

    purged = await api.services.store.get(None, recording.id)
    for address in (f"{path}/audio", f"{path}/waveform"):
        answer = await api.get(address)
        assert (answer.status_code, answer.json()["code"]) == (410, "purged")
        assert purged.updated_at.strftime("%Y-%m-%d %H:%M:%S UTC") in answer.json()["detail"]
    assert (await api.client.get(link)).status_code == 410
    assert (await api.post(f"{path}/fetch")).status_code == 410
    assert [key async for key in api.services.vault.keys(None)] == []
    told = (await api.get(path)).json()
    assert (told["state"], told["sha256"]) == ("purged", recording.kept.sha256)
    assert (told["history"][-1]["event"], told["history"][-1]["detail"]) == ("purge", "the caller asked for it")
    assert told["history"][-1]["actor"].startswith("key:")
    receipt = told["purged"]
    assert (receipt["sha256"], receipt["size"]) == (recording.kept.sha256, recording.kept.size)
    assert (receipt["by"], receipt["why"]) == (told["history"][-1]["actor"], "the caller asked for it")
    assert receipt["at"] == told["updated_at"]
    assert await delete(api, path) == (204, "")
    assert [entry.event for entry in await api.services.store.history(None, recording.id)].count(Event.PURGE) == 1


async def test_what_was_just_heard_is_not_heard_a_moment_after_its_purge(api: Api) -> None:
    """What a process remembers of a recording it forgets within a second."""
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}/audio"
    for _ in range(2):
        assert (await api.get(path)).status_code == 200
    await delete(api, f"/api/recordings/{recording.id}")

    async def is_gone() -> bool:
        return (await api.get(path)).status_code == 410

    await until(is_gone, seconds=MEMORY.total_seconds() + 10)


@pytest.mark.rule("I9")
async def test_only_the_operator_deletes_and_nobody_learns_what_is_there(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}"

    assert await delete(api, path, None) == (401, "unauthenticated")
    assert await delete(api, path, "acme") == (403, "operator_only")
    assert await delete(api, path, "bravo") == (404, "not_found")
    for unknown in ("rec_" + "0" * 32, "nonsense"):
        for who in ("bravo", "operator"):
            assert await delete(api, f"/api/recordings/{unknown}", who) == (404, "not_found")
    assert (await api.services.store.get(None, recording.id)).state is State.READY


async def test_what_is_on_its_way_is_cancelled_before_it_is_purged(api: Api) -> None:
    recording = await api.record()
    path = f"/api/recordings/{recording.id}"

    assert await delete(api, path) == (409, "conflict")
    await api.post(f"{path}/cancel", "operator")
    assert await delete(api, path) == (204, "")
    assert (await api.post(f"{path}/retry", "operator")).status_code == 409
