"""Operations: begun in one transaction, worked off in small ones, each of which counts what it did.

So a process that dies between two has neither done anything twice nor forgotten anything.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from callspool.domain.errors import NotFound
from callspool.domain.ids import AccountId, RecordingId, TenantId, new_recording_id
from callspool.domain.operation import FailedFilter, Operation, OperationKind, OperationState
from callspool.domain.ports.operations import Worked
from callspool.domain.recording import Recording, State
from callspool.store import moves, rows
from callspool.store.lists import IS_FAILED
from callspool.store.moves import Step
from callspool.store.tables import operations, recordings, tallies

_O: Final = operations.c
_R: Final = recordings.c


def matching(connection: Connection, wanted: FailedFilter) -> int:
    """Return how many failed recordings match: from the tallies."""
    asked = [tallies.c[name] == str(value) for name, value in _given(wanted).items()]
    number = select(func.coalesce(func.sum(tallies.c.n), 0)).where(tallies.c.state == State.FAILED.value, *asked)
    return int(connection.execute(number).scalar_one())


def begin(connection: Connection, step: Step, wanted: FailedFilter, owner: TenantId | None) -> Operation:
    """Count what matches and keep what is to be done."""
    values = {
        "id": new_recording_id(int(step.at.timestamp() * 1000), secrets.token_bytes(10)).replace("rec_", "op_"),
        "kind": OperationKind.RETRY.value,
        **_given(wanted),
        "owner": owner,
        "actor": rows.clean(step.actor),
        "matched": matching(connection, wanted),
        "done": 0,
        "skipped": 0,
        "state": OperationState.RUNNING.value,
        "started_at": step.at,
    }
    return _operation(connection.execute(insert(operations).values(values).returning(operations)).one())


def get(connection: Connection, owner: TenantId | None, operation_id: str) -> Operation:
    """Return it or raise `NotFound`."""
    mine = () if owner is None else (_O.owner == owner,)
    row = connection.execute(select(operations).where(_O.id == operation_id, *mine)).first()
    if row is None:
        raise NotFound("There is no such operation.")
    return _operation(row)


def any_runs(connection: Connection) -> bool:
    """Say whether there is anything to do."""
    return (
        connection.execute(select(_O.id).where(_O.state == OperationState.RUNNING.value).limit(1)).first() is not None
    )


def work_off(connection: Connection, step: Step, most: int) -> Worked | None:
    """Do the next bit of the oldest that runs; None: nothing is to be done, or others are doing it."""
    oldest = select(operations).where(_O.state == OperationState.RUNNING.value).order_by(_O.id).limit(1)
    row = connection.execute(oldest.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    ids = _next(connection, row, most)
    retried = _retry(connection, Step(row.actor, step.at), ids)
    done = row.done + len(retried)
    values: dict[str, Any] = {"done": done, "last_id": ids[-1] if ids else row.last_id}
    if len(ids) < most:
        # What failed after the count, in the moment before the commit, is done too and was matched.
        matched = max(row.matched, done)
        values |= {"matched": matched, "skipped": matched - done, "ended_at": step.at}
        values["state"] = OperationState.DONE.value
    change = update(operations).where(_O.id == row.id).values(values).returning(operations)
    return Worked(_operation(connection.execute(change).one()), retried)


def _next(connection: Connection, row: Row[Any], most: int) -> Sequence[RecordingId]:
    """Lock the next recordings. One that is locked by another is being moved already: it is passed over."""
    asked: list[ColumnElement[bool]] = [_R[name] == value for name, value in _given(_wanted(row)).items()]
    if row.last_id is not None:
        asked.append(_R.id > row.last_id)
    query = (
        select(_R.id)
        # What fails again was given its chance.
        .where(IS_FAILED, _R.updated_at <= row.started_at, *asked)
        .order_by(_R.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [RecordingId(id_) for id_ in connection.execute(query).scalars()]


def _retry(connection: Connection, step: Step, ids: Sequence[RecordingId]) -> tuple[Recording, ...]:
    return tuple(moves.retry(connection, step, None, recording_id) for recording_id in ids)


def _given(wanted: FailedFilter) -> dict[str, str]:
    found = {"tenant_id": wanted.tenant_id, "account_id": wanted.account_id, "reason": wanted.reason}
    return {name: str(value) for name, value in found.items() if value is not None}


def _wanted(row: Row[Any]) -> FailedFilter:
    return FailedFilter(
        tenant_id=None if row.tenant_id is None else TenantId(row.tenant_id),
        account_id=None if row.account_id is None else AccountId(row.account_id),
        reason=rows.reason(row.reason),
    )


def _operation(row: Row[Any]) -> Operation:
    return Operation(
        id=row.id,
        kind=OperationKind(row.kind),
        wanted=_wanted(row),
        owner=None if row.owner is None else TenantId(row.owner),
        actor=row.actor,
        matched=row.matched,
        done=row.done,
        skipped=row.skipped,
        state=OperationState(row.state),
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
