"""How long a tenant's recordings are kept, and which purged ones still have something in the vault.

Older code runs on this schema: the columns are optional.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision = "0004"


def upgrade(op: Operations) -> None:
    """Add the columns, and an index that holds only what waits."""
    op.add_column("tenants", sa.Column("retention_days", sa.Integer))
    op.add_column("recordings", sa.Column("erase_due_at", sa.DateTime(timezone=True)))
    waits = sa.text("erase_due_at IS NOT NULL")
    op.create_index(
        "recordings_erase_due_at_ix", "recordings", ["erase_due_at"], sqlite_where=waits, postgresql_where=waits
    )
