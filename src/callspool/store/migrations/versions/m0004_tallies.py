"""How many recordings are where, kept by the database itself, and the indexes that lists and ages are read along.

Triggers keep the tallies, in the transaction of the move: a process of the version before, which knows nothing of
them, keeps them too.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"


def upgrade(op: Operations) -> None:
    """Count what is there, and from here on what moves."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "tallies",
        sa.Column("tenant_id", name, nullable=False),
        sa.Column("account_id", name, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "state", "reason", name="tallies_pk"),
    )
    op.create_index("recordings_tenant_state_since_ix", "recordings", ["tenant_id", "state", "updated_at"])
    _index(op, "recordings_failed_since_ix", ["tenant_id", "reason", "updated_at"], "state = 'failed'")
    _index(op, "recordings_failed_id_ix", ["tenant_id", "reason", "id"], "state = 'failed'")
    _index(op, "recordings_reason_id_ix", ["reason", "id"], "reason IS NOT NULL")
    for statement in _KEEP[op.get_context().dialect.name]:
        op.execute(statement)
    op.execute(_COUNT_ALL)


def _index(op: Operations, name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "recordings", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _reason(row: str) -> str:
    return f"CASE WHEN {row}.state = 'failed' THEN coalesce({row}.reason, '') ELSE '' END"


_COUNT_ALL = f"""
    INSERT INTO tallies SELECT tenant_id, account_id, state, {_reason("recordings")}, count(*) FROM recordings
    GROUP BY tenant_id, account_id, state, {_reason("recordings")}
"""  # noqa: S608 - no input: the names stand in this file


def _count(row: str, by: str) -> str:
    """Return what changes the tally of a row."""
    place = (
        f"tenant_id = {row}.tenant_id AND account_id = {row}.account_id AND state = {row}.state "
        f"AND reason = {_reason(row)}"
    )
    return f"""
        INSERT INTO tallies SELECT {row}.tenant_id, {row}.account_id, {row}.state, {_reason(row)}, 0
         WHERE NOT EXISTS (SELECT 1 FROM tallies WHERE {place});
        UPDATE tallies SET n = n {by} WHERE {place};
    """  # noqa: S608 - as above


_KEEP = {
    "sqlite": (
        f"CREATE TRIGGER recordings_counted_in AFTER INSERT ON recordings BEGIN {_count('NEW', '+ 1')} END",
        f"""
        CREATE TRIGGER recordings_counted_on AFTER UPDATE OF state, reason ON recordings
        WHEN OLD.state <> NEW.state OR OLD.reason IS NOT NEW.reason
        BEGIN {_count("OLD", "- 1")} {_count("NEW", "+ 1")} END
        """,
    ),
    "postgresql": (
        # The lock is the one that every move takes for its event: so two moves never wait for each other's tallies.
        f"""
        CREATE FUNCTION count_recording() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock({0x63735F65});
            IF TG_OP = 'UPDATE' THEN {_count("OLD", "- 1")} END IF;
            {_count("NEW", "+ 1")}
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER recordings_counted_in AFTER INSERT ON recordings
        FOR EACH ROW EXECUTE FUNCTION count_recording()
        """,
        """
        CREATE TRIGGER recordings_counted_on AFTER UPDATE OF state, reason ON recordings
        FOR EACH ROW WHEN (OLD.state <> NEW.state OR OLD.reason IS DISTINCT FROM NEW.reason)
        EXECUTE FUNCTION count_recording()
        """,
    ),
}
