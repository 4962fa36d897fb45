"""Ask the provider who called whom, beside a download that is under way.

A recording without this knowledge is as good: no failure here is one of the fetch, none is repeated before the
recording is fetched again, and no download waits for an answer: one that is not there when its download is done may
come for a moment more. The account's limit bounds these too: with so many open, no more is asked.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.errors import FetchFailed, Unavailable
from callspool.domain.ids import AccountId
from callspool.domain.ports.moves import MoveStore
from callspool.domain.ports.provider import Provider
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording
from callspool.domain.tenant import Account

LONGEST: Final = timedelta(seconds=10)
"""How long an answer is waited for, by nobody but the question itself."""


class Question:
    """One that was asked."""

    def __init__(self) -> None:
        self.was_throttled = False
        """The provider asked us to slow down: so much is said of the account, whatever became of the download."""


class Calls:
    """All questions of a worker that are open."""

    def __init__(self, store: MoveStore) -> None:
        self._store = store
        self._open: dict[asyncio.Task[None], AccountId] = {}

    def ask(self, provider: Provider, account: Account, recording: Recording) -> Question | None:
        """Have the call noted in the store when the answer comes; None: it is not asked for."""
        if recording.call is not None or list(self._open.values()).count(account.id) >= account.limit:
            return None
        question = Question()
        task = asyncio.ensure_future(self._note(question, provider, account, recording))
        self._open[task] = account.id
        task.add_done_callback(self._open.pop)
        return question

    async def close(self) -> None:
        """Forget those that are not answered."""
        unanswered = list(self._open)
        for task in unanswered:
            task.cancel()
        await asyncio.gather(*unanswered, return_exceptions=True)

    async def _note(self, question: Question, provider: Provider, account: Account, recording: Recording) -> None:
        log = structlog.get_logger("callspool.fetch").bind(tenant_id=recording.tenant_id, recording_id=recording.id)
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                call = await provider.call(account, recording)
            if call is not None:
                await self._store.describe(recording.id, call)
        except FetchFailed as failed:
            question.was_throttled = failed.reason is Reason.THROTTLED
            log.info("call.not_known", reason=failed.reason.value, detail=failed.detail)
        except TimeoutError:
            log.info("call.not_known", reason="no answer in time")
        except Unavailable as error:
            log.info("call.not_noted", error=str(error))
        except Exception:
            log.exception("call.broke")
