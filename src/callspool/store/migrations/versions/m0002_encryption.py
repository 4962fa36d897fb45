"""Encrypted recordings, and in which form an account's media are asked for.

Older code runs on this schema: the columns are optional or have a default.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Add the columns."""
    op.add_column("accounts", sa.Column("media_format", sa.Text, nullable=False, server_default="dual-wav"))
    op.add_column("accounts", sa.Column("private_keys", sa.LargeBinary))
    op.add_column("recordings", sa.Column("encryption", sa.Text))
