"""Every error that a client can meet, in one table: RFC 9457 problems with a stable code.

Nothing of an exception reaches a client but what is written here or was written for people (the sentences of
`CallspoolError`). An unforeseen one is a 500 without a word of why; the log has the traceback.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from callspool.domain.errors import CallspoolError, InvalidInput, Unavailable
from callspool.domain.reasons import Reason

MEDIA_TYPE: Final = "application/problem+json"

SAFE_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""What keeps a browser from being fooled. A problem bears it by itself: a 500 is made where no middleware adds it."""

RETRY_AFTER_S: Final = 2
"""What a client is told to wait when a part does not answer, or a recording is on its way."""


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="Which problem: a stable path.", examples=["/problems/not-found"])
    title: str
    status: int
    detail: str = Field(description="What was wrong and what to do.")
    code: str = Field(description="The same as `type`, for programs.", examples=["not_found"])
    field: str | None = Field(default=None, description="The input that is wrong, where it is one.")
    reason: Reason | None = Field(default=None, description="Why the recording failed, where that is the cause.")


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    status: int
    title: str
    detail: str
    retry_after_s: int | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "unauthenticated": Kind(401, "No valid key", "Send 'Authorization: Bearer cs_…' with a key that is not revoked."),
    "sign_in_refused": Kind(401, "Not signed in", "The name or the password is wrong, or the key is not valid."),
    "bad_csrf": Kind(403, "Not from a page of ours", "Send the session's token as X-CSRF-Token, from the same site."),
    "bad_signature": Kind(403, "Not signed by this account", "The signature does not fit the account and the address."),
    "bad_link": Kind(403, "Not a valid link", "This playback link is damaged or for another recording."),
    "link_expired": Kind(403, "The link has expired", "Ask for a new one: POST /api/recordings/{id}/playback."),
    "operator_only": Kind(403, "For the operator only", "Use the operator's key, or ask from this machine."),
    "scope_missing": Kind(403, "The key may not do that", "Use a key with the scope that this needs."),
    "identity_refused": Kind(403, "Not let in", "Your identity provider's answer does not let you in here."),
    "not_found": Kind(404, "Not found", "There is no such thing, or it is not yours."),
    "absent": Kind(404, "There is no recording", "The provider says that nothing was recorded. It will not come."),
    "no_rendition": Kind(404, "Not made here", "Renditions are switched off here. Ask for the audio without one."),
    "method_not_allowed": Kind(405, "Method not allowed", "This address does not answer to that method."),
    "too_slow": Kind(408, "The request took too long", "The body did not arrive in time. Send it again."),
    "not_ready": Kind(409, "Not there yet", "The recording is on its way. Listen to /api/events.", RETRY_AFTER_S),
    "needs_retry": Kind(409, "It was given up", "It is not fetched by itself any more: POST …/retry starts it again."),
    "conflict": Kind(409, "Not possible in this state", "Its state does not allow this."),
    "held": Kind(409, "Under a legal hold", "Hold beats policy: remove the hold first, if you may."),
    "illegal_move": Kind(409, "Not possible in this state", "Its state does not allow this."),
    "purged": Kind(410, "Deleted", "The recording was deleted here. Only its record is left."),
    "etag_differs": Kind(412, "It is another one", "The recording does not have the entity tag of If-Match."),
    "too_large": Kind(413, "The request is too large", "A request's body has at most 64 kB."),
    "range_unsatisfiable": Kind(416, "Outside of the recording", "No part of that range exists."),
    "invalid_input": Kind(422, "A value is wrong", "A value has a wrong form."),
    "too_many_tries": Kind(429, "Too many tries", "Wait as long as Retry-After says, then try again."),
    "too_many_requests": Kind(429, "Too many requests", "Wait as long as Retry-After says. Playing is never refused."),
    "too_many_streams": Kind(429, "Too many streams", "Close some of this key's event streams, or share one.", 30),
    "unavailable": Kind(503, "A part does not answer", "Nothing was lost. Ask again.", RETRY_AFTER_S),
    "store_unavailable": Kind(503, "The store does not answer", "Nothing was changed. Ask again.", RETRY_AFTER_S),
    "scheduler_unavailable": Kind(503, "The scheduler does not answer", "Ask again.", RETRY_AFTER_S),
    "identity_unavailable": Kind(
        503, "The identity provider does not answer", "Ask again, or sign in another way.", RETRY_AFTER_S
    ),
    "vault_unavailable": Kind(503, "The vault does not answer", "The recording is safe. Ask again.", RETRY_AFTER_S),
    "internal": Kind(500, "callspool made a mistake", "The log has the details; please report it."),
}


class Refusal(Exception):
    """An answer from the table that has no error in the domain."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        reason: Reason | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.reason = reason
        self.headers = headers or {}


def path_of(code: str) -> str:
    """Return the stable path that names an error, and at which its page is."""
    return f"/problems/{code.replace('_', '-')}"


def problem(
    code: str,
    detail: str | None = None,
    *,
    field: str | None = None,
    reason: Reason | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response for *code*."""
    kind = KINDS[code]
    body = Problem(
        type=path_of(code),
        title=kind.title,
        status=kind.status,
        detail=detail or kind.detail,
        code=code,
        field=field,
        reason=reason,
    )
    extra = {"retry-after": str(kind.retry_after_s)} if kind.retry_after_s is not None else {}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        extra["www-authenticate"] = "Bearer"
    return JSONResponse(
        body.model_dump(mode="json", exclude_none=True),
        status_code=kind.status,
        media_type=MEDIA_TYPE,
        headers={**SAFE_HEADERS, **extra, **(headers or {})},
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare which problems a route can answer with, for OpenAPI."""
    return {
        status: {"model": Problem, "description": HTTPStatus(status).phrase}
        for status in sorted({*statuses, 401, 429, 503})
    }


def install(app: FastAPI) -> None:
    """Let every error of *app* be answered from the table."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(CallspoolError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


async def _refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)  # noqa: S101 - Starlette chose this handler by the type
    return problem(error.code, error.detail, reason=error.reason, headers=error.headers)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CallspoolError)  # noqa: S101 - as above
    if error.code in {"not_found", "bad_signature"} or isinstance(error, Unavailable):
        # Their texts may name what a stranger must not learn, or hosts and paths of ours.
        return problem(error.code if error.code in KINDS else "unavailable")
    if error.code not in KINDS:
        return problem("internal")
    return problem(error.code, str(error) or None, field=error.field if isinstance(error, InvalidInput) else None)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return problem("invalid_input", f"{name}: {first['msg']}", field=name)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    fallback = "invalid_input" if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR else "internal"
    return problem(codes.get(error.status_code, fallback), headers=error.headers)


async def _unforeseen(_: Request, __: Exception) -> JSONResponse:
    return problem("internal")
