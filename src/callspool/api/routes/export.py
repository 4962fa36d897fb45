"""Tables for spreadsheets: recordings and the audit log as CSV, streamed, as files to save."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from callspool.api.auth import Caller, Operator
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.ids import AccountId
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import State
from callspool.lifecycle.export import audit_csv, recordings_csv

router = APIRouter(prefix="/api/export", tags=["export"])

_CSV: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "The table", "content": {"text/csv": {}}}}


@router.get(
    "/recordings.csv",
    operation_id="exportRecordings",
    response_class=Response,
    responses={**_CSV, **responses(404, 422)},
)
async def export_recordings(
    services: ServicesOf,
    caller: Caller,
    tenant: Annotated[str | None, Query(description="For the operator's key.")] = None,
    account: str | None = None,
    state: Annotated[list[State] | None, Query(description="May be given several times.")] = None,
    created_from: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
) -> Response:
    """Return all recordings that match, newest first, as CSV. A text that a spreadsheet would run begins with '."""
    wanted = RecordingFilter(
        tenant_id=caller.scope(tenant),
        account_id=AccountId(account) if account is not None else None,
        states=frozenset(state) if state else None,
        created_from=created_from,
        created_before=created_before,
    )
    return await _file("recordings", recordings_csv(services.store, wanted), services.clock.now())


@router.get("/audit.csv", operation_id="exportAudit", response_class=Response, responses={**_CSV, **responses(403)})
async def export_audit(services: ServicesOf, _: Operator) -> Response:
    """Return the whole audit log, newest first, as CSV. For the operator."""
    return await _file("audit", audit_csv(services.store), services.clock.now())


async def _file(name: str, pages: AsyncIterator[bytes], now: datetime) -> Response:
    first = await anext(pages)  # what goes wrong at once is told as a problem, and not by a file that breaks off

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for page in pages:
            yield page

    headers = {"content-disposition": f'attachment; filename="callspool-{name}-{now:%Y-%m-%d}.csv"'}
    return StreamingResponse(body(), media_type="text/csv; charset=utf-8", headers=headers)
