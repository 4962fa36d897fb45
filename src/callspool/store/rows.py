"""Rows to domain and back."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call, Encryption, Event, HistoryEntry, Kept, Recording, State, Unverified
from callspool.domain.tenant import ALL_SCOPES, Account, ApiKey, MediaFormat, PrivateKey, Scope, Tenant
from callspool.store.envelope import Envelope

CALL = ("from_number", "to_number", "direction")
SECRETS = ("auth_token", "previous_auth_token", "api_secret", "signing_key", "previous_signing_key")


def recording(row: Row[Any]) -> Recording:
    """Return the recording of a row of all columns."""
    return Recording(
        id=RecordingId(row.id),
        tenant_id=TenantId(row.tenant_id),
        account_id=AccountId(row.account_id),
        provider_recording_id=row.provider_recording_id,
        call_id=row.call_id,
        state=State(row.state),
        version=row.version,
        attempt=row.attempt,
        tries=row.tries,
        not_ready=row.not_ready,
        lost=row.lost,
        not_before=row.not_before,
        reason=reason(row.reason),
        detail=row.detail,
        announced_duration_s=row.announced_duration_s,
        announced_channels=row.announced_channels,
        source=row.source,
        started_at=row.started_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ready_at=row.ready_at,
        kept=None if row.vault_key is None else _kept(row),
        encryption=None if row.encryption is None else _encryption(row.encryption),
        call=_call(row),
        provider_deleted_at=row.provider_deleted_at,
        wanted_at=row.wanted_at,
    )


def _call(row: Row[Any]) -> Call | None:
    call = Call(row.from_number, row.to_number, row.direction)
    return None if call == Call(None, None, None) else call


def call_values(call: Call | None) -> dict[str, str | None]:
    """Return a call's columns."""
    return {name: None if call is None else clean(getattr(call, name)) for name in CALL}


def _kept(row: Row[Any]) -> Kept:
    return Kept(
        vault_key=row.vault_key,
        sha256=row.sha256,
        size=row.size,
        content_type=row.content_type,
        channels=row.channels,
        sample_rate=row.sample_rate,
        duration_s=row.duration_s,
        verified=row.verified,
        unverified=_unverified(row),
    )


def _unverified(row: Row[Any]) -> tuple[Unverified, ...]:
    if row.unverified is None:  # kept when nothing but the duration was compared
        return () if row.verified else (Unverified.DURATION,)
    return tuple(Unverified(word) for word in row.unverified.split())


def encryption_text(encryption: Encryption | None) -> str | None:
    """Return the column of an encryption."""
    if encryption is None:
        return None
    return json.dumps(
        {"key_sid": encryption.key_sid, "wrapped_key": encryption.wrapped_key.hex(), "iv": encryption.iv.hex()}
    )


def _encryption(text: str) -> Encryption:
    given = json.loads(text)
    return Encryption(given["key_sid"], bytes.fromhex(given["wrapped_key"]), bytes.fromhex(given["iv"]))


def reason(code: str | None) -> Reason | None:
    """Return the reason of a column."""
    return None if code is None else Reason(code)


def history_entry(row: Row[Any]) -> HistoryEntry:
    """Return the entry of an event's row."""
    return HistoryEntry(
        seq=row.seq,
        recording_id=RecordingId(row.recording_id),
        tenant_id=TenantId(row.tenant_id),
        event=Event(row.event),
        state=State(row.state),
        version=row.version,
        attempt=row.attempt,
        at=row.at,
        reason=reason(row.reason),
        detail=row.detail,
        actor=row.actor,
        http_status=row.http_status,
    )


def tenant(row: Row[Any]) -> Tenant:
    """Return the tenant of a row."""
    return Tenant(
        id=TenantId(row.id),
        name=row.name,
        slots=row.slots,
        weight=row.weight,
        paused=row.paused,
        retention_days=row.retention_days,
        held=row.holds > 0,
        allowed_origins=origins(row.allowed_origins),
    )


def tenant_values(tenant: Tenant) -> dict[str, Any]:
    """Return a tenant's columns."""
    return {
        "id": tenant.id,
        "name": tenant.name,
        "slots": tenant.slots,
        "weight": tenant.weight,
        "paused": tenant.paused,
        "retention_days": tenant.retention_days,
        "allowed_origins": origins_text(tenant.allowed_origins),
    }


def origins(text: str | None) -> tuple[str, ...]:
    """Return the origins of a column."""
    return tuple((text or "").split())


def origins_text(allowed: Iterable[str]) -> str | None:
    """Return what a column keeps of them: no origin has a space in it."""
    return " ".join(allowed) or None


def account(row: Row[Any], envelope: Envelope) -> Account:
    """Return the account of a row, its secrets opened."""
    opened = {
        field: None
        if (sealed := getattr(row, field)) is None
        else envelope.open(sealed, table="accounts", row=row.id, field=field)
        for field in SECRETS
    }
    return Account(
        id=AccountId(row.id),
        provider=row.provider,
        default_tenant=TenantId(row.default_tenant),
        account_sid=row.account_sid,
        auth_token=opened["auth_token"] or "",
        previous_auth_token=opened["previous_auth_token"],
        api_key=row.api_key,
        api_secret=opened["api_secret"],
        base_url=row.base_url,
        limit=row.limit,
        paused=row.paused,
        media_format=MediaFormat(row.media_format),
        private_keys=_private_keys(row, envelope),
        signing_key=opened["signing_key"],
        previous_signing_key=opened["previous_signing_key"],
        media_host=row.media_host,
        by_number=row.by_number,
        delete_after_keep=row.delete_after_keep,
    )


def _private_keys(row: Row[Any], envelope: Envelope) -> tuple[PrivateKey, ...]:
    if row.private_keys is None:
        return ()
    text = envelope.open(row.private_keys, table="accounts", row=row.id, field="private_keys")
    return tuple(PrivateKey(sid, pem) for sid, pem in json.loads(text).items())


def account_values(account: Account, envelope: Envelope) -> dict[str, Any]:
    """Return an account's columns, its secrets sealed."""
    sealed = {
        field: None
        if (text := getattr(account, field)) is None
        else envelope.seal(text, table="accounts", row=account.id, field=field)
        for field in SECRETS
    }
    return {
        "id": account.id,
        "provider": account.provider,
        "default_tenant": account.default_tenant,
        "account_sid": account.account_sid,
        "api_key": account.api_key,
        "base_url": account.base_url,
        "limit": account.limit,
        "paused": account.paused,
        "media_format": account.media_format.value,
        "by_number": account.by_number,
        "media_host": account.media_host,
        "delete_after_keep": account.delete_after_keep,
        "private_keys": envelope.seal(
            json.dumps({key.sid: key.pem for key in account.private_keys}),
            table="accounts",
            row=account.id,
            field="private_keys",
        )
        if account.private_keys
        else None,
        **sealed,
    }


def api_key(row: Row[Any]) -> ApiKey:
    """Return the key of a row."""
    return ApiKey(
        id=row.id,
        tenant_id=None if row.tenant_id is None else TenantId(row.tenant_id),
        name=row.name,
        secret_sha256=row.secret_sha256,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        scopes=scopes(row.scopes),
        expires_at=row.expires_at,
    )


def scopes(text: str | None) -> frozenset[Scope]:
    """Return the scopes of a column."""
    return ALL_SCOPES if text is None else frozenset(Scope(word) for word in text.split())


def clean(text: str | None) -> str | None:
    """Return text that every engine can hold: PostgreSQL takes no NUL, and neither takes half a surrogate pair."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
