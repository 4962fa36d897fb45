"""Failed recordings by reason."""

from typing import Annotated

from fastapi import APIRouter, Query

from callspool.api.auth import Caller
from callspool.api.dashboard import Failures, FailuresOfReason
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.ports import FailureGroup
from callspool.domain.reasons import POLICIES, Reason

router = APIRouter(prefix="/api/failures", tags=["dashboard"])


@router.get("", operation_id="listFailures", responses=responses(404))
async def list_failures(
    services: ServicesOf,
    caller: Caller,
    tenant: Annotated[str | None, Query(description="For the operator's key.")] = None,
) -> Failures:
    """Count what failed, by reason. Counted as it happens, so it is asked at will."""
    of_reason: dict[Reason, list[FailureGroup]] = {}
    for group in await services.store.failures(caller.scope(tenant)):
        of_reason.setdefault(group.reason, []).append(group)
    groups = [
        FailuresOfReason(
            reason=reason,
            sentence=POLICIES[reason].sentence,
            retryable=reason is not Reason.GONE,
            count=sum(group.count for group in its),
            oldest=min(group.oldest for group in its),
            newest=max(group.newest for group in its),
        )
        for reason, its in of_reason.items()
    ]
    return Failures(groups=sorted(groups, key=lambda one: (-one.count, one.reason)))
