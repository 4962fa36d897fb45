"""People who sign in, their sessions, and how often was tried."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0010"
down_revision = "0009"


def upgrade(op: Operations) -> None:
    """Add the tables."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "users",
        sa.Column("name", name, nullable=False),
        sa.Column("tenant_id", name),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.PrimaryKeyConstraint("name", name="users_pk"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="users_tenant_id_fk"),
    )
    op.create_table(
        "sessions",
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("user", name),
        sa.Column("key_id", sa.Text),
        sa.Column("created_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name="sessions_pk"),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="sessions_user_fk", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="sessions_key_id_fk"),
    )
    op.create_index("sessions_expires_at_ix", "sessions", ["expires_at"])
    op.create_index("sessions_user_ix", "sessions", ["user"])
    op.create_table(
        "sign_in_tries",
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("free_at", time, nullable=False),
        sa.PrimaryKeyConstraint("by", name="sign_in_tries_pk"),
    )
    op.create_index("sign_in_tries_free_at_ix", "sign_in_tries", ["free_at"])
