"""The first tables; events can only be added to.

A migration is never edited once it is released: it spells everything out and imports nothing of callspool.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Create everything."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "tenants",
        sa.Column("id", name, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="tenants_pk"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", name, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("default_tenant", name, nullable=False),
        sa.Column("account_sid", sa.Text, nullable=False),
        sa.Column("auth_token", sa.LargeBinary, nullable=False),
        sa.Column("previous_auth_token", sa.LargeBinary),
        sa.Column("api_key", sa.Text),
        sa.Column("api_secret", sa.LargeBinary),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("limit", sa.Integer, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="accounts_pk"),
        sa.ForeignKeyConstraint(["default_tenant"], ["tenants.id"], name="accounts_default_tenant_fk"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant_id", name),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("revoked_at", time),
        sa.PrimaryKeyConstraint("id", name="api_keys_pk"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="api_keys_tenant_id_fk"),
        sa.UniqueConstraint("secret_sha256", name="api_keys_secret_sha256_uq"),
    )
    op.create_table(
        "recordings",
        sa.Column("id", name, nullable=False),
        sa.Column("tenant_id", name, nullable=False),
        sa.Column("account_id", name, nullable=False),
        sa.Column("provider_recording_id", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("not_ready", sa.Integer, nullable=False),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.Column("not_before", time),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("announced_duration_s", sa.Double),
        sa.Column("announced_channels", sa.Integer),
        sa.Column("source", sa.Text),
        sa.Column("started_at", time),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("ready_at", time),
        sa.Column("vault_key", sa.Text),
        sa.Column("sha256", sa.Text),
        sa.Column("size", sa.BigInteger),
        sa.Column("content_type", sa.Text),
        sa.Column("channels", sa.Integer),
        sa.Column("sample_rate", sa.Integer),
        sa.Column("duration_s", sa.Double),
        sa.Column("verified", sa.Boolean),
        sa.PrimaryKeyConstraint("id", name="recordings_pk"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="recordings_tenant_id_fk"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="recordings_account_id_fk"),
        sa.UniqueConstraint(
            "account_id", "provider_recording_id", name="recordings_account_id_provider_recording_id_uq"
        ),
    )
    op.create_index("recordings_tenant_id_ix", "recordings", ["tenant_id", "id"])
    op.create_index("recordings_tenant_state_id_ix", "recordings", ["tenant_id", "state", "id"])
    op.create_index("recordings_call_ix", "recordings", ["call_id", "id"])
    op.create_index("recordings_provider_recording_id_ix", "recordings", ["provider_recording_id"])
    op.create_index("recordings_account_id_ix", "recordings", ["account_id", "id"])
    op.create_index("recordings_state_id_ix", "recordings", ["state", "id"])
    op.create_table(
        "events",
        # Here SQLite wants the key beside the column: only then do its numbers never come twice.
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("recording_id", name, nullable=False),
        sa.Column("tenant_id", name, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="events_pk"),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name="events_recording_id_fk"),
        sa.UniqueConstraint("recording_id", "version", name="events_recording_id_version_uq"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_tenant_seq_ix", "events", ["tenant_id", "seq"])
    for statement in _APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)


_APPEND_ONLY = {
    "sqlite": (
        """
        CREATE TRIGGER events_no_update BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events can only be added to'); END
        """,
        """
        CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'events can only be added to'); END
        """,
    ),
    "postgresql": (
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% can only be added to', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        """
        CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE ON events
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
        """,
        """
        CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """,
    ),
}
