"""Ask the provider who called whom, beside a download that is under way.

A recording without this knowledge is as good: no failure here is one of the fetch, and none is repeated before the
recording is fetched again. One question for each download, so that the account's limit bounds these too.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.errors import FetchFailed, Unavailable
from callspool.domain.ports import Provider, Store
from callspool.domain.recording import Recording
from callspool.domain.tenant import Account

GRACE: Final = timedelta(seconds=2)
"""How long the answer is waited for when all else is done."""


@asynccontextmanager
async def noting_call(store: Store, provider: Provider, account: Account, recording: Recording) -> AsyncIterator[None]:
    """Note the call in the store while the block runs, unless it is known."""
    if recording.call is not None:
        yield
        return
    asking = asyncio.ensure_future(_note(store, provider, account, recording))
    try:
        yield
        await asyncio.wait([asking], timeout=GRACE.total_seconds())
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def _note(store: Store, provider: Provider, account: Account, recording: Recording) -> None:
    log = structlog.get_logger("callspool.fetch").bind(tenant_id=recording.tenant_id, recording_id=recording.id)
    try:
        call = await provider.call(account, recording)
        if call is not None:
            await store.describe(recording.id, call)
    except FetchFailed as failed:
        log.info("call.not_known", reason=failed.reason.value, detail=failed.detail)
    except Unavailable as error:
        log.info("call.not_noted", error=str(error))
    except Exception:
        log.exception("call.broke")
