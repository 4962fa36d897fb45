"""Reading a kept file back from the vault, all of it, and comparing it with what was kept."""

import asyncio
import hashlib
from enum import StrEnum
from typing import Final

from callspool.domain.errors import NotFound, VaultUnavailable
from callspool.domain.ports.vault import Vault
from callspool.domain.recording import Kept

_BLOCK: Final = 1 << 18


class Found(StrEnum):
    """What the vault gave back."""

    SAME = "same"
    MISSING = "the vault has no such file"
    SIZE = "the vault's file has another size"
    UNREADABLE = "the vault answers, and cannot read this file"
    BYTES = "the vault's file has another SHA-256"


async def read_back(vault: Vault, kept: Kept, *, rate: float) -> Found:
    """Hash the vault's bytes, *rate* of them a second at most. Raises `VaultUnavailable`: nothing is known then.

    A file that cannot be read twice from a vault that takes and gives others is one that a disk has lost.
    """
    for _ in range(2):
        try:
            return await _read(vault, kept, rate)
        except VaultUnavailable:
            await vault.ping()
    return Found.UNREADABLE


async def _read(vault: Vault, kept: Kept, rate: float) -> Found:
    try:
        file = await vault.open(kept.vault_key)
    except NotFound:
        return Found.MISSING
    try:
        if file.size != kept.size:
            return Found.SIZE
        digest = hashlib.sha256()
        for at in range(0, file.size, _BLOCK):
            block = await file.read(at, _BLOCK)
            digest.update(block)
            await asyncio.sleep(len(block) / rate)
    finally:
        await file.close()
    return Found.SAME if digest.hexdigest() == kept.sha256 else Found.BYTES
