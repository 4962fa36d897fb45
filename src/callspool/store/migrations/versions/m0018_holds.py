"""Legal holds, and how many lie on each recording and tenant: a purge asks for that in its own UPDATE.

Older code runs on this schema: it counts no holds. Upgrade all processes before the first hold.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0018"
down_revision = "0015"


def upgrade(op: Operations) -> None:
    """Make the table and the counts."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "holds",
        sa.Column("id", name, nullable=False),
        sa.Column("tenant_id", name),
        sa.Column("recording_id", name),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="holds_pk"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="holds_tenant_id_fk"),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name="holds_recording_id_fk"),
    )
    op.create_index("holds_recording_ix", "holds", ["recording_id"])
    for table in ("recordings", "tenants"):
        op.add_column(table, sa.Column("holds", sa.Integer, nullable=False, server_default="0"))
