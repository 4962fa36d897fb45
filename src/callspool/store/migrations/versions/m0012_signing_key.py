"""What signs an account's webhooks, where it is not its token.

Older code runs on this schema: the column is optional.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0012"
down_revision = "0011"


def upgrade(op: Operations) -> None:
    """Add the column."""
    op.add_column("accounts", sa.Column("signing_key", sa.LargeBinary))
