"""The call that a recording is of: who called whom. Found by either number.

Older code runs on this schema: the columns are optional.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"


def upgrade(op: Operations) -> None:
    """Add the columns."""
    for name in ("from_number", "to_number", "direction"):
        op.add_column("recordings", sa.Column(name, sa.Text))
    for name, column in (("recordings_from_ix", "from_number"), ("recordings_to_ix", "to_number")):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "recordings", [column, "id"], sqlite_where=where, postgresql_where=where)
