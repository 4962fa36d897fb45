"""Since when a person waits for a recording, so that its lane can be told again to a scheduler that lost its data.

Older code runs on this schema: what it hastens is submitted with the archive's after such a loss.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0022"
down_revision = "0021"


def upgrade(op: Operations) -> None:
    """Add the column."""
    op.add_column("recordings", sa.Column("wanted_at", sa.DateTime(timezone=True)))
