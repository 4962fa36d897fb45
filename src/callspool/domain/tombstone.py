"""What is left of a purged recording: the receipt of its deletion, and what keeps it gone.

A tombstone also lies in the vault, outside of the database: where an older copy of the database is put back, what was
purged since is purged again, before anybody hears or fetches it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from callspool.domain.audit import By
from callspool.domain.errors import Conflict, InvalidInput
from callspool.domain.ids import AccountId, RecordingId, TenantId, is_name, is_recording_id
from callspool.domain.recording import Event, HistoryEntry, Recording, State


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What it was, when it went, who purged it, and why."""

    recording_id: RecordingId
    tenant_id: TenantId
    account_id: AccountId
    provider_recording_id: str
    sha256: str | None
    """Of what was kept; None: nothing was."""
    size: int | None
    duration_s: float | None
    at: datetime
    by: str
    why: str

    def to_json(self) -> bytes:
        """Return the file. The same tombstone is always the same bytes."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return (json.dumps({**values, "at": self.at.isoformat()}, ensure_ascii=False, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Tombstone":
        """Read a file, or raise `InvalidInput`: it is not one of ours."""
        try:
            values: dict[str, Any] = json.loads(text)
            stone = cls(**{**values, "at": datetime.fromisoformat(values["at"])})
            ours = is_recording_id(stone.recording_id) and is_name(stone.tenant_id) and is_name(stone.account_id)
            if ours and isinstance(stone.provider_recording_id, str) and stone.at.tzinfo is not None:
                return stone
        except (ValueError, TypeError, KeyError):
            pass
        raise InvalidInput("tombstone", "This is not a tombstone of callspool.")


def tombstone_of(recording: Recording, history: Sequence[HistoryEntry]) -> Tombstone:
    """Return the tombstone of a purged recording. Raises `Conflict` where it is none."""
    last = next((entry for entry in reversed(history) if entry.event is Event.PURGE), None)
    if recording.state is not State.PURGED or last is None:
        raise Conflict(f"This recording is {recording.state}: it was not purged.")
    kept = recording.kept
    return Tombstone(
        recording_id=recording.id,
        tenant_id=recording.tenant_id,
        account_id=recording.account_id,
        provider_recording_id=recording.provider_recording_id,
        sha256=kept.sha256 if kept else None,
        size=kept.size if kept else None,
        duration_s=kept.duration_s if kept else None,
        at=last.at,
        by=last.actor,
        why=last.detail or "",
    )


class Burial(StrEnum):
    """What became of a tombstone that was put into a store again."""

    PURGED = "purged"
    """The store had the recording, or will hear of it: it is purged there now."""
    ALREADY = "already"
    HELD = "held"
    """A legal hold lies on it in this store. A person must decide."""
    UNKNOWN = "unknown"
    """Its tenant or account does not exist here."""


class TombstoneStore(Protocol):
    """What the store does with them."""

    async def tombstone(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Tombstone:
        """Return it. Raises `NotFound`, or `Conflict` where the recording was not purged."""
        ...

    async def bury(self, tombstone: Tombstone, *, by: By) -> tuple[Burial, Recording | None]:
        """Purge what a tombstone from elsewhere names, from any state, and audit it; or insert it as purged.

        The recording is found by the provider's id, so one that was listed and fetched anew is purged too.
        """
        ...
