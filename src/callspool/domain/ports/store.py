"""The store: all that it keeps, each part a port of its own, so that who needs a part can ask for that alone."""

from typing import Protocol

from callspool.domain.backfill import BackfillStore
from callspool.domain.custody import CustodyStore
from callspool.domain.hold import HoldStore
from callspool.domain.ports.audit import AuditStore
from callspool.domain.ports.counts import CountStore
from callspool.domain.ports.erasure import ErasureStore
from callspool.domain.ports.history import HistoryStore
from callspool.domain.ports.keys import KeyStore
from callspool.domain.ports.moves import MoveStore
from callspool.domain.ports.numbers import NumberStore
from callspool.domain.ports.operations import OperationStore
from callspool.domain.ports.recordings import RecordingStore
from callspool.domain.ports.registry import RegistryStore
from callspool.domain.ports.secrets import SecretStore
from callspool.domain.ports.users import UserStore
from callspool.domain.session import SessionStore
from callspool.domain.tombstone import TombstoneStore
from callspool.domain.webhook import WebhookStore


class Store(
    AuditStore,
    BackfillStore,
    CountStore,
    CustodyStore,
    ErasureStore,
    HistoryStore,
    HoldStore,
    KeyStore,
    MoveStore,
    NumberStore,
    OperationStore,
    RecordingStore,
    RegistryStore,
    SecretStore,
    SessionStore,
    TombstoneStore,
    UserStore,
    WebhookStore,
    Protocol,
):
    """The source of truth. What holds for all of it holds for each part.

    Raises `StoreUnavailable` where the database does not answer. Where a method takes ``tenant_id: TenantId | None``,
    None is the operator: every tenant's. A thing of another tenant is `NotFound`, as one that does not exist.
    """

    async def close(self) -> None:
        """Finish what is being written and let go of the database."""
        ...

    async def ping(self) -> None:
        """Raise `StoreUnavailable` if it cannot be read and written."""
        ...
