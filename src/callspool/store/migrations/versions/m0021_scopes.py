"""What an API key may do, and until when.

Older code runs on this schema: the columns are optional, and it lets each key do all. Upgrade all processes before the
first key that may not.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0021"
down_revision = "0020"


def upgrade(op: Operations) -> None:
    """Add the columns."""
    op.add_column("api_keys", sa.Column("scopes", sa.Text))
    op.add_column("api_keys", sa.Column("expires_at", sa.DateTime(timezone=True)))
