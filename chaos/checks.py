"""The invariants, each a function of the evidence that says what is wrong. Nothing: it held."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from callspool.domain.reasons import Reason
from callspool.domain.recording import FINAL, Event, HistoryEntry, Recording, State
from callspool.simulator import Entry
from chaos.evidence import Evidence

_SETTLE_S: Final = 5.0
"""A changed limit may wait so long for its reconciler, and a job that was granted before it for its download."""
_WAKE_S: Final = 1.0
"""The least freeze after which a worker's lease may be gone."""
_RESOLUTION_S: Final = 0.1
"""The provider learns so much later, at most, that a download was broken off: its slot may be in use again by then."""
_BEHIND: Final = 4
"""So many of a burst's downloads, at least, begin after the others had their turn."""
_AFTER_S: Final = 6.0
"""So long after a blow a download may still begin again for it: leases run out, and connections."""
_REASONS: Final = frozenset({Event.RETRY, Event.CANCEL, Event.EXPIRE})
"""A person wanted it, or a lease ran out: on a machine that is busy enough, that needs no blow."""
_MORE_DESCRIPTORS: Final = 8
"""Of one kind, that came with the first use."""
_CONNECTIONS: Final = 48
"""To one part, kept open for the next request: for each call or job that was served at once, and a probe makes 32."""
_MORE_MEMORY: Final = 96 << 20
"""What is loaded with the first use, and the allocator's; a leak of one body a recording would be more."""
_JAIN: Final = 0.95


def limits_hold(seen: Evidence) -> Iterator[str]:
    """I1: the provider never sees more downloads at once than a tenant's and the account's limit."""
    spans = sorted(_spans(seen), key=lambda span: span[0])
    for start, _, entry in spans:
        running = [other for begin, end, other in spans if begin <= start < end]
        mine = sum(other.tag == entry.tag for other in running)
        allowed = _allowed(seen, entry.tag, start)
        if allowed is not None and mine > allowed:
            yield f"{entry.tag}: {mine} downloads at once, {allowed} slots, as {entry.recording_sid} began"
        whole = sum(other.account_sid == entry.account_sid for other in running)
        limit = seen.account_limits.get(entry.account_sid, whole)
        if whole > limit:
            yield f"account: {whole} downloads at once, limit {limit}, as {entry.recording_sid} began"


def nothing_is_lost(seen: Evidence) -> Iterator[str]:
    """I2: what was acknowledged ends ready, absent, failed with a reason, or cancelled by a person."""
    ours = {one.provider_recording_id: one for one in seen.recordings}
    for sid in sorted(seen.acknowledged):
        one = ours.get(sid)
        if one is None:
            yield f"{sid} was acknowledged and is unknown"
        elif one.state not in FINAL:
            yield f"{sid} was acknowledged and is {one.state} for ever"
        elif one.state is State.FAILED and one.reason is None:
            yield f"{sid} failed for no reason"
        elif one.state is State.CANCELLED and not _by_a_person(seen.histories.get(one.id, ())):
            yield f"{sid} was cancelled by nobody"


def bytes_are_the_providers(seen: Evidence) -> Iterator[str]:
    """I3: what is kept, served and heard as whole is what the provider has, to the byte."""
    provider = {one.recording_sid: one.provider_sha256 for one in seen.stored}
    for one in seen.stored:
        if one.served_sha256 != one.kept_sha256:
            yield f"{one.recording_sid}: what is served is not what was kept"
        if one.kept_sha256 != one.provider_sha256:
            yield f"{one.recording_sid}: what is kept is not what the provider has"
    for heard in seen.heard:
        wanted = provider.get(heard.recording_sid)
        if heard.status == 200 and heard.whole and wanted and heard.sha256 != wanted:
            yield f"{heard.recording_sid}: a player was sent something else as the whole"


def stale_workers_change_nothing(seen: Evidence) -> Iterator[str]:
    """I4: only the worker that claimed last writes, and a recording's versions and attempts only go up."""
    for recording_id, history in seen.histories.items():
        holder, attempt = "", 0
        for before, entry in pairwise([None, *history]):
            assert entry is not None
            if before is not None and entry.version <= before.version:
                yield f"{recording_id}: version {entry.version} came after {before.version}"
            if entry.event is Event.CLAIM:
                if entry.attempt <= attempt:
                    yield f"{recording_id}: attempt {entry.attempt} was given out after {attempt}"
                holder, attempt = entry.actor, entry.attempt
            elif _is_of_a_worker(entry) and (entry.actor, entry.attempt) != (holder, attempt):
                stale = f"attempt {entry.attempt} by {entry.actor}"
                yield f"{recording_id}: {entry.event} of {stale}, but {holder} has attempt {attempt}"


