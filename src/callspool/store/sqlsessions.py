"""The `SessionStore` port over either engine. What each method promises stands in ``domain.session``."""

from collections.abc import Sequence

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.domain.ports.clock import Clock
from callspool.domain.session import Session, User
from callspool.store import audit, users
from callspool.store.database import Database
from callspool.store.envelope import Envelope


class SqlSessions:
    """The part of the store by which people see and end their sessions."""

    _database: Database
    _clock: Clock
    _envelope: Envelope

    async def admit(self, user: User, *, by: By = CALLSPOOL) -> None:
        found = await self._database.read(lambda c: users.user(c, user.name))
        if found is not None and (found.subject, found.tenant_id) == (user.subject, user.tenant_id):
            return
        act = Act("user.admit", user.name, user.tenant_id, {"subject": user.subject})
        deed = audit.acting(lambda c: users.admit(c, user), act, by, self._clock.now(), self._envelope)
        await self._database.write(deed)

    async def sessions_of(self, user: str) -> Sequence[Session]:
        return await self._database.read(lambda c: users.sessions_of(c, user, self._clock.now()))

    async def end_sessions(self, user: str, *, by: By = CALLSPOOL) -> int:
        deed = audit.acting(
            lambda c: users.end_sessions(c, user, None),
            lambda count: Act("session.end_all", user, detail={"ended": count}),
            by,
            self._clock.now(),
            self._envelope,
        )
        return await self._database.write(deed)

    async def set_password(self, user: str, password_hash: str, *, keep: str | None = None, by: By = CALLSPOOL) -> int:
        deed = audit.acting(
            lambda c: users.set_password(c, user, password_hash, keep),
            lambda count: Act("user.password", user, detail={"ended": count}),
            by,
            self._clock.now(),
            self._envelope,
        )
        return await self._database.write(deed)
