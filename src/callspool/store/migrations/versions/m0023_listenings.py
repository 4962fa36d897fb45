"""Who listened is in the audit log: indexes that find it and what it must not bury; what a tenant's role sees of it.

Older code runs on this schema: what it notes in ``listens`` is read from there.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0023"
down_revision = "0024"

_LISTENINGS = "action IN ('recording.listen', 'recording.heard')"
_HEARING = "action IN ('recording.listen', 'recording.heard', 'recording.refused')"
_INDEXES = {
    "audit_listenings_ix": (["target", "seq"], _LISTENINGS),
    "audit_hearing_ix": (["seq"], _HEARING),
    "audit_changes_ix": (["seq"], f"NOT ({_HEARING})"),
}
_OWN = """
    tenant_id = current_setting('callspool.tenant', true)
    OR EXISTS (SELECT FROM recordings WHERE recordings.id = audit.target)
"""
_COLUMNS = "seq, at, actor, action, target, tenant_id, detail"
"""From where somebody listened is for the operator; and without the hash nobody reads the log as a whole."""


def upgrade(op: Operations) -> None:
    """Make the indexes and, in PostgreSQL, the policy. The role is given the columns where it is."""
    for name, (columns, which) in _INDEXES.items():
        where = sa.text(which)
        op.create_index(name, "audit", columns, sqlite_where=where, postgresql_where=where)
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE audit ENABLE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant_wall ON audit USING (current_user <> 'callspool_tenant' OR ({_LISTENINGS} AND ({_OWN})))"
    )
    op.execute(
        f"""
        DO $$
        BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'callspool_tenant') THEN
                GRANT SELECT ({_COLUMNS}) ON audit TO callspool_tenant;
            END IF;
        END $$
        """
    )
