"""Which web pages may use a tenant's API and audio in a browser.

Older code runs on this schema: the column is optional, and for it the setting holds for every tenant.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0024"
down_revision = "0022"


def upgrade(op: Operations) -> None:
    """Add the column."""
    op.add_column("tenants", sa.Column("allowed_origins", sa.Text))
