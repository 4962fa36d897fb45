"""The `SessionStore` port over either engine. What each method promises stands in ``domain.session``."""

from collections.abc import Sequence

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.domain.session import Session, User
from callspool.store import users
from callspool.store.sqlpart import SqlPart


class SqlSessions(SqlPart):
    """The part of the store by which people see and end their sessions."""

    async def admit(self, user: User, *, by: By = CALLSPOOL) -> None:
        found = await self._database.read(lambda c: users.user(c, user.name))
        if found is not None and (found.subject, found.tenant_id) == (user.subject, user.tenant_id):
            return
        act = Act("user.admit", user.name, user.tenant_id, {"subject": user.subject})
        await self._act(by, act, lambda c: users.admit(c, user))

    async def sessions_of(self, user: str) -> Sequence[Session]:
        return await self._database.read(lambda c: users.sessions_of(c, user, self._clock.now()))

    async def end_sessions(self, user: str, *, by: By = CALLSPOOL) -> int:
        return await self._act(
            by,
            lambda count: Act("session.end_all", user, detail={"ended": count}),
            lambda c: users.end_sessions(c, user, None),
        )

    async def set_password(self, user: str, password_hash: str, *, keep: str | None = None, by: By = CALLSPOOL) -> int:
        return await self._act(
            by,
            lambda count: Act("user.password", user, detail={"ended": count}),
            lambda c: users.set_password(c, user, password_hash, keep),
        )
