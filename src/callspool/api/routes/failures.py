"""Failed recordings by reason, and by the account whose they are."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from callspool.api.auth import Caller
from callspool.api.dashboard import Failures, FailuresOfAccount, FailuresOfReason
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.ids import AccountId
from callspool.domain.ports.counts import FailureGroup
from callspool.domain.reasons import POLICIES, Reason

router = APIRouter(prefix="/api/failures", tags=["dashboard"])


@router.get("", operation_id="listFailures", responses=responses(404))
async def list_failures(
    services: ServicesOf,
    caller: Caller,
    tenant: Annotated[str | None, Query(description="For the operator's key.")] = None,
    account: Annotated[str | None, Query(description="Only what failed of that account.", max_length=100)] = None,
) -> Failures:
    """Count what failed, by reason and account. Counted as it happens, so it is asked at will."""
    found = await services.store.failures(caller.scope(tenant))
    of_reason: dict[Reason, list[FailureGroup]] = {}
    for group in found:
        if account is None or AccountId(account) in group.accounts:
            of_reason.setdefault(group.reason, []).append(group)
    groups = [_of_reason(reason, its, account) for reason, its in of_reason.items()]
    return Failures(groups=sorted(groups, key=lambda one: (-one.count, one.reason)), accounts=_by_account(found))


def _of_reason(reason: Reason, its: Sequence[FailureGroup], account: str | None) -> FailuresOfReason:
    accounts = [one for one in _by_account(its) if account in (None, one.account_id)]
    return FailuresOfReason(
        reason=reason,
        sentence=POLICIES[reason].sentence,
        retryable=reason is not Reason.GONE,
        count=sum(one.count for one in accounts),
        accounts=accounts,
        oldest=min(group.oldest for group in its) if account is None else None,
        newest=max(group.newest for group in its) if account is None else None,
    )


def _by_account(groups: Sequence[FailureGroup]) -> list[FailuresOfAccount]:
    counted: Counter[AccountId] = Counter()
    for group in groups:
        counted.update(group.accounts)
    most_first = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return [FailuresOfAccount(account_id=account, count=number) for account, number in most_first]
