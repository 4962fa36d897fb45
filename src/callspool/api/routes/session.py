"""Who asks: what a page needs to know of its key before it shows anything."""

from fastapi import APIRouter

from callspool.api.auth import Caller
from callspool.api.problems import responses
from callspool.api.schemas import SessionView
from callspool.api.services import ServicesOf

router = APIRouter(prefix="/api/session", tags=["session"])


@router.get("", operation_id="getSession", responses=responses())
async def get_session(services: ServicesOf, caller: Caller) -> SessionView:
    """Say whose key this is and what it may see."""
    keys = await services.store.keys()
    name = next((key.name for key in keys if key.id == caller.key_id), caller.key_id)
    return SessionView(kind="key", name=name, tenant_id=caller.tenant_id, csrf=None)
