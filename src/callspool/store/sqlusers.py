"""The `KeyStore` and `UserStore` ports over either engine.

What each method promises stands in ``domain.ports``: ``keys`` and ``users``.
"""

from collections.abc import Sequence
from datetime import timedelta

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.domain.session import Session, Tries, User
from callspool.domain.tenant import ApiKey
from callspool.store import registry, users
from callspool.store.sqlpart import SqlPart


class SqlUsers(SqlPart):
    """The part of the store that knows who may come in: with a key, or by name and password."""

    async def add_key(self, key: ApiKey, *, by: By = CALLSPOOL) -> None:
        said = {"name": key.name, "scopes": sorted(key.scopes), "expires_at": key.expires_at}
        act = Act("key.add", key.id, key.tenant_id, said)
        await self._act(by, act, lambda c: registry.add_key(c, key))

    async def key_by_hash(self, secret_sha256: str) -> ApiKey | None:
        return await self._database.read(lambda c: registry.key_by_hash(c, secret_sha256, self._clock.now()))

    async def keys(self) -> Sequence[ApiKey]:
        return await self._database.read(registry.all_keys)

    async def revoke_key(self, key_id: str, *, by: By = CALLSPOOL) -> ApiKey:
        return await self._act(
            by,
            lambda key: Act("key.revoke", key.id, key.tenant_id, {"name": key.name}),
            lambda c: registry.revoke_key(c, key_id, self._clock.now()),
        )

    async def add_user(self, user: User, *, by: By = CALLSPOOL) -> None:
        await self._act(by, Act("user.add", user.name, user.tenant_id), lambda c: users.add_user(c, user))

    async def remove_user(self, name: str, *, by: By = CALLSPOOL) -> None:
        await self._act(by, Act("user.remove", name), lambda c: users.remove_user(c, name))

    async def user(self, name: str) -> User | None:
        return await self._database.read(lambda c: users.user(c, name))

    async def users(self) -> Sequence[User]:
        return await self._database.read(users.all_users)

    async def begin_session(self, session: Session, *, by: By = CALLSPOOL) -> None:
        act = Act("session.begin", session.key_id or session.name, session.tenant_id)
        await self._act(by, act, lambda c: users.begin_session(c, session))

    async def session(self, secret_sha256: str) -> Session | None:
        return await self._database.read(lambda c: users.session(c, secret_sha256, self._clock.now()))

    async def end_session(self, secret_sha256: str) -> None:
        await self._database.write(lambda c: users.end_session(c, secret_sha256))

    async def try_sign_in(self, tries: Tries) -> timedelta | None:
        return await self._database.write(lambda c: users.try_sign_in(c, tries, self._clock.now()))

    async def forget_tries(self, tries: Tries) -> None:
        await self._database.write(lambda c: users.forget_tries(c, tries))
