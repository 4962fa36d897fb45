"""Who may sign in, their sessions, and their tries."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.session import Session, Tries, User


class UserStore(Protocol):
    """Keeps users and sessions. What one sees and ends of one's own sessions is `SessionStore`."""

    async def add_user(self, user: User, *, by: By = CALLSPOOL) -> None:
        """Insert it, or raise `Conflict`; `NotFound` if its tenant does not exist."""
        ...

    async def remove_user(self, name: str, *, by: By = CALLSPOOL) -> None:
        """Delete it and end its sessions, or raise `NotFound`."""
        ...

    async def user(self, name: str) -> User | None:
        """Return it, if there is one."""
        ...

    async def users(self) -> Sequence[User]:
        """Return all, by name."""
        ...

    async def begin_session(self, session: Session, *, by: By = CALLSPOOL) -> None:
        """Keep it."""
        ...

    async def session(self, secret_sha256: str) -> Session | None:
        """Return it, unless its time is over, its user was removed or its key revoked."""
        ...

    async def end_session(self, secret_sha256: str) -> None:
        """Forget it; one that is gone is fine."""
        ...

    async def try_sign_in(self, tries: Tries) -> timedelta | None:
        """Count a try before its password is looked at. If it may not be made, count nothing and return the wait."""
        ...

    async def forget_tries(self, tries: Tries) -> None:
        """Take back, after a success, what was counted against that name from that address."""
        ...
