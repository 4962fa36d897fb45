"""The tables, as the newest migration leaves them. A test compares the two on both engines.

Lists are read along an index that ends with the id: ids sort by time (``domain.ids``).
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

NAMING = {
    "pk": "%(table_name)s_pk",
    "fk": "%(table_name)s_%(column_0_name)s_fk",
    "uq": "%(table_name)s_%(column_0_N_name)s_uq",
}


class UtcDateTime(TypeDecorator[datetime]):
    """Aware times in UTC on every engine. SQLite itself knows no zones: there it is UTC by agreement."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: what zone they mean cannot be known any more."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        time: datetime = value
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


# Ids are compared byte by byte on both engines; PostgreSQL would otherwise sort by the database's language.
Id = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite gives out ascending numbers only for a column that is exactly INTEGER.
Sequence = BigInteger().with_variant(Integer(), "sqlite")

_FAILED = text("state = 'failed'")
_IS_READY = text("state = 'ready'")
_TO_RELEASE = text("provider_delete_due_at IS NOT NULL")
_TO_ERASE = text("erase_due_at IS NOT NULL")
_WITH_REASON = text("reason IS NOT NULL")
_WITH_CALLER = text("from_number IS NOT NULL")
_WITH_CALLED = text("to_number IS NOT NULL")

_PENDING = text("state = 'pending'")
_ENDED = text("ended_at IS NOT NULL")

OF_LISTENINGS = text("action IN ('recording.listen', 'recording.heard')")
"""Entries of the audit log that belong into a recording's timeline. Spelt out, or no engine would use their index."""
_HEARING = "action IN ('recording.listen', 'recording.heard', 'recording.refused')"
OF_HEARING = text(_HEARING)
OF_CHANGES = text(f"NOT ({_HEARING})")

metadata = MetaData(naming_convention=NAMING)

