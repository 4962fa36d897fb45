"""The file of the installation's secret key. While the key is changed it holds two: one in a line, the newest first."""

import os
import secrets
from pathlib import Path
from typing import Final

from callspool.domain.errors import Misconfigured

KEY_BYTES: Final = 32


class KeyFile:
    """Reads the file anew when it has changed, so that running processes go on through a change of key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[bytes, ...] = ()

    def __call__(self) -> tuple[bytes, ...]:
        """Return the keys, newest first. Raises `Misconfigured` where the file cannot be read."""
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                lines = self.path.read_text(encoding="ascii").split()
                self._keys = tuple(bytes.fromhex(line) for line in lines)
                self._seen = seen
        except (OSError, ValueError) as error:
            raise Misconfigured(f"The secret key {self.path} cannot be read: {error}.") from None
        if not self._keys or any(len(key) != KEY_BYTES for key in self._keys):
            raise Misconfigured(f"The secret key {self.path} must be {KEY_BYTES} bytes in hex, one key in a line.")
        return self._keys

    def make(self) -> None:
        """Write a first key whole or not at all; where two processes race, the first one's stays."""
        temporary = self._beside([secrets.token_bytes(KEY_BYTES)])
        try:
            os.link(temporary, self.path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()

    def add(self) -> None:
        """Put a new key before the ones that are there."""
        self._beside([secrets.token_bytes(KEY_BYTES), *self()]).replace(self.path)
        self._settle()

    def retire(self) -> Path:
        """Keep only the newest key; return the file that has the others now, for old backups of the database."""
        newest, *others = self()
        retired = self.path.with_name(f"{self.path.name}.retired")
        known = KeyFile(retired)() if retired.exists() else ()
        self._beside([*others, *known]).replace(retired)
        self._beside([newest]).replace(self.path)
        self._settle()
        return retired

    def _beside(self, keys: list[bytes]) -> Path:
        """Write the keys into a file of their own, durable and for this user's eyes only."""
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{key.hex()}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        return temporary

    def _settle(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
