"""What of a kept recording could not be compared with the provider's word.

Older code runs on this schema: the column is optional.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"


def upgrade(op: Operations) -> None:
    """Add the column."""
    op.add_column("recordings", sa.Column("unverified", sa.Text))