def _is_of_a_worker(entry: HistoryEntry) -> bool:
    """Say whether only the worker with the current attempt may do it. Who claims next gives up the lost ones."""
    if entry.event is Event.GIVE_UP:
        return entry.reason is not Reason.WORKER_LOST
    return entry.event in {Event.KEEP, Event.DEFER, Event.HAND_BACK}


def slots_are_used_again(seen: Evidence) -> Iterator[str]:
    """I5: when all is done no slot is taken, and the healed system uses every slot of every tenant."""
    for tenant, running in seen.running.items():
        if running:
            yield f"{tenant}: {running} slots are taken and nothing runs"
    if seen.probe is not None:
        for tenant, slots in seen.probe.slots.items():
            if (most := seen.probe.most_at_once.get(tenant, 0)) < slots:
                yield f"{tenant}: only {most} of {slots} slots could be used when all was healed"


def nobody_starves(seen: Evidence) -> Iterator[str]:
    """I6: behind one tenant's burst every other tenant has its turn before the burst is done."""
    if seen.probe is None or not seen.probe.order:
        return
    order = seen.probe.order
    big = Counter(order).most_common(1)[0][0]
    for tenant in sorted(set(order) - {big}):
        left = sum(other == big for other in order[order.index(tenant) :])
        if left < _BEHIND:
            yield f"{tenant} waited for all but {left} of {big}'s downloads"


def only_workers_work(seen: Evidence) -> Iterator[str]:
    """I7: jobs are claimed by worker processes only, and nothing is downloaded while it waits for its turn."""
    for recording_id, history in seen.histories.items():
        for entry in history:
            if entry.event is Event.CLAIM and _pid(entry.actor) not in seen.worker_pids:
                yield f"{recording_id} was claimed by {entry.actor}, which is no worker"
    ours = {one.provider_recording_id: one for one in seen.recordings}
    for entry in seen.log:
        if entry.is_download and entry.origin == "api" and (one := ours.get(entry.recording_sid)):
            at = entry.start + seen.wall_minus_monotonic
            if _holder(seen.histories.get(one.id, ()), at) is None:
                yield f"{entry.recording_sid} was downloaded before anybody had claimed it"


def valkey_costs_time_only(seen: Evidence) -> Iterator[str]:
    """I8: with Valkey's data lost, the store's work is all done in the end, and nothing final is done again."""
    for one in seen.recordings:
        if one.state in {State.QUEUED, State.FETCHING}:
            yield f"{one.provider_recording_id} is {one.state} for ever; Valkey was emptied {seen.emptied} times"
    for recording_id, history in seen.histories.items():
        for before, entry in pairwise(history):
            if before.state in FINAL and entry.event is Event.CLAIM:
                yield f"{recording_id} was {before.state} and was claimed again"


def tenants_are_apart(seen: Evidence) -> Iterator[str]:
    """I9: a tenant's key is told nothing of another tenant's recordings."""
    for peek in seen.peeks:
        if peek.status < 400:
            yield f"{peek.path} was answered {peek.status} to another tenant"
        if peek.tells:
            yield f"{peek.path} told another tenant {peek.tells}"


def the_list_is_kept(seen: Evidence) -> Iterator[str]:
    """complete: what the provider lists of an account is here and at its end, told or not, and the report says so."""
    if seen.listing != "done":
        yield f"the account was not listed to the end: {seen.listing}"
    ours = {one.provider_recording_id for one in seen.recordings}
    for sid in sorted(seen.provided - ours):
        yield f"{sid} is at the provider and not here"
    for day in seen.days:
        ended = day.kept + day.absent + sum(day.failed.values()) + day.cancelled + day.purged
        if day.listed != ended or day.missing_count or day.pending:
            yield f"{day.day}: {day.listed} listed, {ended} at their end, {day.pending} pending, missing {day.missing}"
        if day.listed_at is None:
            yield f"{day.day}: nobody listed it"
    if (listed := sum(day.listed for day in seen.days)) != len(seen.provided):
        yield f"the report has {listed} recordings, the provider {len(seen.provided)}"


def nothing_is_asked_twice(seen: Evidence) -> Iterator[str]:
    """once: the provider is asked once for a recording; again only for a fault, a lost lease, a blow or a person."""
    ours = {one.provider_recording_id: one for one in seen.recordings}
    asked: dict[str, list[Entry]] = {}
    for entry in seen.log:
        if entry.is_download and entry.origin == "api":
            asked.setdefault(entry.recording_sid, []).append(entry)
    for sid, entries in asked.items():
        calm = [one for one in entries if not any(b.start <= one.start <= b.end + _AFTER_S for b in seen.blows)]
        history = seen.histories.get(ours[sid].id, ()) if sid in ours else ()
        again = sum(bool(one.fault) for one in entries) + sum(one.event in _REASONS for one in history)
        if len(calm) > 1 + again:
            yield f"{sid} was asked for {len(calm)} times, {len(entries)} with blows, for {again} reasons"


