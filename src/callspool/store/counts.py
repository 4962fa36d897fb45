"""How many recordings are where, and since when: read from the tallies and the ends of indexes, never by counting."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, literal_column, select

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.ports.counts import FailureGroup, StateCount
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.store import rows
from callspool.store.tables import recordings, tallies

_R: Final = recordings.c
_FAILED: Final[ColumnElement[str]] = literal_column(f"'{State.FAILED.value}'")


def count(connection: Connection, tenant_id: TenantId | None) -> Sequence[StateCount]:
    """Count by tenant, state and, where failed, reason."""
    group = _groups(tenant_id)
    # ``updated_at`` is the time of the last move, so the time since which it is in this state.
    oldest = case((group.c.state == _FAILED, _failed(group, func.min)), else_=_first(group))
    query = select(group.c.tenant_id, group.c.state, group.c.reason, group.c.n, oldest)
    return [
        StateCount(TenantId(tenant), State(state), rows.reason(why or None), number, since)
        for tenant, state, why, number, since in connection.execute(query.order_by(group.c.tenant_id, group.c.state))
    ]


def failures(connection: Connection, tenant_id: TenantId | None) -> Sequence[FailureGroup]:
    """Count the failed ones by tenant, reason and account."""
    mine = () if tenant_id is None else (tallies.c.tenant_id == tenant_id,)
    failed = (tallies.c.state == State.FAILED.value, tallies.c.reason != "", tallies.c.n > 0)
    group = select(tallies).where(*failed, *mine).subquery("counted")
    query = select(
        *(group.c.tenant_id, group.c.reason, group.c.account_id, group.c.n),
        *(_failed(group, func.min), _failed(group, func.max)),
    ).order_by(group.c.reason, group.c.tenant_id, group.c.account_id)
    accounts: dict[tuple[TenantId, Reason], dict[AccountId, int]] = defaultdict(dict)
    times: dict[tuple[TenantId, Reason], tuple[datetime, datetime]] = {}
    for tenant, why, account, number, oldest, newest in connection.execute(query):
        key = TenantId(tenant), Reason(why)
        accounts[key][AccountId(account)] = number
        times[key] = oldest, newest
    return [FailureGroup(*key, its, *times[key]) for key, its in accounts.items()]


def _groups(tenant_id: TenantId | None, *where: ColumnElement[bool]) -> Any:
    by = (tallies.c.tenant_id, tallies.c.state, tallies.c.reason)
    mine = () if tenant_id is None else (tallies.c.tenant_id == tenant_id,)
    number = func.sum(tallies.c.n)
    return select(*by, number.label("n")).where(*where, *mine).group_by(*by).having(number > 0).subquery("counted")


def _first(group: Any) -> Any:
    at = select(func.min(_R.updated_at)).where(_R.tenant_id == group.c.tenant_id, _R.state == group.c.state)
    return at.correlate(group).scalar_subquery()


def _failed(group: Any, end: Any) -> Any:
    mine = (_R.tenant_id == group.c.tenant_id, _R.reason == group.c.reason, _R.state == _FAILED)
    return select(end(_R.updated_at)).where(*mine).correlate(group).scalar_subquery()
