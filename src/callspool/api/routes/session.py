"""Signing in and out: a browser gets a cookie that no script can read, and a token that our pages send beside it."""

import hmac
import math
from datetime import datetime

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from callspool.api.auth import Caller, Principal, cookie_name, find, is_from_own_page
from callspool.api.dashboard import SignIn
from callspool.api.entering import Who, enter, set_cookie
from callspool.api.passwords import LONGEST, Passwords
from callspool.api.problems import Refusal, responses
from callspool.api.schemas import SessionView
from callspool.api.services import Services, ServicesOf
from callspool.domain.keys import hash_key
from callspool.domain.session import Tries

router = APIRouter(prefix="/api/session", tags=["session"])
_log = structlog.get_logger("callspool.api")


@router.get("", operation_id="getSession", responses=responses())
async def get_session(caller: Caller) -> SessionView:
    """Say who asks and what it may see."""
    return _view(caller)


@router.post("", operation_id="signIn", responses=responses(403, 422, 429))
async def sign_in(wish: SignIn, request: Request, response: Response, services: ServicesOf) -> SessionView:
    """Sign in by name and password, or by a key. Every try is counted, by name and by address, before it is judged."""
    if not is_from_own_page(request, services):
        raise Refusal("bad_csrf")
    tries = Tries(wish.name or "", request.client.host if request.client else "")
    wait = await services.store.try_sign_in(tries)
    if wait is not None:
        _log.warning("sign_in.slowed", address=tries.address)
        raise Refusal("too_many_tries", headers={"retry-after": str(math.ceil(wait.total_seconds()))})
    who = await _who(wish, services, request.app.state.passwords)
    if who is None:
        _log.warning("sign_in.refused", address=tries.address)
        raise Refusal("sign_in_refused")
    await services.store.forget_tries(tries)
    return _view(await enter(request, response, services, who))


@router.delete("", operation_id="signOut", status_code=204, responses=responses(403))
async def sign_out(request: Request, services: ServicesOf, _: Caller) -> Response:
    """End the session of this browser."""
    if secret := request.cookies.get(cookie_name(services)):
        await services.store.end_session(hash_key(secret))
    response = Response(status_code=204)
    set_cookie(response, services, "", 0)
    return response


class PasswordChange(BaseModel):
    """The password that holds, and the one that shall."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    old: str = Field(max_length=LONGEST)
    new: str = Field(max_length=LONGEST)


class OneSession(BaseModel):
    """A browser that is signed in."""

    created_at: datetime
    expires_at: datetime
    current: bool = Field(description="It is the one that asks.")


class SessionList(BaseModel):
    """One's sessions, oldest first."""

    sessions: list[OneSession]


@router.get("/all", operation_id="listSessions", responses=responses(409))
async def list_sessions(request: Request, services: ServicesOf, caller: Caller) -> SessionList:
    """List the sessions of the user who asks."""
    user, mine = _user(caller), _secret_hash(request, services)
    found = await services.store.sessions_of(user)
    return SessionList(
        sessions=[
            OneSession(
                created_at=one.created_at,
                expires_at=one.expires_at,
                current=hmac.compare_digest(one.secret_sha256, mine),
            )
            for one in found
        ]
    )


@router.delete("/all", operation_id="endSessions", status_code=204, responses=responses(403, 409))
async def end_sessions(services: ServicesOf, caller: Caller) -> Response:
    """End all sessions of the user who asks, this one too."""
    await services.store.end_sessions(_user(caller), by=caller.by)
    response = Response(status_code=204)
    set_cookie(response, services, "", 0)
    return response


@router.post("/password", operation_id="changePassword", status_code=204, responses=responses(403, 409, 422, 429))
async def change_password(change: PasswordChange, request: Request, services: ServicesOf, caller: Caller) -> Response:
    """Change the password of the user who asks and end all of its other sessions. Tries count as at signing in."""
    name = _user(caller)
    tries = Tries(name, caller.address or "")
    wait = await services.store.try_sign_in(tries)
    if wait is not None:
        raise Refusal("too_many_tries", headers={"retry-after": str(math.ceil(wait.total_seconds()))})
    passwords: Passwords = request.app.state.passwords
    user = await services.store.user(name)
    if not await passwords.fits(change.old, user.password_hash if user else None):
        raise Refusal("sign_in_refused")
    kept = await passwords.make(change.new)
    await services.store.forget_tries(tries)
    ended = await services.store.set_password(name, kept, keep=_secret_hash(request, services), by=caller.by)
    _log.info("password.changed", user=name, sessions_ended=ended)
    return Response(status_code=204)


def _user(caller: Principal) -> str:
    if caller.key_id is not None:
        raise Refusal("conflict", "This is a key. Only a user who signed in with a password has sessions of its own.")
    return caller.name


def _secret_hash(request: Request, services: Services) -> str:
    return hash_key(request.cookies.get(cookie_name(services), ""))


async def _who(wish: SignIn, services: Services, passwords: Passwords) -> Who | None:
    if wish.key is not None:
        principal = await find(services.store, f"Bearer {wish.key.strip()}")
        return (
            None
            if principal is None
            else Who(principal.name, principal.tenant_id, None, principal.key_id, principal.scopes)
        )
    user = await services.store.user(wish.name or "")
    if not await passwords.fits(wish.password or "", user.password_hash if user else None) or user is None:
        return None
    return Who(user.name, user.tenant_id, user.name, None)


def _view(caller: Principal) -> SessionView:
    return SessionView(
        kind="key" if caller.csrf is None else "session",
        name=caller.name,
        tenant_id=caller.tenant_id,
        csrf=caller.csrf,
        scopes=sorted(caller.scopes),
    )
