"""People who sign in, their sessions, and how often was tried. Counted here, so that all processes count together."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from callspool.domain.errors import Conflict, NotFound
from callspool.domain.ids import TenantId
from callspool.domain.session import Session, Tries, User
from callspool.store import registry, rows
from callspool.store.dialects import insert_or_ignore
from callspool.store.tables import api_keys, sessions, sign_in_tries, users

_S: Final = sessions.c
_T: Final = sign_in_tries.c
_VOUCHED: Final = "oidc:"
_TRIES_LOCK: Final = 0x63735F69
"""An arbitrary number, the same in every process."""


def add_user(connection: Connection, user: User) -> None:
    """Insert it or raise `Conflict` or `NotFound`."""
    if user.tenant_id is not None:
        registry.tenant(connection, user.tenant_id)
    fresh = insert_or_ignore(users)[connection.dialect.name].values(
        name=user.name, tenant_id=user.tenant_id, password_hash=_kept_of(user), created_at=user.created_at
    )
    if connection.execute(fresh).first() is None:
        raise Conflict(f"The user {user.name!r} exists already.")


def admit(connection: Connection, user: User) -> None:
    """Insert it, or change what has the same subject; or raise `Conflict` or `NotFound`."""
    connection.execute(delete(users).where(users.c.password_hash == _kept_of(user), users.c.name != user.name))
    found = connection.execute(select(users.c.password_hash).where(users.c.name == user.name)).first()
    if found is None:
        add_user(connection, user)
    elif found.password_hash != _kept_of(user):
        raise Conflict(f"Another user has the name {user.name!r} here.")
    else:
        if user.tenant_id is not None:
            registry.tenant(connection, user.tenant_id)
        connection.execute(update(users).where(users.c.name == user.name).values(tenant_id=user.tenant_id))


def remove_user(connection: Connection, name: str) -> None:
    """Delete it with its sessions or raise `NotFound`."""
    if connection.execute(delete(users).where(users.c.name == name).returning(users.c.name)).first() is None:
        raise NotFound(f"There is no user {name!r}.")


def user(connection: Connection, name: str) -> User | None:
    """Return it, if there is one."""
    row = connection.execute(select(users).where(users.c.name == name)).first()
    return None if row is None else _user(row)


def all_users(connection: Connection) -> Sequence[User]:
    """Return all by name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name))]


def begin_session(connection: Connection, session: Session) -> None:
    """Keep it; those whose time is over go."""
    connection.execute(delete(sessions).where(_S.expires_at <= session.created_at))
    connection.execute(
        insert(sessions).values(
            secret_sha256=session.secret_sha256,
            user=session.user,
            key_id=session.key_id,
            created_at=session.created_at,
            expires_at=session.expires_at,
        )
    )


def session(connection: Connection, secret_sha256: str, now: datetime) -> Session | None:
    """Return it, unless its time is over or its user or key is gone."""
    query = (
        select(
            sessions,
            func.coalesce(users.c.name, api_keys.c.name).label("name"),
            api_keys.c.scopes,
            func.coalesce(users.c.tenant_id, api_keys.c.tenant_id).label("tenant_id"),
        )
        .outerjoin(users, users.c.name == _S.user)
        .outerjoin(api_keys, api_keys.c.id == _S.key_id)
        .where(_S.secret_sha256 == secret_sha256, _S.expires_at > now, registry.key_holds(now))
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return Session(
        secret_sha256=row.secret_sha256,
        name=row.name,
        tenant_id=None if row.tenant_id is None else TenantId(row.tenant_id),
        user=row.user,
        key_id=row.key_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        scopes=rows.scopes(row.scopes),
    )


def sessions_of(connection: Connection, name: str, now: datetime) -> Sequence[Session]:
    """Return a user's, oldest first."""
    found = select(sessions, users.c.tenant_id).join(users, users.c.name == _S.user)
    query = found.where(_S.user == name, _S.expires_at > now).order_by(_S.created_at, _S.secret_sha256)
    return [
        Session(
            secret_sha256=row.secret_sha256,
            name=name,
            tenant_id=None if row.tenant_id is None else TenantId(row.tenant_id),
            user=name,
            key_id=None,
            created_at=row.created_at,
            expires_at=row.expires_at,
        )
        for row in connection.execute(query)
    ]


def end_sessions(connection: Connection, name: str, keep: str | None) -> int:
    """End a user's, but for *keep*; return how many."""
    others = () if keep is None else (_S.secret_sha256 != keep,)
    return connection.execute(delete(sessions).where(_S.user == name, *others)).rowcount


def set_password(connection: Connection, name: str, password_hash: str, keep: str | None) -> int:
    """Replace the hash and end the other sessions, or raise `NotFound`."""
    change = update(users).where(users.c.name == name).values(password_hash=password_hash)
    if connection.execute(change).rowcount == 0:
        raise NotFound(f"There is no user {name!r}.")
    return end_sessions(connection, name, keep)


def end_session(connection: Connection, secret_sha256: str) -> None:
    """Forget it; one that is gone is fine."""
    connection.execute(delete(sessions).where(_S.secret_sha256 == secret_sha256))


def try_sign_in(connection: Connection, tries: Tries, now: datetime) -> timedelta | None:
    """Count a try; or count nothing and return how long to wait.

    Each count is one time: when it would be free of all tries, were there no more. It may lie as far ahead as the
    burst allows, and each try puts it on by one interval.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_TRIES_LOCK)))
    connection.execute(delete(sign_in_tries).where(_T.free_at <= now))
    paces = {_hash(by): pace for by, pace in tries.paces().items()}
    found = connection.execute(select(sign_in_tries).where(_T.by.in_(paces)))
    free_at = {row.by: row.free_at for row in found}
    then = {by: free_at.get(by, now) + pace.every for by, pace in paces.items()}
    wait: timedelta = max(then[by] - pace.burst * pace.every - now for by, pace in paces.items())
    if wait > timedelta():
        return wait
    connection.execute(delete(sign_in_tries).where(_T.by.in_(paces)))
    connection.execute(insert(sign_in_tries), [{"by": by, "free_at": at} for by, at in then.items()])
    return None


def forget_tries(connection: Connection, tries: Tries) -> None:
    """Take back what was counted against a name from an address."""
    connection.execute(delete(sign_in_tries).where(_T.by == _hash(tries.own())))


def _hash(by: str) -> str:
    return hashlib.sha256(by.encode("utf-8", "surrogatepass")).hexdigest()


def _user(row: Row[Any]) -> User:
    proof, tenant_id = row.password_hash, None if row.tenant_id is None else TenantId(row.tenant_id)
    if proof.startswith(_VOUCHED):
        return User(row.name, tenant_id, None, row.created_at, proof.removeprefix(_VOUCHED))
    return User(row.name, tenant_id, proof, row.created_at)


def _kept_of(user: User) -> str:
    """Return what is kept to know the user by. No password has a hash of the other form."""
    return user.password_hash or f"{_VOUCHED}{user.subject}"
