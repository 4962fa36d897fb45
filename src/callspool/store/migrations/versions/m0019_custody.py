"""When a kept file was last proven, which accounts delete at the provider what is kept here, and what of that is due.

Older code runs on this schema: what it keeps was never proven since, and is not deleted at the provider.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0019"
down_revision = "0017"


def upgrade(op: Operations) -> None:
    """Add the columns, and indexes that hold only what may be due."""
    time = sa.DateTime(timezone=True)
    for column in ("proved_at", "provider_delete_due_at", "provider_deleted_at"):
        op.add_column("recordings", sa.Column(column, time))
    op.add_column("accounts", sa.Column("delete_after_keep", sa.Boolean, nullable=False, server_default=sa.false()))
    _index(op, "recordings_proved_at_ix", ["proved_at", "id"], "state = 'ready'")
    _index(op, "recordings_provider_delete_ix", ["provider_delete_due_at"], "provider_delete_due_at IS NOT NULL")


def _index(op: Operations, name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "recordings", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
