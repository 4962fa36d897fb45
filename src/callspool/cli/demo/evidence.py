"""What a run is judged by: the provider's log, our store, and what we would play."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callspool.cli.demo.stage import ACCOUNT_SID, SetUp
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import FINAL, Recording, State
from callspool.wiring import Parts

_PAGE: Final = 200
_BROKEN_S: Final = 0.1
"""The provider may learn so much later that we broke a download off: the system closes a connection in its own time."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the provider's log says."""

    most_at_once: Mapping[str, int]
    """Downloads at the same time, by tenant."""
    account_most_at_once: int
    whole_downloads: Mapping[str, int]
    """By the provider's id of a recording."""
    sha256: Mapping[str, str]
    """Of every recording that there is."""
    acknowledged: frozenset[str]
    """Recordings with a callback that we answered with 2xx."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it."""

    seen: Seen
    recordings: Sequence[Recording]
    played: Mapping[str, str]
    """What a player got, by our id of a recording: the SHA-256 of each that is ready."""


async def all_final(parts: Parts, count: int, tell: Callable[[str], None], *, patience_s: float) -> None:
    """Wait until all *count* recordings are final, or until none has become so for *patience_s*."""
    loop, most = asyncio.get_running_loop(), 0
    try:
        async with asyncio.timeout(patience_s) as deadline:
            async for _ in parts.bulletin.listen():
                states = Counter[State]()
                for row in await parts.store.count(None):
                    states[row.state] += row.count
                final = sum(states[state] for state in FINAL)
                tell(f"{final} of {count} are final: " + ", ".join(f"{n} {state}" for state, n in states.items()))
                if final >= count:
                    return
                if final > most:
                    most = final
                    deadline.reschedule(loop.time() + patience_s)
    except TimeoutError:
        return  # the judgement says which


async def gather(set_up: SetUp) -> Evidence:
    """Ask the provider, the store, and for each recording's audio as a player would."""
    recordings = await _all(set_up.parts)
    played = {}
    for one in recordings:
        if one.state is State.READY:
            audio = await set_up.api.read(f"/api/recordings/{one.id}/audio")
            played[str(one.id)] = hashlib.sha256(audio).hexdigest()
    return Evidence(await _provider_saw(set_up), recordings, played)


async def _provider_saw(set_up: SetUp) -> Seen:
    summary = await set_up.simulator.get(f"/_simulator/summary.json?broken_s={_BROKEN_S}")
    recordings = await set_up.simulator.get("/_simulator/recordings.json?sha256=1")
    deliveries = await set_up.simulator.get("/_simulator/callbacks.json")
    return Seen(
        most_at_once=summary["highest_by_tag"],
        account_most_at_once=summary["highest_by_account"].get(ACCOUNT_SID, 0),
        whole_downloads=summary["whole_downloads"],
        sha256={one["sid"]: one["sha256"] for one in recordings},
        acknowledged=frozenset(one["recording_sid"] for one in deliveries if (one["status"] or 0) // 100 == 2),
    )


async def _all(parts: Parts) -> list[Recording]:
    found: list[Recording] = []
    cursor = None
    while True:
        page = await parts.store.list(RecordingFilter(), cursor=cursor, limit=_PAGE)
        found += page.recordings
        if (cursor := page.next_cursor) is None:
            return found
