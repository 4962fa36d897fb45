"""The ports of the vault."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from callspool.domain.ids import RecordingId, TenantId


class VaultFile(Protocol):
    """An open file of the vault. Reading never blocks the event loop for long."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    async def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        ...

    async def close(self) -> None:
        """Give the descriptor back."""
        ...


class Vault(Protocol):
    """Where finished recordings are kept. Raises `VaultUnavailable`."""

    async def put(self, key: str, source: Path) -> None:
        """Store the file under *key*: durable and whole when this returns, invisible before.

        Again with the same content is fine; other content under a key that is there is refused.
        """
        ...

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Store something small under *key*, with the promises of `put`."""
        ...

    async def read_all(self, key: str) -> bytes:
        """Return the whole of something small, or raise `NotFound`."""
        ...

    def keys(self, tenant_id: TenantId | None = None, recording_id: RecordingId | None = None) -> AsyncIterator[str]:
        """Yield every key (of a tenant, of one recording of it), in no order. What is no key of ours is passed over."""
        ...

    def tombstones(self) -> AsyncIterator[RecordingId]:
        """Yield of which recordings something is stored under `tombstone_key`, in no order."""
        ...

    async def sweep_unfinished(self, older_than: timedelta) -> int | None:
        """Remove what writers began longer ago and did not end; return how many those were.

        None: this vault cannot see them, and its own rules must (`advice`).
        """
        ...

    @property
    def advice(self) -> str:
        """What the operator must set up so that nothing unfinished stays; empty where `sweep_unfinished` does it."""
        ...

    async def open(self, key: str, *, reads: tuple[int, int] | None = None) -> VaultFile:
        """Open for reading, or raise `NotFound`.

        *reads*, from where to before where, is what will be read first, in order: a storage far away sends it with its
        answer. Other reads are as good.
        """
        ...

    async def presign(self, key: str, lifetime: timedelta) -> str | None:
        """Return an address that gives the file to whoever has it, for *lifetime*; None: this vault has none."""
        ...

    @property
    def origin(self) -> str:
        """Where `presign` leads: scheme, host and port. Empty: nowhere."""
        ...

    async def delete(self, key: str) -> None:
        """Remove it; a missing one is fine."""
        ...

    async def ping(self) -> None:
        """Write, read and delete a small file, or raise `VaultUnavailable` saying what is wrong."""
        ...


@runtime_checkable
class LocalVault(Protocol):
    """What a vault can besides whose files are this machine's own."""

    def descriptor(self, key: str) -> int:
        """Open for reading without a wait; who asked closes it. Raises `NotFound`, `VaultUnavailable`."""
        ...

    def is_at_hand(self, descriptor: int, offset: int, length: int) -> bool:
        """Say whether these bytes can be read without a wait for the disk, as far as the system tells."""
        ...
