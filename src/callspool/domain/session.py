"""People who sign in, what lets their browser go on without a password, and how often they may try.

Neither a password nor a session's secret is ever kept: only what tells that it is the right one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.ids import TenantId
from callspool.domain.tenant import ALL_SCOPES, Scope

_USER = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")


def is_user_name(text: str) -> bool:
    """Say whether *text* may name a user: lower case, digits and ``._@+-``, at most 100, as mail addresses are."""
    return _USER.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in."""

    name: str
    tenant_id: TenantId | None
    """None: an operator."""
    password_hash: str | None = field(repr=False)
    """argon2id, with its parameters. None: it has no password, and is vouched for elsewhere."""
    created_at: datetime
    subject: str | None = None
    """Of who is vouched for: the identity provider and its lasting id of the person."""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that signed in. It ends with its time, its user or its key, whichever is first."""

    secret_sha256: str = field(repr=False)
    name: str
    """Of the user, or of the key."""
    tenant_id: TenantId | None
    user: str | None
    key_id: str | None
    """One of the two is set: what was signed in with."""
    created_at: datetime
    expires_at: datetime
    scopes: frozenset[Scope] = ALL_SCOPES
    """Of the key that was signed in with; a user may do all that its tenant may."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often something may be tried: *burst* times at once, then once every *every*."""

    burst: int
    every: timedelta


@dataclass(frozen=True, slots=True)
class Tries:
    """What a try to sign in is counted by. The text itself is not kept: people type passwords into any field."""

    name: str
    address: str

    def paces(self) -> dict[str, Pace]:
        """Return what must allow the try.

        A name from one address is slowed soon; the name as such late, so that a stranger cannot lock its owner out.
        """
        return {
            f"both\n{self.name}\n{self.address}": _ONE_NAME_FROM_ONE_ADDRESS,
            f"address\n{self.address}": _ONE_ADDRESS,
            f"name\n{self.name}": _ONE_NAME,
        }

    def own(self) -> str:
        """Return the count that a success takes back."""
        return f"both\n{self.name}\n{self.address}"


class SessionStore(Protocol):
    """What the store does with one's sessions."""

    async def admit(self, user: User, *, by: By = CALLSPOOL) -> None:
        """Keep who an identity provider vouches for, as it is now; who has the same subject is the same person.

        Raises `Conflict` where the name is another's, `NotFound` where there is no such tenant. A change is audited.
        """
        ...

    async def sessions_of(self, user: str) -> Sequence[Session]:
        """Return the user's sessions that have not ended, oldest first."""
        ...

    async def end_sessions(self, user: str, *, by: By = CALLSPOOL) -> int:
        """End all of them at once, and return how many those were. Audited."""
        ...

    async def set_password(self, user: str, password_hash: str, *, keep: str | None = None, by: By = CALLSPOOL) -> int:
        """Replace the hash and end all sessions but that with the secret's hash *keep*, in one step; return how many.

        Raises `NotFound`. Audited.
        """
        ...


_ONE_NAME_FROM_ONE_ADDRESS: Final = Pace(5, timedelta(seconds=60))
_ONE_ADDRESS: Final = Pace(30, timedelta(seconds=10))
_ONE_NAME: Final = Pace(60, timedelta(seconds=10))
