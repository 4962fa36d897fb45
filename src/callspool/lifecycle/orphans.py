"""Files of the vault that no recording needs: what attempts left that lost, and what came after a purge.

The store decides, by the attempt that stands in the key: what was kept last is needed, of a recording that is being
fetched what the running attempt puts, and everything older can never be kept any more, because an attempt number is
given out once. Still nothing is touched of what moved lately, and nothing of a recording that the store does not know:
that is rather a store put back from an old copy than a vault with too much in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from callspool.domain.ids import RecordingId
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.recordings import RecordingStore
from callspool.domain.ports.vault import Vault
from callspool.domain.recording import Recording, State
from callspool.vault.keys import parse_key

BATCH = 500

_log = structlog.get_logger("callspool.lifecycle")


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did."""

    seen: int
    removed: int
    unknown: int
    """Files of recordings that the store does not know, or not so far: left alone."""


async def sweep_orphans(
    store: RecordingStore, vault: Vault, clock: Clock, *, settled_for: timedelta, most: int
) -> Swept:
    """Walk through the vault once; remove at most *most* files. *settled_for*: how long a recording rested before."""
    seen = removed = unknown = 0
    batch: list[str] = []

    async def look() -> None:
        nonlocal removed, unknown
        known = await store.find(list({parse_key(key).recording_id for key in batch}))
        for key in batch:
            match judge(key, known, clock, settled_for):
                case None:
                    unknown += 1
                case True if removed < most:
                    await vault.delete(key)
                    removed += 1
        batch.clear()

    async for key in vault.keys():
        seen += 1
        batch.append(key)
        if len(batch) >= BATCH:
            await look()
    await look()
    if removed or unknown:
        _log.warning("vault.swept", seen=seen, removed=removed, unknown=unknown)
    return Swept(seen, removed, unknown)


def judge(key: str, known: Mapping[RecordingId, Recording], clock: Clock, settled_for: timedelta) -> bool | None:
    """Say whether nobody needs the file; None: the store does not know what it is."""
    parsed = parse_key(key)
    recording = known.get(parsed.recording_id)
    if recording is None or recording.tenant_id != parsed.tenant_id:
        return None
    if recording.state is State.PURGED:
        return True
    if parsed.attempt > recording.attempt:
        return None
    if recording.kept is not None and recording.kept.vault_key == parsed.audio:
        return False  # also of one that is corrupt: there may be no better
    if recording.state is State.FETCHING and parsed.attempt == recording.attempt:
        return False
    return clock.now() - recording.updated_at > settled_for
