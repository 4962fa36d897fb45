"""Tenants, accounts and API keys."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, false, func, or_, select, update

from callspool.domain.errors import Conflict, NotFound
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.tenant import ALL_SCOPES, Account, ApiKey, Tenant
from callspool.store import rows
from callspool.store.dialects import insert_or_ignore
from callspool.store.envelope import Envelope
from callspool.store.tables import (
    accounts,
    api_keys,
    backfills,
    listed_days,
    recordings,
    sealed_keys,
    sightings,
    tenants,
)

_KEY_BYTES: Final = 32
_NO_TENANT: Final = "There is no tenant {!r}."
_NO_ACCOUNT: Final = "There is no account {!r}."


def probe(connection: Connection) -> None:
    """Ask for the right to write without writing."""
    connection.execute(update(tenants).where(false()).values(paused=True))


def add_tenant(connection: Connection, tenant: Tenant) -> None:
    """Insert it or raise `Conflict`."""
    fresh = insert_or_ignore(tenants)[connection.dialect.name].values(rows.tenant_values(tenant))
    if connection.execute(fresh).first() is None:
        raise Conflict(f"The tenant {tenant.id!r} exists already.")


def set_tenant(connection: Connection, tenant: Tenant) -> None:
    """Replace it or raise `NotFound`."""
    change = update(tenants).where(tenants.c.id == tenant.id).values(rows.tenant_values(tenant))
    if connection.execute(change.returning(tenants.c.id)).first() is None:
        raise NotFound(_NO_TENANT.format(tenant.id))


def adjust_tenant(connection: Connection, tenant_id: TenantId, changes: Mapping[str, Any]) -> Tenant:
    """Change the given columns; return it or raise `NotFound`."""
    given = dict(changes)
    if "allowed_origins" in given:
        given["allowed_origins"] = rows.origins_text(given["allowed_origins"])
    _adjust(connection, tenants, tenant_id, given)
    return tenant(connection, tenant_id)


def tenant(connection: Connection, tenant_id: TenantId) -> Tenant:
    """Return it or raise `NotFound`."""
    row = connection.execute(select(tenants).where(tenants.c.id == tenant_id)).first()
    if row is None:
        raise NotFound(_NO_TENANT.format(tenant_id))
    return rows.tenant(row)


def all_tenants(connection: Connection) -> Sequence[Tenant]:
    """Return all by id."""
    return [rows.tenant(row) for row in connection.execute(select(tenants).order_by(tenants.c.id))]


def origins(connection: Connection) -> Mapping[TenantId, Sequence[str]]:
    """Return the web origins of each tenant that has some of its own."""
    query = select(tenants.c.id, tenants.c.allowed_origins).where(tenants.c.allowed_origins.is_not(None))
    return {TenantId(row.id): rows.origins(row.allowed_origins) for row in connection.execute(query)}


def add_account(connection: Connection, account: Account, envelope: Envelope) -> None:
    """Insert it or raise `Conflict` or `NotFound`."""
    tenant(connection, account.default_tenant)
    fresh = insert_or_ignore(accounts)[connection.dialect.name].values(rows.account_values(account, envelope))
    if connection.execute(fresh).first() is None:
        raise Conflict(f"The account {account.id!r} exists already.")


def set_account(connection: Connection, account: Account, envelope: Envelope) -> None:
    """Replace it or raise `NotFound`."""
    tenant(connection, account.default_tenant)
    change = update(accounts).where(accounts.c.id == account.id).values(rows.account_values(account, envelope))
    if connection.execute(change.returning(accounts.c.id)).first() is None:
        raise NotFound(_NO_ACCOUNT.format(account.id))


def remove_account(connection: Connection, account_id: AccountId) -> None:
    """Delete it with what was listed of it; or raise `NotFound`, or `Conflict` where it has recordings."""
    kept = connection.execute(select(recordings.c.id).where(recordings.c.account_id == account_id).limit(1)).first()
    if kept is not None:
        raise Conflict(f"The account {account_id!r} has recordings, which need it: pause it instead.")
    for table in (backfills, sightings, listed_days):
        connection.execute(delete(table).where(table.c.account_id == account_id))
    if connection.execute(delete(accounts).where(accounts.c.id == account_id).returning(accounts.c.id)).first() is None:
        raise NotFound(_NO_ACCOUNT.format(account_id))


def adjust_account(
    connection: Connection, account_id: AccountId, changes: Mapping[str, Any], envelope: Envelope
) -> Account:
    """Change the given columns; return it or raise `NotFound`."""
    _adjust(connection, accounts, account_id, changes)
    return account(connection, account_id, envelope)


def _adjust(connection: Connection, table: Table, row_id: str, changes: Mapping[str, Any]) -> None:
    if changes:
        connection.execute(update(table).where(table.c.id == row_id).values(changes))


def account(connection: Connection, account_id: AccountId, envelope: Envelope) -> Account:
    """Return it or raise `NotFound`."""
    row = connection.execute(select(accounts).where(accounts.c.id == account_id)).first()
    if row is None:
        raise NotFound(_NO_ACCOUNT.format(account_id))
    return rows.account(row, envelope)


def all_accounts(connection: Connection, envelope: Envelope) -> Sequence[Account]:
    """Return all by id."""
    return [rows.account(row, envelope) for row in connection.execute(select(accounts).order_by(accounts.c.id))]


def add_key(connection: Connection, key: ApiKey) -> None:
    """Insert it or raise `Conflict` or `NotFound`."""
    if key.tenant_id is not None:
        tenant(connection, key.tenant_id)
    fresh = insert_or_ignore(api_keys)[connection.dialect.name].values(
        id=key.id,
        tenant_id=key.tenant_id,
        name=rows.clean(key.name),
        secret_sha256=key.secret_sha256,
        created_at=key.created_at,
        revoked_at=key.revoked_at,
        scopes=None if key.scopes == ALL_SCOPES else " ".join(sorted(key.scopes)),
        expires_at=key.expires_at,
    )
    if connection.execute(fresh).first() is None:
        raise Conflict(f"The key {key.id!r} exists already.")


def key_by_hash(connection: Connection, secret_sha256: str, now: datetime) -> ApiKey | None:
    """Return the key, unless it is unknown or revoked, or its time is over."""
    wanted = (api_keys.c.secret_sha256 == secret_sha256) & key_holds(now)
    row = connection.execute(select(api_keys).where(wanted)).first()
    return None if row is None else rows.api_key(row)


def key_holds(now: datetime) -> ColumnElement[bool]:
    """Return the condition of a key that opens something."""
    in_time = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)
    return and_(api_keys.c.revoked_at.is_(None), in_time)


def all_keys(connection: Connection) -> Sequence[ApiKey]:
    """Return all, oldest first."""
    query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
    return [rows.api_key(row) for row in connection.execute(query)]


def revoke_key(connection: Connection, key_id: str, at: datetime) -> ApiKey:
    """Revoke it, once, or raise `NotFound`."""
    row = connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id)
        .values(revoked_at=func.coalesce(api_keys.c.revoked_at, at))
        .returning(api_keys)
    ).first()
    if row is None:
        raise NotFound(f"There is no key {key_id!r}.")
    return rows.api_key(row)


def sealed_key(connection: Connection, name: str, envelope: Envelope) -> bytes | None:
    """Return a key that the installation made for itself, or None where it has not yet."""
    sealed = connection.execute(select(sealed_keys.c.sealed).where(sealed_keys.c.name == name)).scalar()
    return None if sealed is None else bytes.fromhex(envelope.open(sealed, **_sealed_place(name)))


def make_sealed_key(connection: Connection, name: str, envelope: Envelope) -> None:
    """Make it; where two do at once, the first one's stays."""
    fresh = envelope.seal(secrets.token_hex(_KEY_BYTES), **_sealed_place(name))
    connection.execute(insert_or_ignore(sealed_keys)[connection.dialect.name].values(name=name, sealed=fresh))


def _sealed_place(name: str) -> Mapping[str, str]:
    return {"table": sealed_keys.name, "row": name, "field": "sealed"}
