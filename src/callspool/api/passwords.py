"""Passwords: argon2id, away from the event loop, and only a few at a time, since each takes 64 MB."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from callspool.domain.errors import InvalidInput

SHORTEST: Final = 10
LONGEST: Final = 1000

_AT_ONCE: Final = 2


class Passwords:
    """Makes and checks what is kept of passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._of_nobody: str | None = None

    async def make(self, password: str) -> str:
        """Return what to keep of *password*. Raises `InvalidInput` where it is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise InvalidInput(
                "password", f"A password has {SHORTEST} to {LONGEST} characters; this has {len(password)}."
            )
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Say whether *password* is the right one. For an unknown user (None) it takes as long and is False."""
        async with self._room:
            return await asyncio.to_thread(self._fits, password, kept)

    def _fits(self, password: str, kept: str | None) -> bool:
        if self._of_nobody is None:
            self._of_nobody = self._hasher.hash("nobody's password")
        try:
            self._hasher.verify(kept or self._of_nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None
