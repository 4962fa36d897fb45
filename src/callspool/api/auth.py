"""Who asks: a tenant's key or the operator's. Foreign and unknown things look the same to everybody."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from callspool.api.problems import Refusal
from callspool.api.services import ServicesOf
from callspool.domain.audit import By
from callspool.domain.errors import NotFound
from callspool.domain.ids import TenantId
from callspool.domain.keys import hash_key, is_key
from callspool.domain.ports import Store

Declared = Annotated[
    HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, description="An API key: `cs_…`."))
]
"""Tells OpenAPI that a key is wanted; `find` reads it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose key it is. ``tenant_id`` None: the operator's, who sees every tenant."""

    key_id: str
    tenant_id: TenantId | None
    address: str | None = None

    @property
    def actor(self) -> str:
        """What the event log says of who did it."""
        return f"key:{self.key_id}"

    @property
    def by(self) -> By:
        """What the audit log says of who did it."""
        return By(self.actor, self.address)

    def may_see(self, tenant_id: TenantId) -> bool:
        """Say whether things of *tenant_id* exist for this principal."""
        return self.tenant_id is None or self.tenant_id == tenant_id

    def scope(self, tenant: str | None) -> TenantId | None:
        """Return whose things are meant by a *tenant* parameter; None: every tenant's. Raises `NotFound`."""
        if tenant is None:
            return self.tenant_id
        if not self.may_see(TenantId(tenant)):
            raise NotFound(tenant)
        return TenantId(tenant)


async def find(store: Store, authorization: str | None) -> Principal | None:
    """Return whose key the header bears, or None. It is found by its hash, so no comparison takes its time."""
    scheme, _, text = (authorization or "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not is_key(text):
        return None
    key = await store.key_by_hash(hash_key(text))
    return Principal(key.id, key.tenant_id) if key is not None else None


async def require(request: Request, services: ServicesOf, _: Declared) -> Principal:
    """Return the principal, or refuse with 401."""
    principal = await find(services.store, request.headers.get("authorization"))
    if principal is None:
        raise Refusal("unauthenticated")
    return replace(principal, address=request.client.host if request.client else None)


Caller = Annotated[Principal, Depends(require)]


async def require_operator(caller: Caller) -> Principal:
    """Return the operator, or refuse with 403, whatever it is that is asked for."""
    if caller.tenant_id is not None:
        raise Refusal("operator_only")
    return caller


Operator = Annotated[Principal, Depends(require_operator)]
