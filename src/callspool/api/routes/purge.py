"""Deleting a recording, for good."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from callspool.api.auth import Caller
from callspool.api.links import recording_id
from callspool.api.problems import Refusal, responses
from callspool.api.services import ServicesOf
from callspool.lifecycle.purge import Purger

router = APIRouter(prefix="/api/recordings", tags=["recordings"])


@router.delete(
    "/{id}",
    operation_id="purgeRecording",
    status_code=204,
    response_class=Response,
    responses=responses(403, 404, 409),
)
async def purge_recording(
    id: str,  # noqa: A002 - its JSON name
    services: ServicesOf,
    caller: Caller,
    why: Annotated[str, Query(max_length=500, description="Kept in its history.")] = "asked for by an operator",
) -> Response:
    """Delete audio and renditions; a tombstone stays. For the operator's key; again is the same.

    Ready, failed and cancelled recordings can be purged. From the answer on nothing of it is played; where the vault
    does not answer at the moment, the files go as soon as it does.
    """
    wanted = recording_id(id)
    if caller.tenant_id is not None:
        # Tenants' keys live in other systems and their pages, and what is deleted cannot be had again.
        await services.store.get(caller.tenant_id, wanted)
        raise Refusal("operator_only", "Only the operator's key deletes recordings. Ask the operator.")
    purger = Purger(services.store, services.vault, services.bulletin)
    await purger.purge(None, wanted, by=caller.by, why=why)
    return Response(status_code=204)
