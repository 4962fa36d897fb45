"""The `SecretStore` port over either engine.

What each method promises stands in ``domain.ports``: ``secrets``.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.store import linkkeys, registry, rotation
from callspool.store.sqlpart import SqlPart

_SIGNING: Final = "signing"


class SqlSecrets(SqlPart):
    """The part of the store that keeps callspool's own secrets, and renews all seals."""

    async def signing_key(self) -> bytes:
        while (key := await self._database.read(lambda c: registry.sealed_key(c, _SIGNING, self._envelope))) is None:
            await self._database.write(lambda c: registry.make_sealed_key(c, _SIGNING, self._envelope))
        return key

    async def link_keys(self) -> Sequence[bytes]:
        return await self._database.read(lambda c: linkkeys.found(c, self._envelope, self._clock.now()))

    async def rotate_link_key(self, overlap: timedelta, *, by: By = CALLSPOOL) -> None:
        first, now = await self.signing_key(), self._clock.now()
        act = Act("links.rotate", "playback links", detail={"overlap_s": overlap.total_seconds()})
        await self._act(by, act, lambda c: linkkeys.rotate(c, self._envelope, first, now, overlap))

    async def reseal(self, looked: Callable[[int, int], None], *, by: By) -> int:
        total = await self._database.read(rotation.total)
        at = rotation.Progress()
        while True:
            following = await self._database.write(partial(rotation.step, envelope=self._envelope, at=at))
            if following is None:
                break
            at = following
            looked(at.looked, total)
        act = Act("secrets.reseal", "credentials", detail={"resealed": at.resealed})
        await self._act(by, act, lambda _: None)
        return at.resealed
