"""Backfills, what providers listed, and which days were listed as a whole.

Older code runs on this schema: the tables are new.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0009"
down_revision = "0008"


def upgrade(op: Operations) -> None:
    """Create the tables."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "backfills",
        sa.Column("id", name, nullable=False),
        sa.Column("account_id", name, nullable=False),
        sa.Column("since", time, nullable=False),
        sa.Column("until", time, nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("sliding", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("position", time, nullable=False),
        sa.Column("cursor", sa.Text),
        sa.Column("begun_at", time),
        sa.Column("listed", sa.Integer, nullable=False),
        sa.Column("inserted", sa.Integer, nullable=False),
        sa.Column("vanished", sa.Integer, nullable=False),
        sa.Column("window_listed", sa.Integer, nullable=False),
        sa.Column("window_inserted", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("started_at", time),
        sa.Column("ended_at", time),
        sa.Column("not_before", time, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("held_until", time),
        sa.PrimaryKeyConstraint("id", name="backfills_pk"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="backfills_account_id_fk"),
    )
    op.create_index("backfills_state_ix", "backfills", ["state", "id"])
    op.create_table(
        "sightings",
        sa.Column("account_id", name, nullable=False),
        sa.Column("provider_recording_id", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("seen_at", time, nullable=False),
        sa.Column("gone_at", time),
        sa.PrimaryKeyConstraint("account_id", "provider_recording_id", name="sightings_pk"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="sightings_account_id_fk"),
    )
    op.create_index("sightings_account_created_ix", "sightings", ["account_id", "created_at"])
    op.create_table(
        "listed_days",
        sa.Column("account_id", name, nullable=False),
        sa.Column("day", time, nullable=False),
        sa.Column("listed_at", time, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "day", name="listed_days_pk"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="listed_days_account_id_fk"),
    )
