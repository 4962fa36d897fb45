"""Endpoints of outbound webhooks, and the messages to them.

Older code runs on this schema: it tells nobody.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0014"
down_revision = "0013"

_UNSENT = "state = 'pending'"
_ENDED = "ended_at IS NOT NULL"


def upgrade(op: Operations) -> None:
    """Make the tables."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", name, nullable=False),
        sa.Column("tenant_id", name),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("previous_secret", sa.LargeBinary),
        sa.Column("previous_until", time),
        sa.Column("failing_since", time),
        sa.Column("disabled_at", time),
        sa.Column("disabled_because", sa.Text),
        sa.PrimaryKeyConstraint("id", name="webhook_endpoints_pk"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="webhook_endpoints_tenant_id_fk"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", name, nullable=False),
        sa.Column("endpoint_id", name, nullable=False),
        sa.Column("tenant_id", name, nullable=False),
        sa.Column("recording_id", name, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("submitted", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("not_before", time),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("ended_at", time),
        sa.PrimaryKeyConstraint("id", name="webhook_deliveries_pk"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name="webhook_deliveries_endpoint_id_fk",
            ondelete="CASCADE",
        ),
    )
    op.create_index("webhook_deliveries_endpoint_ix", "webhook_deliveries", ["endpoint_id", "id"])
    for index, columns, where in (
        ("webhook_deliveries_pending_ix", ["submitted", "id"], sa.text(_UNSENT)),
        ("webhook_deliveries_ended_ix", ["ended_at"], sa.text(_ENDED)),
    ):
        op.create_index(index, "webhook_deliveries", columns, sqlite_where=where, postgresql_where=where)
