"""Renditions that are made when someone asks: once, however many ask, and kept beside the recording.

What is made for a recording that was purged, or fetched anew, meanwhile is thrown away: a rendition belongs to the file
of one attempt, and stays as long as that.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

from callspool.api.problems import Refusal
from callspool.api.services import Services
from callspool.domain.errors import FetchFailed, NotFound
from callspool.domain.recording import Kept, Recording, State
from callspool.vault.keys import rendition_key

MOST_AT_ONCE: Final = 64
"""Beyond so many that are made or wait for it, one who asks for another is told to ask again."""

_COPIES: Final = 2
"""Recordings that are copied out of the vault at once: each takes its size on the disk."""
_BLOCK: Final = 1 << 20


class Making:
    """What one process makes at the moment."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._few = asyncio.Semaphore(_COPIES)

    async def waveform(self, recording: Recording, kept: Kept) -> bytes:
        """Return peaks and silences, compressed."""
        key = rendition_key(kept.vault_key, "peaks")
        try:
            return await self._services.vault.read_all(key)
        except NotFound:
            await self._join(key, partial(self._draw, recording, kept, key))
            return await self._services.vault.read_all(key)

    async def opus(self, recording: Recording, kept: Kept) -> Kept:
        """Return where the smaller one is and what it is, once it is there."""
        key = rendition_key(kept.vault_key, "opus")
        size = await self._size(key)
        if size is None:
            await self._join(key, partial(self._encode, recording, kept, key))
            size = await self._size(key)
        if size is None:
            raise Refusal("vault_unavailable")
        return Kept(
            vault_key=key,
            sha256=f"{kept.sha256[:32]}-opus-{size}",  # it is only what tells it from others
            size=size,
            content_type="audio/ogg",
            channels=kept.channels,
            sample_rate=48_000,
            duration_s=kept.duration_s,
            verified=kept.verified,
        )

    async def _join(self, key: str, make: Callable[[], Awaitable[None]]) -> None:
        task = self._tasks.get(key)
        if task is None:
            if len(self._tasks) >= MOST_AT_ONCE:
                raise Refusal("unavailable", "Too many renditions are being made. Nothing was lost. Ask again.")
            task = self._tasks[key] = asyncio.create_task(self._in_turn(make))
            task.add_done_callback(partial(self._ended, key))
        # Shielded, because one who leaves must not end it for the others.
        await asyncio.shield(task)

    async def _in_turn(self, make: Callable[[], Awaitable[None]]) -> None:
        async with self._few:
            await make()

    def _ended(self, key: str, task: "asyncio.Future[None]") -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # looked at: all who asked may have gone

    async def _draw(self, recording: Recording, kept: Kept, key: str) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder()) as folder:
            source = await self._copy(kept.vault_key, Path(folder))
            try:
                waveform = (await self._services.prober.probe(source)).waveform
            except FetchFailed:
                raise _damaged() from None
        await self._services.vault.put_bytes(key, waveform)
        await self._check_wanted(recording, kept, key)

    async def _encode(self, recording: Recording, kept: Kept, key: str) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder()) as folder:
            source, target = await self._copy(kept.vault_key, Path(folder)), Path(folder) / "smaller"
            try:
                await self._services.renderer.render(source, target)
            except FetchFailed:
                raise _damaged() from None
            await self._services.vault.put(key, target)
        await self._check_wanted(recording, kept, key)

    async def _check_wanted(self, recording: Recording, kept: Kept, key: str) -> None:
        """Throw away what was made for a file that is gone by now.

        A purge leaves its tombstone before it lists what to delete: it finds what was put before, and we find it.
        """
        now = await self._services.store.get(recording.tenant_id, recording.id)
        if now.state is not State.READY or now.kept is None or now.kept.vault_key != kept.vault_key:
            await self._services.vault.delete(key)
            raise Refusal("purged" if now.state is State.PURGED else "not_ready")

    async def _copy(self, key: str, folder: Path) -> Path:
        """Bring the audio to where a process of its own can read it."""
        path = folder / "audio"
        try:
            audio = await self._services.vault.open(key)
        except NotFound:
            raise Refusal("vault_unavailable", "The vault lacks this recording's file. Tell the operator.") from None
        try:
            with path.open("wb") as copy:
                for at in range(0, audio.size, _BLOCK):
                    await asyncio.to_thread(copy.write, await audio.read(at, _BLOCK))
        finally:
            await audio.close()
        return path

    async def _size(self, key: str) -> int | None:
        try:
            file = await self._services.vault.open(key)
        except NotFound:
            return None
        await file.close()
        return file.size

    def _folder(self) -> Path:
        folder = self._services.settings.data / "tmp"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _damaged() -> Refusal:
    return Refusal("vault_unavailable", "The vault's file is not what was kept. Tell the operator.")
