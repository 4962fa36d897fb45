"""Judges a run by the provider's own log: what was seen there, what we say, and what we would play."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any, Final

from callspool.cli.demo.stage import ACCOUNT_LIMIT, ACCOUNT_SID, TENANTS, SetUp
from callspool.domain.errors import CallspoolError
from callspool.domain.ports import RecordingFilter
from callspool.domain.recording import FINAL, Recording, State

_DEADLINE_S: Final = 600
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """One tenant's run."""

    tenant: str
    slots: int
    kept: int
    failed: dict[str, int]
    other: dict[str, int]
    most_at_once: int
    """Downloads that the provider saw at the same time."""
    median_s: float | None
    p95_s: float | None
    """Time from the first notice to ready."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run showed. ``broken`` says which invariant does not hold, and where."""

    tenants: Sequence[TenantFigures]
    account_most_at_once: int
    account_limit: int
    duplicates: int
    """Whole downloads of a recording beyond its first."""
    bytes: int
    broken: dict[str, list[str]]

    @property
    def holds(self) -> bool:
        """Whether I1, I2 and I3 hold."""
        return not any(self.broken.values())

    def as_json(self) -> dict[str, Any]:
        """Return it for a script."""
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the provider's log says."""

    most_at_once: Mapping[str, int]
    account_most_at_once: int
    whole_downloads: Mapping[str, int]
    sha256: Mapping[str, str]
    acknowledged: frozenset[str]
    """Recordings with a callback that we answered with 2xx."""


async def _provider_saw(set_up: SetUp) -> _Seen:
    summary = await set_up.simulator.get("/_simulator/summary.json")
    recordings = await set_up.simulator.get("/_simulator/recordings.json?sha256=1")
    deliveries = await set_up.simulator.get("/_simulator/callbacks.json")
    return _Seen(
        most_at_once=summary["highest_by_tag"],
        account_most_at_once=summary["highest_by_account"].get(ACCOUNT_SID, 0),
        whole_downloads=summary["whole_downloads"],
        sha256={one["sid"]: one["sha256"] for one in recordings},
        acknowledged=frozenset(one["recording_sid"] for one in deliveries if (one["status"] or 0) // 100 == 2),
    )


async def all_final(set_up: SetUp, count: int, tell: Callable[[str], None]) -> None:
    """Wait until all *count* recordings are final."""
    store, states = set_up.parts.store, Counter[State]()
    try:
        async with asyncio.timeout(_DEADLINE_S):
            async for _ in set_up.parts.bulletin.listen():
                states = Counter[State]()
                for row in await store.count(None):
                    states[row.state] += row.count
                final = sum(states[state] for state in FINAL)
                tell(f"{final} of {count} are final: " + ", ".join(f"{n} {state}" for state, n in states.items()))
                if final >= count:
                    return
    except TimeoutError:
        raise CallspoolError(
            f"After {_DEADLINE_S} s not all of {count} recordings are final: {dict(states)}."
        ) from None


async def judge(set_up: SetUp) -> Verdict:
    """Compare store and vault with the provider's log."""
    seen = await _provider_saw(set_up)
    recordings = await _all(set_up)
    broken: dict[str, list[str]] = {"I1": [], "I2": [], "I3": []}
    for tenant in TENANTS:
        if (most := seen.most_at_once.get(tenant.id, 0)) > tenant.slots:
            broken["I1"].append(f"{tenant.id}: {most} downloads at once, {tenant.slots} slots")
    account = seen.account_most_at_once
    if account > ACCOUNT_LIMIT:
        broken["I1"].append(f"account: {account} downloads at once, limit {ACCOUNT_LIMIT}")
    ours = {one.provider_recording_id: one for one in recordings}
    for sid in seen.acknowledged:
        one = ours.get(sid)
        if one is None or one.state not in FINAL or (one.state is State.FAILED and not one.reason):
            broken["I2"].append(f"{sid}: acknowledged, but {one.state if one else 'unknown'}")
    for one in recordings:
        if one.state is State.READY and (wrong := await _wrong_bytes(set_up, one, seen.sha256)):
            broken["I3"].append(f"{one.provider_recording_id}: {wrong}")
    return Verdict(
        tenants=[_figures(tenant.id, tenant.slots, recordings, seen) for tenant in TENANTS],
        account_most_at_once=account,
        account_limit=ACCOUNT_LIMIT,
        duplicates=sum(max(0, seen.whole_downloads.get(sid, 0) - 1) for sid, one in ours.items() if _clean(one)),
        bytes=sum(one.kept.size for one in recordings if one.kept),
        broken=broken,
    )


def _clean(recording: Recording) -> bool:
    """Say whether it came without a failure: then it has no reason to have come twice."""
    return recording.state is State.READY and recording.tries == 0


async def _all(set_up: SetUp) -> list[Recording]:
    found: list[Recording] = []
    cursor = None
    while True:
        page = await set_up.parts.store.list(RecordingFilter(), cursor=cursor, limit=_PAGE)
        found += page.recordings
        if (cursor := page.next_cursor) is None:
            return found


async def _wrong_bytes(set_up: SetUp, recording: Recording, sent: Mapping[str, str]) -> str | None:
    """Fetch it as a player would and compare it with what the provider has."""
    played = hashlib.sha256(await set_up.api.read(f"/api/recordings/{recording.id}/audio")).hexdigest()
    if recording.kept is None or played != recording.kept.sha256:
        return "what is served is not what was stored"
    if played != sent.get(recording.provider_recording_id):
        return "what is stored is not what the provider has"
    return None


def _figures(tenant: str, slots: int, recordings: Sequence[Recording], seen: _Seen) -> TenantFigures:
    mine = [one for one in recordings if one.tenant_id == tenant]
    times = [(one.ready_at - one.created_at).total_seconds() for one in mine if one.ready_at]
    others = Counter(str(one.state) for one in mine if one.state not in {State.READY, State.FAILED})
    return TenantFigures(
        tenant=tenant,
        slots=slots,
        kept=sum(one.state is State.READY for one in mine),
        failed=dict(Counter(str(one.reason) for one in mine if one.state is State.FAILED)),
        other=dict(others),
        most_at_once=seen.most_at_once.get(tenant, 0),
        median_s=round(median(times), 3) if times else None,
        p95_s=round(quantiles(times, n=20, method="inclusive")[-1], 3) if len(times) > 1 else None,
        bytes=sum(one.kept.size for one in mine if one.kept),
    )
