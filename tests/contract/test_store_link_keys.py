"""What every store must keep of the keys of playback links."""

import asyncio
from datetime import timedelta

from callspool.domain.audit import By
from callspool.domain.ports.store import Store
from callspool.store import connect
from tests.fixtures.databases import KEY, Database, SetClock

OVERLAP = timedelta(minutes=16)


async def test_older_keys_hold_for_the_overlap_and_never_longer(store: Store, clock: SetClock) -> None:
    assert await store.link_keys() == []
    await store.rotate_link_key(OVERLAP)
    second, first = await store.link_keys()
    assert first == await store.signing_key()

    clock.pass_by(OVERLAP / 2)
    await store.rotate_link_key(OVERLAP)
    assert (await store.link_keys())[1:] == [second, first]
    clock.pass_by(OVERLAP / 2)
    assert (await store.link_keys())[1:] == [second]
    await store.rotate_link_key(timedelta())
    assert len(await store.link_keys()) == 1


async def test_keys_are_sealed_and_outlive_another_secret_key(store: Store, database: Database) -> None:
    await store.rotate_link_key(OVERLAP)
    keys = await store.link_keys()
    assert not any(key.hex() in database.dump() for key in keys)
    newer = bytes(range(1, 33))
    other = await connect(database.url, clock=SetClock(), secret_key=lambda: (newer, KEY))
    try:
        await other.reseal(lambda *_: None, by=By("cli"))
    finally:
        await other.close()
    alone = await connect(database.url, clock=SetClock(), secret_key=newer)
    try:
        assert await alone.link_keys() == keys
    finally:
        await alone.close()


async def test_two_who_replace_it_at_once_leave_one_line_of_keys(store: Store) -> None:
    await asyncio.gather(*(store.rotate_link_key(OVERLAP) for _ in range(4)))
    assert len(set(await store.link_keys())) == 5
