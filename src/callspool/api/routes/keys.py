"""API keys: who may use the API. Only the operator makes and revokes them."""

import secrets

import structlog
from fastapi import APIRouter

from callspool.api.auth import Operator
from callspool.api.dashboard import KeyList, KeyView, KeyWish, NewKey
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.ids import TenantId
from callspool.domain.keys import KEY_RANDOMNESS, new_key

router = APIRouter(prefix="/api/keys", tags=["keys"])
_log = structlog.get_logger("callspool.api")


@router.get("", operation_id="listKeys", responses=responses(403))
async def list_keys(services: ServicesOf, _: Operator) -> KeyList:
    """List the keys by their public ids. For the operator."""
    return KeyList(keys=[KeyView.of(key) for key in await services.store.keys()])


@router.post("", operation_id="makeKey", status_code=201, responses=responses(403, 404, 422))
async def make_key(wish: KeyWish, services: ServicesOf, caller: Operator) -> NewKey:
    """Make a key. Its text is in this answer and never again. For the operator."""
    tenant_id = None if wish.tenant_id is None else TenantId(wish.tenant_id)
    key, text = new_key(
        tenant_id,
        wish.name,
        now=services.clock.now(),
        randomness=secrets.token_bytes(KEY_RANDOMNESS),
        scopes=frozenset(wish.scopes),
        expires_at=wish.expires_at,
    )
    await services.store.add_key(key, by=caller.by)
    _log.info("key.made", key_id=key.id, tenant_id=tenant_id, actor=caller.actor)
    return NewKey.with_text(key, text)


@router.delete("/{id}", operation_id="revokeKey", responses=responses(403, 404))
async def revoke_key(id: str, services: ServicesOf, caller: Operator) -> KeyView:  # noqa: A002 - its JSON name
    """Let a key be refused from now on; again is the same. For the operator."""
    key = await services.store.revoke_key(id, by=caller.by)
    _log.info("key.revoked", key_id=key.id, actor=caller.actor)
    return KeyView.of(key)
