"""How fast recordings became ready, which webhooks changed nothing, and who listened."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0013"
down_revision = "0012"


def upgrade(op: Operations) -> None:
    """Add the tables, and the provider's answer to an attempt."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "paces",
        sa.Column("tenant_id", name, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("bucket", sa.Integer, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "at", "bucket", name="paces_pk"),
    )
    for table, column in (("repeats", "status"), ("listens", "actor")):
        op.create_table(
            table,
            sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
            sa.Column("recording_id", name, nullable=False),
            sa.Column("tenant_id", name, nullable=False),
            sa.Column("at", time, nullable=False),
            sa.Column(column, sa.Text, nullable=False),
            sa.PrimaryKeyConstraint("seq", name=f"{table}_pk"),
            sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=f"{table}_recording_id_fk"),
        )
        op.create_index(f"{table}_recording_ix", table, ["recording_id", "seq"])
    op.add_column("events", sa.Column("http_status", sa.Integer))
