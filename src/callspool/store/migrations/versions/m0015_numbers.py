"""Whose phone number it is; accounts whose recordings are given to tenants by it.

Older code runs on this schema: the new column has a default. It counts right too, since triggers count.
"""

import sqlalchemy as sa
from alembic.operations import Operations

from callspool.store.migrations.versions.m0004_tallies import _count

revision = "0015"
down_revision = "0014"


def upgrade(op: Operations) -> None:
    """Make the table, and let the tallies follow a recording to another tenant."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "numbers",
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("tenant_id", name, sa.ForeignKey("tenants.id", name="numbers_tenant_id_fk"), nullable=False),
        sa.PrimaryKeyConstraint("number", name="numbers_pk"),
    )
    op.add_column("accounts", sa.Column("by_number", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(_COUNT_OVER[op.get_context().dialect.name])


_COUNT_OVER = {
    "sqlite": f"""
        CREATE TRIGGER recordings_counted_over AFTER UPDATE OF tenant_id ON recordings
        WHEN OLD.tenant_id <> NEW.tenant_id AND OLD.state = NEW.state
        BEGIN {_count("OLD", "- 1")} {_count("NEW", "+ 1")} END
    """,
    "postgresql": """
        CREATE TRIGGER recordings_counted_over AFTER UPDATE OF tenant_id ON recordings
        FOR EACH ROW WHEN (OLD.tenant_id <> NEW.tenant_id AND OLD.state = NEW.state) EXECUTE FUNCTION count_recording()
    """,
}
