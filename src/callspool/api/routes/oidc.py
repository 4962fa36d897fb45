"""Signing in with an identity provider: there and back, in the browser that asked and in no other.

A cookie holds one random secret; state, nonce and PKCE's verifier are made of it and of our key, so that nothing has to
be remembered here and no answer fits a browser that did not ask. It is gone with the first answer.
"""

import base64
import hmac
import math
import secrets
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Annotated, Final, Self

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from callspool.api.auth import is_https
from callspool.api.entering import Who, enter, leave, set_cookie_named
from callspool.api.problems import KINDS, SAFE_HEADERS, Refusal, problem, responses
from callspool.api.services import Services, ServicesOf
from callspool.domain.errors import CallspoolError, IdentityRefused, NotFound
from callspool.domain.identity import Challenge, IdentityProvider
from callspool.domain.session import Tries, User

router = APIRouter(prefix="/api/session", tags=["session"])
_log = structlog.get_logger("callspool.api")

PATIENCE: Final = timedelta(minutes=10)
"""For a person to sign in at the provider."""

_MOST_SAID: Final = 300
_NOT_ASKED: Final = "This browser did not begin this sign-in, or it took too long. Begin again."


class SignInWays(BaseModel):
    """How one may sign in, besides by password and key."""

    identity_provider: str | None = Field(description="What people call it. Null: there is none.")


@dataclass(frozen=True, slots=True)
class _Begun:
    """A sign-in that this browser began."""

    secret: str
    ends_at: int

    @property
    def text(self) -> str:
        return f"{self.ends_at}.{self.secret}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        ends_at, _, secret = text.partition(".")
        return cls(secret, int(ends_at)) if ends_at.isascii() and ends_at.isdigit() and len(ends_at) < 12 else None

    def challenge(self, services: Services) -> Challenge:
        key = hmac.digest(services.secret_key, b"callspool oidc v1", "sha256")

        def derived(purpose: str) -> str:
            digest = hmac.digest(key, f"{purpose}.{self.text}".encode("utf-8", "surrogatepass"), "sha256")
            return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

        callback = f"{_home(services)}/api/session/oidc/callback"
        return Challenge(derived("state"), derived("nonce"), derived("verifier"), callback)


@router.get("/ways", operation_id="getSignInWays", responses=responses())
async def get_ways(services: ServicesOf) -> SignInWays:
    """Say how one may sign in. It needs no key."""
    return SignInWays(identity_provider=services.identity.name if services.identity else None)


@router.get("/oidc", include_in_schema=False)
async def begin(request: Request, services: ServicesOf) -> Response:
    """Send the browser to the identity provider. Whoever is signed in here is not any more."""
    try:
        ends_at = int((services.clock.now() + PATIENCE).timestamp())
        begun = _Begun(secrets.token_urlsafe(32), ends_at)
        address = await _provider(services).address(begun.challenge(services))
    except CallspoolError as error:
        return _refused(request, services, error)
    await leave(request, services)
    response = RedirectResponse(address, 303, {"cache-control": "no-store"})
    _set_begun(response, services, begun.text, int(PATIENCE.total_seconds()))
    return response


@router.get("/oidc/callback", include_in_schema=False)
async def come_back(
    request: Request,
    services: ServicesOf,
    state: Annotated[str, Query()] = "",
    code: Annotated[str, Query()] = "",
    iss: Annotated[str | None, Query()] = None,
    error: Annotated[str, Query()] = "",
    error_description: Annotated[str, Query()] = "",
) -> Response:
    """Take the provider's answer and begin a session, or say on a page why not."""
    response: Response = RedirectResponse(f"{_home(services)}/#signed-in", 303, {"cache-control": "no-store"})
    try:
        challenge = _challenge(request, services, state)
        provider = _provider(services)
        if error or not code:
            said = ": ".join(text[:_MOST_SAID] for text in (error, error_description) if text)
            raise IdentityRefused(f"The identity provider says: {said or 'nothing'}")
        if iss is not None and iss != provider.issuer:
            raise IdentityRefused("The answer is of another identity provider.")
        who = await _who(request, services, provider, code, challenge)
        await enter(request, response, services, who)
    except (CallspoolError, Refusal) as refusal:
        response = _refused(request, services, refusal)
    _set_begun(response, services, "", 0)
    return response


async def _who(
    request: Request, services: Services, provider: IdentityProvider, code: str, challenge: Challenge
) -> Who:
    """Return who it is, if it may come in. Tries are counted by address: each has us ask the provider."""
    address = request.client.host if request.client else ""
    tries = Tries(f"oidc\n{address}", address)
    wait = await services.store.try_sign_in(tries)
    if wait is not None:
        raise Refusal("too_many_tries", headers={"retry-after": str(math.ceil(wait.total_seconds()))})
    claims = await provider.claims(code, challenge)
    name, tenant_id = services.settings.admission.of(claims)
    user = User(name, tenant_id, None, services.clock.now(), f"{provider.issuer} {claims['sub']}")
    try:
        await services.store.admit(user)
    except NotFound:
        raise IdentityRefused("You are let in for a tenant that is not here. Tell the operator of callspool.") from None
    await services.store.forget_tries(tries)
    return Who(name, tenant_id, name, None)


def _provider(services: Services) -> IdentityProvider:
    if services.identity is None:
        raise NotFound("there is no identity provider")
    return services.identity


def _challenge(request: Request, services: Services, state: str) -> Challenge:
    """Return what this browser's sign-in must fit. Raises `IdentityRefused`."""
    begun = _Begun.read(request.cookies.get(_cookie_name(services), ""))
    if begun is None or begun.ends_at <= services.clock.now().timestamp():
        raise IdentityRefused(_NOT_ASKED)
    challenge = begun.challenge(services)
    if not hmac.compare_digest(state.encode("utf-8", "surrogatepass"), challenge.state.encode()):
        raise IdentityRefused(_NOT_ASKED)
    return challenge


def _refused(request: Request, services: Services, error: CallspoolError | Refusal) -> Response:
    """Return the problem: as a page for people, whose every word is text."""
    code = error.code if error.code in KINDS else "unavailable"
    kind = KINDS[code]
    _log.warning("sign_in.refused", way="oidc", error=code, why=str(error)[:_MOST_SAID])
    detail = str(error) if isinstance(error, IdentityRefused) else kind.detail
    headers = error.headers if isinstance(error, Refusal) else {}
    if "text/html" not in request.headers.get("accept", ""):
        return problem(code, detail, headers=headers)
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(kind.title)}</title>"
        f"<h1>{escape(kind.title)}</h1><p><bdi>{escape(detail)}</bdi>"
        f"<p><a href='{escape(_home(services))}/'>Sign in</a>"
    )
    return HTMLResponse(page, kind.status, {**SAFE_HEADERS, **headers})


def _home(services: Services) -> str:
    return services.settings.public_url.rstrip("/")


def _cookie_name(services: Services) -> str:
    return "__Host-callspool-oidc" if is_https(services) else "callspool-oidc"


def _set_begun(response: Response, services: Services, text: str, seconds: int) -> None:
    # lax: the way back begins at the provider's page
    set_cookie_named(_cookie_name(services), response, services, text, seconds, "lax")
