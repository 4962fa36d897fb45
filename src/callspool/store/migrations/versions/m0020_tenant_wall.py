"""A second wall between tenants, in PostgreSQL: row-level security for a role that sees one tenant's rows.

Older code runs on this schema: whoever does not take the role on sees all rows, as before. Where the database's user
may not make roles there is no wall until an administrator made it (docs/runbook.md); all works without it.
"""

from alembic.operations import Operations

revision = "0020"
down_revision = "0019"

_OWN = "tenant_id = current_setting('callspool.tenant', true)"
_OF_OWN = _OWN + " OR EXISTS (SELECT FROM recordings WHERE recordings.id = {0}.recording_id)"
"""What happened to a recording before it was known whose it is, is told to whose it is."""
_WALLED = {
    "recordings": _OWN,
    "events": _OF_OWN.format("events"),
    "repeats": _OF_OWN.format("repeats"),
    "listens": _OF_OWN.format("listens"),
    "tallies": _OWN,
    "holds": f"{_OWN} OR recording_id IN (SELECT id FROM recordings)",  # noqa: S608 - no input
    "tenants": "id = current_setting('callspool.tenant', true)",
}
"""The tables that are read for a tenant, and which of their rows are its."""

_ROLE = """
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'callspool_tenant') THEN
            CREATE ROLE callspool_tenant NOLOGIN;
        END IF;
        EXECUTE format('GRANT callspool_tenant TO %I', current_user);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO callspool_tenant', current_schema());
        GRANT SELECT ON {tables} TO callspool_tenant;
    EXCEPTION
        -- It may have been made by another database of this server at the same moment; then it is there.
        WHEN duplicate_object OR unique_violation THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO callspool_tenant', current_schema());
            GRANT SELECT ON {tables} TO callspool_tenant;
        WHEN insufficient_privilege THEN
            RAISE NOTICE 'callspool: this user may not make the role callspool_tenant';
    END $$
"""


def upgrade(op: Operations) -> None:
    """Make the role and the policies. SQLite has no such thing, and one process."""
    if op.get_context().dialect.name != "postgresql":
        return
    for table, own in _WALLED.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant_wall ON {table} USING (current_user <> 'callspool_tenant' OR ({own}))")
    op.execute(_ROLE.format(tables=", ".join(_WALLED)))
