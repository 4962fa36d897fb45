"""The audit log, for the operator."""

from typing import Annotated

from fastapi import APIRouter, Query

from callspool.api.auth import Operator
from callspool.api.dashboard import AuditLog, AuditView
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.audit import AuditKind
from callspool.domain.errors import InvalidInput

router = APIRouter(prefix="/api/audit", tags=["operations"])


@router.get("", operation_id="listAudit", responses=responses(403, 422))
async def list_audit(
    services: ServicesOf,
    _: Operator,
    only: Annotated[AuditKind | None, Query(description="Who changed what, or who listened. Without it: both.")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AuditLog:
    """List who changed what and who listened, newest first."""
    if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise InvalidInput("cursor", "Give the 'next_cursor' of the page before, as it came.")
    entries = await services.store.audit_log(int(cursor) if cursor is not None else None, limit=limit, only=only)
    more = len(entries) == limit and entries[-1].seq > 1
    return AuditLog(
        entries=[AuditView.of(entry) for entry in entries], next_cursor=str(entries[-1].seq) if more else None
    )