tenants = Table(
    "tenants",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("weight", Double, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("retention_days", Integer),
    # Legal holds on all of it.
    Column("holds", Integer, nullable=False, server_default=text("0")),
    # Web origins, a space between them. Null: those of the setting.
    Column("allowed_origins", Text),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("default_tenant", Id, ForeignKey("tenants.id"), nullable=False),
    Column("account_sid", Text, nullable=False),
    # Secrets: sealed by store/envelope.py, never readable here.
    Column("auth_token", LargeBinary, nullable=False),
    Column("previous_auth_token", LargeBinary),
    Column("api_key", Text),
    Column("api_secret", LargeBinary),
    Column("base_url", Text, nullable=False),
    Column("limit", Integer, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("media_format", Text, nullable=False, server_default="dual-wav"),
    Column("private_keys", LargeBinary),
    Column("signing_key", LargeBinary),
    Column("by_number", Boolean, nullable=False, server_default=false()),
    Column("previous_signing_key", LargeBinary),
    Column("media_host", Text),
    Column("delete_after_keep", Boolean, nullable=False, server_default=false()),
)

numbers = Table(
    "numbers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("tenant_id", Id, ForeignKey("tenants.id"), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Id, ForeignKey("tenants.id")),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    # Words of domain.tenant.Scope, with spaces between; null: all of them.
    Column("scopes", Text),
    Column("expires_at", UtcDateTime),
    UniqueConstraint("secret_sha256"),
)

users = Table(
    "users",
    metadata,
    Column("name", Id, primary_key=True),
    Column("tenant_id", Id, ForeignKey("tenants.id")),
    Column("password_hash", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_sha256", Text, primary_key=True),
    Column("user", Id, ForeignKey("users.name", ondelete="CASCADE")),
    Column("key_id", Text, ForeignKey("api_keys.id")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("sessions_expires_at_ix", "expires_at"),
    Index("sessions_user_ix", "user"),
)

sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    # A hash of what is counted by.
    Column("by", Text, primary_key=True),
    Column("free_at", UtcDateTime, nullable=False),
    Index("sign_in_tries_free_at_ix", "free_at"),
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant_id", Id, ForeignKey("tenants.id"), nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("provider_recording_id", Text, nullable=False),
    Column("call_id", Text),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("not_ready", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("not_before", UtcDateTime),
    Column("reason", Text),
    Column("detail", Text),
    Column("announced_duration_s", Double),
    Column("announced_channels", Integer),
    Column("source", Text),
    Column("started_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("ready_at", UtcDateTime),
    # What the vault holds: all set together, by the move to ``ready``.
    Column("vault_key", Text),
    Column("sha256", Text),
    Column("size", BigInteger),
    Column("content_type", Text),
    Column("channels", Integer),
    Column("sample_rate", Integer),
    Column("duration_s", Double),
    Column("verified", Boolean),
    # Words of domain.recording.Unverified, with spaces between.
    Column("unverified", Text),
    # JSON: what decrypts it, wrapped for the account's private key.
    Column("encryption", Text),
    # Since when a purged one waits until the vault has nothing of it; null once that is so.
    Column("erase_due_at", UtcDateTime),
    # The call that it is of: all null until the provider was asked.
    Column("from_number", Text),
    Column("to_number", Text),
    Column("direction", Text),
    # When the vault's file was last read whole and found to be what was kept.
    Column("proved_at", UtcDateTime),
    # When it is to be deleted at the provider; null: not, or it was.
    Column("provider_delete_due_at", UtcDateTime),
    Column("provider_deleted_at", UtcDateTime),
    # Since when a person waits for it; null: nobody does, or it has ended.
    Column("wanted_at", UtcDateTime),
    # Legal holds on it alone.
    Column("holds", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("account_id", "provider_recording_id"),
    Index("recordings_tenant_id_ix", "tenant_id", "id"),
    Index("recordings_tenant_state_id_ix", "tenant_id", "state", "id"),
    Index("recordings_call_ix", "call_id", "id"),
    Index("recordings_provider_recording_id_ix", "provider_recording_id"),
    Index("recordings_account_id_ix", "account_id", "id"),
    Index("recordings_state_id_ix", "state", "id"),
    Index("recordings_tenant_state_since_ix", "tenant_id", "state", "updated_at"),
    Index(
        "recordings_failed_since_ix",
        *("tenant_id", "reason", "updated_at"),
        sqlite_where=_FAILED,
        postgresql_where=_FAILED,
    ),
    Index("recordings_failed_id_ix", "tenant_id", "reason", "id", sqlite_where=_FAILED, postgresql_where=_FAILED),
    Index("recordings_reason_id_ix", "reason", "id", sqlite_where=_WITH_REASON, postgresql_where=_WITH_REASON),
    Index("recordings_proved_at_ix", "proved_at", "id", sqlite_where=_IS_READY, postgresql_where=_IS_READY),
    Index(
        "recordings_provider_delete_ix",
        "provider_delete_due_at",
        sqlite_where=_TO_RELEASE,
        postgresql_where=_TO_RELEASE,
    ),
    Index("recordings_erase_due_at_ix", "erase_due_at", sqlite_where=_TO_ERASE, postgresql_where=_TO_ERASE),
    Index("recordings_from_ix", "from_number", "id", sqlite_where=_WITH_CALLER, postgresql_where=_WITH_CALLER),
    Index("recordings_to_ix", "to_number", "id", sqlite_where=_WITH_CALLED, postgresql_where=_WITH_CALLED),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Id, primary_key=True),
    # One of the two: on all of a tenant, or on one recording.
    Column("tenant_id", Id, ForeignKey("tenants.id")),
    Column("recording_id", Id, ForeignKey("recordings.id")),
    Column("why", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("holds_recording_ix", "recording_id"),
)

# How many recordings are where: kept by triggers of the database, in the transaction of each move.
tallies = Table(
    "tallies",
    metadata,
    Column("tenant_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("state", Text, primary_key=True),
    # Where failed; else empty.
    Column("reason", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
)

# Work on many recordings at once: what was asked, and how far it is.
operations = Table(
    "operations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    # Which recordings.
    Column("tenant_id", Id),
    Column("account_id", Id),
    Column("reason", Text),
    # Whose it is: null is the operator's.
    Column("owner", Id),
    Column("actor", Text, nullable=False),
    Column("matched", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("state", Text, nullable=False),
    # The last recording that was looked at: they are taken by id.
    Column("last_id", Id),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index("operations_state_id_ix", "state", "id"),
)

events = Table(
    "events",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("recording_id", Id, ForeignKey("recordings.id"), nullable=False),
    Column("tenant_id", Id, nullable=False),
    Column("event", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("actor", Text, nullable=False),
    Column("http_status", Integer),
    # Each move raises the version by one and writes one row, so this can only fail if that is broken.
    UniqueConstraint("recording_id", "version"),
    Index("events_tenant_seq_ix", "tenant_id", "seq"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("tenant_id", Id),
    Column("detail", Text, nullable=False),
    Column("address", Text),
    Column("hash", Text, nullable=False),
    Index("audit_listenings_ix", "target", "seq", sqlite_where=OF_LISTENINGS, postgresql_where=OF_LISTENINGS),
    Index("audit_hearing_ix", "seq", sqlite_where=OF_HEARING, postgresql_where=OF_HEARING),
    Index("audit_changes_ix", "seq", sqlite_where=OF_CHANGES, postgresql_where=OF_CHANGES),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    # What keys the chain, sealed by store/envelope.py.
    Column("sealed_key", LargeBinary, nullable=False),
)

backfills = Table(
    "backfills",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("sliding", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("position", UtcDateTime, nullable=False),
    Column("cursor", Text),
    Column("begun_at", UtcDateTime),
    Column("listed", Integer, nullable=False),
    Column("inserted", Integer, nullable=False),
    Column("vanished", Integer, nullable=False),
    Column("window_listed", Integer, nullable=False),
    Column("window_inserted", Integer, nullable=False),
    Column("error", Text),
    Column("actor", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("not_before", UtcDateTime, nullable=False),
    # One process at a time: who lists now, and until when it need not be asked again.
    Column("holder", Text),
    Column("held_until", UtcDateTime),
    Index("backfills_state_ix", "state", "id"),
)

# What the provider listed, whatever we have of it: completeness is this beside ``recordings``.
sightings = Table(
    "sightings",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("provider_recording_id", Text, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("gone_at", UtcDateTime),
    Index("sightings_account_created_ix", "account_id", "created_at"),
)

listed_days = Table(
    "listed_days",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("day", UtcDateTime, primary_key=True),
    Column("listed_at", UtcDateTime, nullable=False),
)

sealed_keys = Table(
    "sealed_keys",
    metadata,
    Column("name", Text, primary_key=True),
    # Random, sealed by store/envelope.py: it outlives a change of the secret key.
    Column("sealed", LargeBinary, nullable=False),
)

# How many fetches ended in a step of time: by bucket of waiting, or failed (-1). Tenant '': all together.
paces = Table(
    "paces",
    metadata,
    Column("tenant_id", Id, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
)

# Webhooks that changed nothing, and so left no event.
repeats = Table(
    "repeats",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("recording_id", Id, ForeignKey("recordings.id"), nullable=False),
    Column("tenant_id", Id, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False),
    Index("repeats_recording_ix", "recording_id", "seq"),
)

# What versions before the audit log had it noted. They write here still while others are upgraded.
listens = Table(
    "listens",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("recording_id", Id, ForeignKey("recordings.id"), nullable=False),
    Column("tenant_id", Id, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Index("listens_recording_ix", "recording_id", "seq"),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Id, primary_key=True),
    # Null: the operator's.
    Column("tenant_id", Id, ForeignKey("tenants.id")),
    Column("url", Text, nullable=False),
    # Words of domain.webhook.Subject, with spaces between.
    Column("events", Text, nullable=False),
    # Secrets: sealed by store/envelope.py, never readable here.
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("previous_secret", LargeBinary),
    Column("previous_until", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    Column("disabled_because", Text),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("endpoint_id", Id, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", Id, nullable=False),
    Column("recording_id", Id, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    # The scheduler was told; what it lost since then the courier submits again.
    Column("submitted", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("not_before", UtcDateTime),
    Column("status", Integer),
    Column("error", Text),
    Column("ended_at", UtcDateTime),
    Index("webhook_deliveries_endpoint_ix", "endpoint_id", "id"),
    Index("webhook_deliveries_pending_ix", "submitted", "id", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index("webhook_deliveries_ended_ix", "ended_at", sqlite_where=_ENDED, postgresql_where=_ENDED),
)
