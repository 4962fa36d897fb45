"""The beginning of a session, however somebody proved who it is: always a new one, and its cookie."""

import secrets
from dataclasses import dataclass
from typing import Literal

import structlog
from fastapi import Request, Response

from callspool.api.auth import Principal, cookie_name, csrf_token, is_https
from callspool.api.services import Services
from callspool.domain.ids import TenantId
from callspool.domain.keys import hash_key
from callspool.domain.session import Session
from callspool.domain.tenant import ALL_SCOPES, Scope

_log = structlog.get_logger("callspool.api")


@dataclass(frozen=True, slots=True)
class Who:
    """Who signed in, by a password, by a key, or vouched for."""

    name: str
    tenant_id: TenantId | None
    user: str | None
    key_id: str | None
    scopes: frozenset[Scope] = ALL_SCOPES


async def enter(request: Request, response: Response, services: Services, who: Who) -> Principal:
    """Begin a session and give its cookie; the one that this browser had ends."""
    address = request.client.host if request.client else ""
    secret, now = secrets.token_urlsafe(32), services.clock.now()
    await leave(request, services)
    lifetime = services.settings.session_ttl
    session = Session(hash_key(secret), who.name, who.tenant_id, who.user, who.key_id, now, now + lifetime)
    principal = Principal(who.key_id, who.tenant_id, who.name, csrf_token(services, secret), address, who.scopes)
    await services.store.begin_session(session, by=principal.by)
    set_cookie(response, services, secret, int(lifetime.total_seconds()))
    _log.info("sign_in.done", user=who.user, key_id=who.key_id, address=address)
    return principal


async def leave(request: Request, services: Services) -> None:
    """End the session whose cookie this browser sent."""
    if before := request.cookies.get(cookie_name(services)):
        await services.store.end_session(hash_key(before))


def set_cookie(response: Response, services: Services, secret: str, seconds: int) -> None:
    """Let the browser keep a session's *secret* for so long; none is sent from any page but ours."""
    set_cookie_named(cookie_name(services), response, services, secret, seconds, "strict")


def set_cookie_named(
    name: str, response: Response, services: Services, value: str, seconds: int, same_site: Literal["strict", "lax"]
) -> None:
    """Let the browser keep *value* for so long, out of reach of scripts, by https alone where we have it."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=is_https(services), httponly=True, samesite=same_site
    )
