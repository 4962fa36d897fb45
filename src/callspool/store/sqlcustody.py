"""The `CustodyStore` port over either engine. What each method promises stands in ``domain.custody``."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from callspool.domain.audit import Act, By
from callspool.domain.custody import LIFECYCLE, SCRUB
from callspool.domain.recording import Recording
from callspool.store import audit, custody
from callspool.store.moves import Step
from callspool.store.sqlpart import SqlPart


class SqlCustody(SqlPart):
    """The part of the store that scrubbing and deletion at the provider use."""

    async def to_prove(self, before: datetime, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: custody.to_prove(c, before, limit))

    async def proved(self, recording: Recording) -> None:
        await self._database.write(lambda c: custody.proved(c, recording, self._clock.now()))

    async def corrupt(self, recording: Recording, detail: str, *, again: bool, by: By = SCRUB) -> Recording | None:
        now = self._clock.now()

        def deed(connection: Connection) -> Recording | None:
            moved = custody.corrupt(connection, Step(by.actor, now), recording, detail, again)
            if moved is not None:
                act = _act("recording.corrupt", recording, seen=detail, fetched_again=again)
                audit.append(connection, act, by, now, self._envelope)
            return moved

        return await self._database.write(deed)

    async def restore(self, recording: Recording, *, by: By = SCRUB) -> Recording | None:
        now = self._clock.now()

        def deed(connection: Connection) -> Recording | None:
            moved = custody.restore(connection, Step(by.actor, now), recording)
            if moved is not None:
                audit.append(connection, _act("recording.restore", recording), by, now, self._envelope)
            return moved

        return await self._database.write(deed)

    async def to_delete_at_provider(self, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: custody.to_delete_at_provider(c, self._clock.now(), limit))

    async def begin_delete_at_provider(self, recording: Recording, again_at: datetime) -> bool:
        return await self._database.write(lambda c: custody.begin_delete_at_provider(c, recording, again_at))

    async def deleted_at_provider(self, recording: Recording, *, by: By = LIFECYCLE) -> None:
        now = self._clock.now()
        act = _act("recording.delete_at_provider", recording, provider_recording_id=recording.provider_recording_id)
        deed = audit.acting(lambda c: custody.deleted_at_provider(c, recording, now), act, by, now, self._envelope)
        await self._database.write(deed)


def _act(action: str, recording: Recording, **detail: object) -> Act:
    was = {"sha256": recording.kept.sha256, "size": recording.kept.size} if recording.kept else {}
    return Act(action, recording.id, recording.tenant_id, {**was, **detail})
