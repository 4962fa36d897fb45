"""The `Store` port over either engine, joined from its parts."""

from callspool.domain.ports.clock import Clock
from callspool.store import reads, registry
from callspool.store.database import Database
from callspool.store.envelope import Envelope
from callspool.store.sqlaudit import SqlAudit
from callspool.store.sqlbackfills import SqlBackfills
from callspool.store.sqlcustody import SqlCustody
from callspool.store.sqlholds import SqlHolds
from callspool.store.sqlmoves import SqlMoves
from callspool.store.sqloperations import SqlOperations
from callspool.store.sqlregistry import SqlRegistry
from callspool.store.sqlsecrets import SqlSecrets
from callspool.store.sqlsessions import SqlSessions
from callspool.store.sqltombstones import SqlTombstones
from callspool.store.sqlusers import SqlUsers
from callspool.store.sqlwebhooks import SqlWebhooks


class SqlStore(
    SqlAudit,
    SqlBackfills,
    SqlCustody,
    SqlHolds,
    SqlMoves,
    SqlOperations,
    SqlRegistry,
    SqlSecrets,
    SqlSessions,
    SqlTombstones,
    SqlUsers,
    SqlWebhooks,
):
    """Hands each operation to the engine."""

    def __init__(self, database: Database, clock: Clock, envelope: Envelope) -> None:
        self._database = database
        self._clock = clock
        self._envelope = envelope

    async def check_key(self) -> None:
        """Raise `Misconfigured` now, rather than at the first webhook, if the secret key is another one."""
        await self.accounts()

    async def close(self) -> None:
        await self._database.close()

    async def ping(self) -> None:
        await self._database.write(registry.probe)
        await self._database.read(reads.last_seq)
