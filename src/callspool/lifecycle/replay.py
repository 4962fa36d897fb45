"""Tombstones in the vault: each purge leaves one there, and a store that does not know of it is told.

The vault is not rolled back with the database. So after an older copy of the database was put back, what was purged
since stays gone: its row is purged again, and one that this store would meet as new is there as purged before that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from callspool.domain.audit import By
from callspool.domain.errors import InvalidInput, NotFound
from callspool.domain.ids import RecordingId
from callspool.domain.ports.recordings import RecordingFilter, RecordingStore
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.recording import State
from callspool.domain.tombstone import Burial, Tombstone
from callspool.lifecycle.purge import Purger
from callspool.vault.keys import tombstone_key

BATCH: Final = 500
BY: Final = By("tombstones")

_log = structlog.get_logger("callspool.lifecycle")


@dataclass(slots=True)
class Replayed:
    """What a replay found."""

    seen: int = 0
    purged: int = 0
    """In the store again, or for the first time."""
    held: int = 0
    unknown: int = 0
    """Of tenants or accounts that are not here; or no tombstones of ours."""


async def replay_tombstones(store: Store, vault: Vault, purger: Purger, *, by: By = BY) -> Replayed:
    """Purge all that the vault has a tombstone of and the store has not. May be repeated; reads only what differs."""
    done, batch = Replayed(), list[RecordingId]()
    async for recording_id in vault.tombstones():
        batch.append(recording_id)
        if len(batch) >= BATCH:
            await _look(store, vault, purger, batch, done, by)
            batch.clear()
    await _look(store, vault, purger, batch, done, by)
    if done.purged or done.held:
        _log.warning("tombstones.replayed", seen=done.seen, purged=done.purged, held=done.held, unknown=done.unknown)
    return done


async def export_tombstones(store: RecordingStore, purger: Purger) -> int:
    """Leave one in the vault of every purged recording that has none; return how many purged ones there are."""
    count, cursor = 0, None
    while True:
        page = await store.list(RecordingFilter(states=frozenset({State.PURGED})), cursor=cursor, limit=BATCH)
        for recording in page.recordings:
            await purger.leave_tombstone(recording)
            count += 1
        cursor = page.next_cursor
        if cursor is None:
            return count


async def _look(
    store: Store, vault: Vault, purger: Purger, batch: Sequence[RecordingId], done: Replayed, by: By
) -> None:
    known = await store.find(batch) if batch else {}
    done.seen += len(batch)
    for recording_id in batch:
        if (recording := known.get(recording_id)) is not None and recording.state is State.PURGED:
            continue
        try:
            tombstone = Tombstone.from_json(await vault.read_all(tombstone_key(recording_id)))
        except (InvalidInput, NotFound):
            done.unknown += 1
            continue
        burial, buried = await store.bury(tombstone, by=by)
        done.purged += burial is Burial.PURGED
        done.held += burial is Burial.HELD
        done.unknown += burial is Burial.UNKNOWN
        if burial is Burial.PURGED and buried is not None:
            await purger.erase(buried)
