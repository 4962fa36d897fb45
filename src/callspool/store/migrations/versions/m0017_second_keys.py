"""A second key for signatures while keys are changed; the host of a customer's own bucket.

Older code runs on this schema: the columns are optional.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0017"
down_revision = "0018"


def upgrade(op: Operations) -> None:
    """Add the columns."""
    op.add_column("accounts", sa.Column("previous_signing_key", sa.LargeBinary))
    op.add_column("accounts", sa.Column("media_host", sa.Text))
