"""Who asks: a key, or a browser that signed in. Foreign and unknown things look the same to everybody."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from callspool.api.origins import belongs_to
from callspool.api.problems import Refusal
from callspool.api.rates import PLAY, Rates
from callspool.api.scopes import needed
from callspool.api.services import Services, ServicesOf
from callspool.domain.audit import By
from callspool.domain.errors import NotFound
from callspool.domain.ids import TenantId
from callspool.domain.keys import hash_key, is_key
from callspool.domain.ports.store import Store
from callspool.domain.tenant import ALL_SCOPES, Scope

Declared = Annotated[
    HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, description="An API key: `cs_…`."))
]
"""Tells OpenAPI that a key is wanted; `find_caller` reads it."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES: Final = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``tenant_id`` None: the operator, who sees every tenant."""

    key_id: str | None
    tenant_id: TenantId | None
    name: str = ""
    """The user's, or the key's."""
    csrf: str | None = None
    """Set where a cookie says who asks."""
    address: str | None = None
    scopes: frozenset[Scope] = ALL_SCOPES

    @property
    def actor(self) -> str:
        """What the event log says of who did it."""
        return f"user:{self.name}" if self.key_id is None else f"key:{self.key_id}"

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
    return Principal(key.id, key.tenant_id, key.name, scopes=key.scopes) if key is not None else None


async def find_caller(request: Request, services: Services) -> Principal | None:
    """Return who asks, if it may ask this: by the header, else by the cookie. Refuses what its scopes do not allow."""
    caller = await _find_caller(request, services)
    request.state.caller = caller
    if caller is None:
        return None
    belongs_to(request, caller.tenant_id)
    if (scope := needed(request)) is not None and scope not in caller.scopes:
        raise Refusal("scope_missing", f"This key may not do that: it needs the scope '{scope}'.")
    return caller


async def _find_caller(request: Request, services: Services) -> Principal | None:
    """Return whose header or cookie it is. Refuses what a foreign page makes a browser send."""
    authorization = request.headers.get("authorization")
    secret = request.cookies.get(cookie_name(services))
    if authorization is not None or not secret:
        return await find(services.store, authorization)
    if not is_from_own_page(request, services):
        return None
    session = await services.store.session(hash_key(secret))
    if session is None:
        return None
    csrf = csrf_token(services, secret)
    if request.method not in _SAFE:
        given = request.headers.get("x-csrf-token", "")
        if not hmac.compare_digest(given.encode(), csrf.encode()):
            raise Refusal("bad_csrf")
    return Principal(session.key_id, session.tenant_id, session.name, csrf, scopes=session.scopes)


def is_from_own_page(request: Request, services: Services) -> bool:
    """Say whether no foreign page made a browser send this.

    Browsers say so in Sec-Fetch-Site, but older ones do not, and none does over plain http: then Origin tells, which
    no page can change either. Without both it is no browser, or one that follows a link: then the cookie stays away.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN_PAGES
    origin = request.headers.get("origin")
    if origin is None:
        return True
    public = urlsplit(services.settings.public_url)
    return origin == f"{public.scheme}://{public.netloc}" or origin.partition("://")[2] == request.headers.get("host")


def cookie_name(services: Services) -> str:
    """Return the cookie's name. With its prefix a browser takes it over https only, and from this very host."""
    return "__Host-callspool" if is_https(services) else "callspool"


def is_https(services: Services) -> bool:
    """Say whether browsers come over https."""
    return services.settings.public_url.startswith("https://")


def csrf_token(services: Services, secret: str) -> str:
    """Return what a page of ours sends beside the cookie: it can be read by no other origin."""
    key = hmac.digest(services.secret_key, b"callspool csrf v1", "sha256")
    return hmac.new(key, secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


async def require(request: Request, services: ServicesOf, _: Declared) -> Principal:
    """Return the principal, or refuse with 401."""
    principal = await find_caller(request, services)
    if principal is None:
        raise Refusal("unauthenticated")
    rates: Rates = request.app.state.api_rates
    if getattr(request.scope["route"], "operation_id", None) not in PLAY:
        rates.count(principal.tenant_id or principal.actor)
    return replace(principal, address=request.client.host if request.client else None)


Caller = Annotated[Principal, Depends(require)]


async def require_operator(caller: Caller) -> Principal:
    """Return the operator, or refuse with 403, whatever it is that is asked for."""
    if caller.tenant_id is not None:
        raise Refusal("operator_only")
    return caller


Operator = Annotated[Principal, Depends(require_operator)]
