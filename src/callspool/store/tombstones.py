"""Tombstones that come back from elsewhere: what was purged is purged again, and what is not known will not come."""

from sqlalchemy import Connection

from callspool.domain.errors import Held
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.recording import Recording, State
from callspool.domain.tombstone import Burial, Tombstone
from callspool.store import holds, moves, rows, statements
from callspool.store.moves import Step

_GONE = (State.PURGED, State.ABSENT)
_UNDER_WAY = frozenset({State.ANNOUNCED, State.QUEUED, State.FETCHING})


def bury(connection: Connection, step: Step, tombstone: Tombstone) -> tuple[Burial, Recording | None]:
    """Purge it, whatever state it is in. Raises `NotFound` where it can be nobody's here."""
    known = {"the_account": tombstone.account_id, "the_provider_recording": tombstone.provider_recording_id}
    row = connection.execute(statements.SELECT_BY_PROVIDER, known).first()
    if row is None:
        inserted = moves.insert_purged(connection, step, _notice(tombstone), tombstone.recording_id, said(tombstone))
        return (Burial.PURGED, inserted) if inserted is not None else (Burial.ALREADY, None)
    found = rows.recording(row)
    if found.state in _GONE:
        return Burial.ALREADY, found
    try:
        holds.refuse_held_tenant(connection, found.id)
        holds.refuse_held(connection, found.id)
        if found.state in _UNDER_WAY:
            moves.cancel(connection, step, None, found.id)
        return Burial.PURGED, moves.purge(connection, step, None, found.id, said(tombstone))
    except Held:
        return Burial.HELD, found


def said(tombstone: Tombstone) -> str:
    """Return why it is purged now."""
    return f"{tombstone.why} (purged at {tombstone.at:%Y-%m-%d %H:%M:%S} UTC by {tombstone.by}, and again from there)"


def _notice(tombstone: Tombstone) -> Notice:
    return Notice(
        account_id=tombstone.account_id,
        tenant_id=tombstone.tenant_id,
        provider_recording_id=tombstone.provider_recording_id,
        call_id=None,
        status=ProviderStatus.COMPLETED,
    )
