"""Judges a run by its evidence: what the provider saw, what we say, and what we would play. It asks nobody."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

from callspool.cli.demo.evidence import Evidence, Seen
from callspool.domain.recording import FINAL, Recording, State
from callspool.domain.tenant import Tenant


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


def judge(evidence: Evidence, tenants: Sequence[Tenant], account_limit: int) -> Verdict:
    """Compare store and played bytes with the provider's log."""
    seen, recordings = evidence.seen, evidence.recordings
    return Verdict(
        tenants=[_figures(tenant.id, tenant.slots, recordings, seen) for tenant in tenants],
        account_most_at_once=seen.account_most_at_once,
        account_limit=account_limit,
        duplicates=sum(
            max(0, seen.whole_downloads.get(one.provider_recording_id, 0) - 1) for one in recordings if _clean(one)
        ),
        bytes=sum(one.kept.size for one in recordings if one.kept),
        broken={
            "I1": _too_many(seen, tenants, account_limit),
            "I2": _lost(seen, recordings),
            "I3": _altered(evidence),
        },
    )


def _too_many(seen: Seen, tenants: Sequence[Tenant], account_limit: int) -> list[str]:
    found = [
        f"{tenant.id}: {most} downloads at once, {tenant.slots} slots"
        for tenant in tenants
        if (most := seen.most_at_once.get(tenant.id, 0)) > tenant.slots
    ]
    if seen.account_most_at_once > account_limit:
        found.append(f"account: {seen.account_most_at_once} downloads at once, limit {account_limit}")
    return found


def _lost(seen: Seen, recordings: Sequence[Recording]) -> list[str]:
    """Name what has no end. What the provider made and could not tell us of is not well either."""
    ours = {one.provider_recording_id: one for one in recordings}
    found = []
    for sid in seen.sha256:
        told = "acknowledged" if sid in seen.acknowledged else "not acknowledged"
        one = ours.get(sid)
        if one is None:
            found.append(f"{sid}: {told}, but unknown")
        elif one.state not in FINAL:
            found.append(f"{sid}: {told}, but still {one.state} ({one.tenant_id})")
        elif one.state is State.FAILED and not one.reason:
            found.append(f"{sid}: {told}, but failed without a reason")
    return found


def _altered(evidence: Evidence) -> list[str]:
    found = []
    for one in evidence.recordings:
        if one.state is not State.READY:
            continue
        played, sid = evidence.played.get(one.id), one.provider_recording_id
        if one.kept is None or played != one.kept.sha256:
            found.append(f"{sid}: what is served is not what was stored")
        elif played != evidence.seen.sha256.get(sid):
            found.append(f"{sid}: what is stored is not what the provider has")
    return found


def _clean(recording: Recording) -> bool:
    """Say whether it came without a failure: then it has no reason to have come twice."""
    return recording.state is State.READY and recording.tries == 0


def _figures(tenant: str, slots: int, recordings: Sequence[Recording], seen: Seen) -> TenantFigures:
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
