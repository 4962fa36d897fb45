"""Brings a database to the newest schema. Forward only; the caller holds a lock and an open transaction.

Alembic's own entry points go through module-level proxies, which two stores that open at the same time would
share. So its parts are used directly, and a migration is handed its operations: ``def upgrade(op)``.
"""

from pathlib import Path
from typing import Any, Final

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from callspool.store.tables import metadata

_FOLDER: Final = Path(__file__).parent / "migrations"


def is_current(connection: Connection) -> bool:
    """Say whether there is nothing to do: the newest schema, or one made by a newer callspool.

    Migrations leave the schema usable for the version before, so that an upgrade needs no stop.
    """
    return not _steps(_script(), MigrationContext.configure(connection).get_current_heads())


def migrate(connection: Connection) -> None:
    """Run what is missing, within the open transaction."""
    script = _script()

    def missing(heads: tuple[str, ...], _: MigrationContext) -> list[Any]:
        return _steps(script, heads)

    context = MigrationContext.configure(connection, opts={"fn": missing, "target_metadata": metadata})
    context.run_migrations(op=Operations(context))


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))


def _steps(script: ScriptDirectory, heads: tuple[str, ...]) -> list[Any]:
    known = {revision.revision for revision in script.walk_revisions()}
    if not known.issuperset(heads):
        return []
    return script._upgrade_revs("head", heads)  # type: ignore[arg-type]  # noqa: SLF001  # what `alembic upgrade` calls
