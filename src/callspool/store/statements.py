"""The statements that move recordings, built once: building one costs more than running it.

The source states in a WHERE come from the domain's table of moves and are written down nowhere else. Parameters
that begin with ``the_`` stand in conditions and expressions; others are columns to set.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Text, bindparam, case, func, insert, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import MOVES, Event, State, sources
from callspool.store.dialects import insert_or_ignore
from callspool.store.rows import CALL
from callspool.store.tables import UtcDateTime, accounts, events, recordings

_R: Final = recordings.c
_NOW: Final = bindparam("the_time", type_=UtcDateTime())
_TENANT: Final = bindparam("the_tenant", type_=Text())

_BY_ID: Final = _R.id == bindparam("the_id")
_OF_TENANT: Final = _BY_ID & or_(_TENANT.is_(None), _R.tenant_id == _TENANT)
"""None is the operator, who may see every tenant's."""
_OF_WORKER: Final = _BY_ID & (_R.attempt == bindparam("the_attempt")) & (_R.state == State.FETCHING.value)
"""GIVE_UP leads out of ``queued`` too, but that is not for a worker to do."""
_BY_PROVIDER: Final = (_R.account_id == bindparam("the_account")) & (
    _R.provider_recording_id == bindparam("the_provider_recording")
)


def _moving(event: Event, where: ColumnElement[bool], **values: Any) -> ReturningUpdate[Any]:
    """Return the guarded UPDATE of an event: it changes a row only in a state that the event leads out of."""
    (target,) = {MOVES[source, event] for source in sources(event)}
    guard = or_(*(_R.state == source.value for source in sorted(sources(event))))
    return (
        update(recordings)
        .where(where, guard)
        .values(state=target.value, version=_R.version + 1, updated_at=bindparam("the_time"), **values)
        .returning(recordings)
    )


_CHARGES: Final[Mapping[Budget, Mapping[str, Any]]] = {
    Budget.TRIES: {"tries": _R.tries + 1},
    Budget.NOT_READY: {"not_ready": _R.not_ready + 1},
    Budget.LOST: {"lost": _R.lost + 1},
    Budget.NONE: {},
}
_NO_REASON: Final = {"reason": None, "detail": None}
_SAID: Final = {
    # What the provider leaves out of a later notice it has not taken back.
    name: func.coalesce(bindparam(f"the_{name}", type_=_R[name].type), _R[name])
    for name in (
        "call_id",
        "announced_duration_s",
        "announced_channels",
        "source",
        "started_at",
        "detail",
        "encryption",
        *CALL,
    )
}

INSERT: Final = insert_or_ignore(recordings)
SELECT: Final = select(recordings).where(_OF_TENANT)
SELECT_BY_PROVIDER: Final = select(recordings).where(_BY_PROVIDER)
HASTEN: Final = (
    update(recordings)
    .where(_OF_TENANT, _R.state == State.QUEUED.value)
    .values(not_before=None, wanted_at=func.coalesce(_R.wanted_at, bindparam("the_time")))
)

DESCRIBE: Final = update(recordings).where(_BY_ID).values({name: _SAID[name] for name in CALL})

NOTICED: Final = {event: _moving(event, _BY_PROVIDER, **_SAID) for event in (Event.ENQUEUE, Event.VANISH)}
FILL: Final = (
    update(recordings)
    .where(
        _BY_PROVIDER,
        _R.state == State.QUEUED.value,
        or_(_R.announced_duration_s.is_(None), _R.announced_channels.is_(None)),
    )
    .values(
        # The first word stands: a later one fills only what it left open.
        {
            name: func.coalesce(_R[name], bindparam(f"the_{name}", type_=_R[name].type))
            for name in ("announced_duration_s", "announced_channels")
        }
    )
)
CLAIM: Final = _moving(Event.CLAIM, _BY_ID, attempt=_R.attempt + 1, not_before=None)
EXPIRE: Final = _moving(Event.EXPIRE, _BY_ID, lost=_R.lost + 1, not_before=None)
ABANDON: Final = _moving(Event.GIVE_UP, _BY_ID, not_before=None, wanted_at=None)
_DELETES: Final = select(accounts.c.delete_after_keep).where(accounts.c.id == _R.account_id).scalar_subquery()
KEEP: Final = _moving(
    Event.KEEP,
    _OF_WORKER,
    not_before=None,
    wanted_at=None,
    lost=0,
    # One that is fetched again because its file was corrupt does not stay longer for that.
    ready_at=func.coalesce(_R.ready_at, _NOW),
    proved_at=_NOW,
    provider_delete_due_at=case((bindparam("the_verified", type_=Boolean()) & _DELETES, _NOW), else_=None),
    **_NO_REASON,
)
DEFER: Final = {
    # A worker that reports back lived: what was charged for dead ones is forgotten.
    budget: _moving(Event.DEFER, _OF_WORKER, **{**charge, "lost": int(budget is Budget.LOST)})
    for budget, charge in _CHARGES.items()
}
GIVE_UP: Final = {
    budget: _moving(Event.GIVE_UP, _OF_WORKER, not_before=None, wanted_at=None, **charge)
    for budget, charge in _CHARGES.items()
}
HAND_BACK: Final = _moving(Event.HAND_BACK, _OF_WORKER, not_before=None)
CANCEL: Final = _moving(Event.CANCEL, _OF_TENANT, not_before=None, wanted_at=None)
RETRY: Final = _moving(Event.RETRY, _OF_TENANT, tries=0, not_ready=0, lost=0, not_before=None, **_NO_REASON)
_SAME_FILE: Final = _BY_ID & (_R.vault_key == bindparam("the_vault_key"))
FETCH_AGAIN: Final = _moving(
    # Unlike a person's retry it leaves its reason to be seen until another file is kept.
    Event.RETRY,
    _SAME_FILE & (_R.reason == Reason.CORRUPT.value),
    tries=0,
    not_ready=0,
    lost=0,
    not_before=None,
)
CORRUPT: Final = _moving(Event.CORRUPT, _SAME_FILE, provider_delete_due_at=None)
RESTORE: Final = _moving(Event.RESTORE, _SAME_FILE & (_R.reason == Reason.CORRUPT.value), proved_at=_NOW, **_NO_REASON)
PROVED: Final = update(recordings).where(_SAME_FILE, _R.state == State.READY.value).values(proved_at=_NOW)
BEGIN_PROVIDER_DELETE: Final = (
    update(recordings)
    .where(_SAME_FILE, _R.state == State.READY.value, _R.verified, _R.holds == 0)
    .values(provider_delete_due_at=_NOW)
)
PURGE: Final = _moving(
    Event.PURGE,
    _OF_TENANT & (_R.holds == 0),
    detail=bindparam("the_detail", type_=Text()),
    encryption=None,
    erase_due_at=bindparam("the_time"),
    not_before=None,
)
ERASED: Final = update(recordings).where(_BY_ID, _R.state == State.PURGED.value).values(erase_due_at=None)
ERASE_LATER: Final = (
    update(recordings)
    .where(_BY_ID, _R.state == State.PURGED.value, _R.erase_due_at.is_not(None))
    .values(erase_due_at=bindparam("the_time"))
)

LOG: Final = insert(events)
LOCK_EVENTS: Final = select(func.pg_advisory_xact_lock(0x63735F65))
"""An arbitrary number, the same in every process."""
