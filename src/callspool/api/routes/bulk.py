"""Retrying all failed recordings that match: counted first, then worked off by the reconciling process."""

from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Path, Response

from callspool.api.auth import Caller
from callspool.api.dashboard import OperationView, RetryCount, RetryWish
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.ids import AccountId
from callspool.domain.operation import FailedFilter

router = APIRouter(prefix="/api", tags=["dashboard"])
_log = structlog.get_logger("callspool.api")

_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": RetryCount, "description": "Counted, and nothing was done"},
    202: {"model": OperationView, "description": "It has begun"},
    **responses(404, 422),
}


@router.post("/failures/retry", operation_id="retryFailures", responses=_RESPONSES)
async def retry_failures(
    wish: RetryWish, response: Response, services: ServicesOf, caller: Caller
) -> RetryCount | OperationView:
    """Retry every failed recording that matches now, or only count them. It goes on whoever is restarted."""
    wanted = FailedFilter(
        tenant_id=caller.scope(wish.tenant_id),
        account_id=None if wish.account_id is None else AccountId(wish.account_id),
        reason=wish.reason,
    )
    if wish.dry_run:
        return RetryCount(matched=await services.store.matching(wanted))
    operation = await services.store.begin_retry(wanted, owner=caller.tenant_id, actor=caller.actor)
    _log.info("operation.begun", id=operation.id, kind=operation.kind, matched=operation.matched, actor=caller.actor)
    await services.bulletin.ring()
    response.status_code = 202
    return OperationView.of(operation)


@router.get("/operations/{id}", operation_id="getOperation", responses=responses(404))
async def get_operation(
    id: Annotated[str, Path(max_length=100)],  # noqa: A002 - its JSON name
    services: ServicesOf,
    caller: Caller,
) -> OperationView:
    """Say how far an operation is. A tenant sees those that it began itself."""
    return OperationView.of(await services.store.operation(caller.tenant_id, id))
