"""The key of playback links is replaced while servers run."""

from datetime import timedelta

from callspool.domain.audit import AuditKind
from tests.api.conftest import Api, until

OVERLAP = timedelta(minutes=16)


async def new_link(api: Api, recording_id: str) -> str:
    url: str = (await api.post(f"/api/recordings/{recording_id}/playback")).json()["url"]
    return url


async def plays(api: Api, link: str) -> list[int]:
    """Twice: the second time by the short way."""
    return [(await api.client.get(link, headers={"range": "bytes=0-9"})).status_code for _ in range(2)]


async def test_a_replaced_key_signs_no_more_and_its_links_play_on_for_the_overlap(api: Api) -> None:
    recording = await api.ready()
    await api.services.store.rotate_link_key(OVERLAP)
    await api.services.links.look()
    old = await new_link(api, recording.id)

    await api.services.store.rotate_link_key(OVERLAP)
    await api.services.links.look()
    new = await new_link(api, recording.id)

    assert old.split(".")[1] != new.split(".")[1]
    assert await plays(api, old) == await plays(api, new) == [206, 206]
    assert len(await api.services.store.link_keys()) == 3
    api.clock.ahead = OVERLAP
    assert len(await api.services.store.link_keys()) == 1  # their links ended before that


async def test_a_key_that_others_know_ends_all_its_links(api: Api) -> None:
    recording = await api.ready()
    link = await new_link(api, recording.id)
    assert await plays(api, link) == [206, 206]

    await api.services.store.rotate_link_key(timedelta())
    await api.services.links.look()

    async def is_refused() -> bool:  # what a connection remembers it forgets within a second
        return await plays(api, link) == [403, 403]

    await until(is_refused)
    assert await plays(api, await new_link(api, recording.id)) == [206, 206]
    (entry,) = await api.services.store.audit_log(None, limit=1, only=AuditKind.CHANGES)
    assert (entry.action, entry.detail) == ("links.rotate", '{"overlap_s": 0.0}')


async def test_a_link_of_another_server_that_signs_with_a_newer_key_is_known_at_once(api: Api) -> None:
    recording = await api.ready()
    before = api.services.links.now
    await api.services.store.rotate_link_key(OVERLAP)
    await api.services.links.look()
    link = await new_link(api, recording.id)
    api.services.links.now = before  # as one that has not looked yet
    api.services.links._looked -= 1

    assert await plays(api, link) == [206, 206]
