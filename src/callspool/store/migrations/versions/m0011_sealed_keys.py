"""Keys that the installation makes for itself, sealed with its secret key.

Older code runs on this schema: it does not look.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0011"
down_revision = "0010"


def upgrade(op: Operations) -> None:
    """Make the table."""
    op.create_table(
        "sealed_keys",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="sealed_keys_pk"),
    )