def nothing_stays(seen: Evidence) -> Iterator[str]:
    """clean: when all is done no work is left in Valkey or spool, and no process holds more files or memory."""
    if seen.before is None or seen.after is None:
        return
    if seen.after.keys:
        yield f"{len(seen.after.keys)} keys of work are left in Valkey, such as {seen.after.keys[0]}"
    if seen.after.spool_bytes > seen.before.spool_bytes:
        yield f"{seen.after.spool_bytes} bytes are left in the spool"
    for name, kinds in seen.after.descriptors.items():
        for kind, held in kinds.items():
            first = seen.before.descriptors[name].get(kind, 0)
            if held > (_CONNECTIONS if kind.startswith("connections") else first + _MORE_DESCRIPTORS):
                yield f"{name} holds {held} {kind}; at the start it held {first}"
    for name, held in seen.after.memory.items():
        if held > seen.before.memory[name] + _MORE_MEMORY:
            yield f"{name} holds {held >> 20} MiB; at the start it held {seen.before.memory[name] >> 20}"


def equals_get_the_same(seen: Evidence) -> Iterator[str]:
    """fair: tenants of equal weight that all wait are served alike: Jain's index is 0.95 or more."""
    if seen.probe is not None and seen.probe.equals:
        shares = Counter(seen.probe.equals)
        counts = [shares[tenant] for tenant in seen.probe.slots]
        index = sum(counts) ** 2 / (len(counts) * sum(count**2 for count in counts))
        if index < _JAIN:
            yield f"Jain's index is {index:.3f}: {dict(shares)}"


def processes_live(seen: Evidence) -> Iterator[str]:
    """alive: no process ends for a fault of another part."""
    yield from seen.fallen


CHECKS: Final[Mapping[str, Callable[[Evidence], Iterator[str]]]] = {
    "I1": limits_hold,
    "I2": nothing_is_lost,
    "I3": bytes_are_the_providers,
    "I4": stale_workers_change_nothing,
    "I5": slots_are_used_again,
    "I6": nobody_starves,
    "I7": only_workers_work,
    "I8": valkey_costs_time_only,
    "I9": tenants_are_apart,
    "complete": the_list_is_kept,
    "once": nothing_is_asked_twice,
    "clean": nothing_stays,
    "fair": equals_get_the_same,
    "alive": processes_live,
}


def judge(seen: Evidence) -> dict[str, list[str]]:
    """Return for each invariant what broke it."""
    return {name: list(check(seen)) for name, check in CHECKS.items()}


def _spans(seen: Evidence) -> Iterator[tuple[float, float, Entry]]:
    """Each download with its beginning and end. A frozen worker's counts until the freeze: nobody can close it."""
    ours = {one.provider_recording_id: one for one in seen.recordings}
    for entry in seen.log:
        if not entry.is_download:
            continue
        end = float("inf") if entry.end is None else entry.end
        if not entry.whole:
            end = max(entry.start, end - _RESOLUTION_S)
        one = ours.get(entry.recording_sid)
        claimed = _holder(seen.histories.get(one.id, ()), entry.start + seen.wall_minus_monotonic) if one else None
        for freeze in seen.freezes if claimed else ():
            is_long = freeze.pid == _pid(claimed or "") and freeze.end - freeze.start >= _WAKE_S
            if is_long and freeze.start < end and entry.start < freeze.end:
                end = max(freeze.start, entry.start)
        yield entry.start, end, entry


def _allowed(seen: Evidence, tenant: str, at: float) -> int | None:
    """Return the highest limit that a tenant may have had at that time."""
    mine = sorted((one for one in seen.limits if one.tenant == tenant), key=lambda one: one.asked_at)
    until = [one.in_force_at + _SETTLE_S for one in mine[1:]] + [float("inf")]
    valid = [one.slots for one, last in zip(mine, until, strict=False) if one.asked_at <= at <= last]
    return max(valid, default=None)


def _holder(history: Sequence[HistoryEntry], at: float) -> str | None:
    """Return the worker that had claimed it last at a time of the wall clock."""
    claims = [entry.actor for entry in history if entry.event is Event.CLAIM and entry.at.timestamp() <= at + 0.05]
    return claims[-1] if claims else None


def _pid(actor: str) -> int:
    """Return the process of ``worker:host-pid-random``."""
    parts = actor.rsplit("-", 2)
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else 0


def _by_a_person(history: Sequence[HistoryEntry]) -> bool:
    return any(entry.event is Event.CANCEL and entry.actor.startswith(("key:", "cli")) for entry in history)


def unfinished(recordings: Sequence[Recording]) -> list[Recording]:
    """Return those that are still on their way."""
    return [one for one in recordings if one.state not in FINAL and one.state is not State.ANNOUNCED]
