"""The fault runs' judgement: each invariant on made-up evidence that breaks it; and their plan, which is its seed's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chaos.checks import CHECKS, judge
from chaos.evidence import Blow, Evidence, Freeze, Heard, Limit, Peek, Probe, Residue, Stored
from chaos.plan import BLOWS_A_SECOND, plan

from callspool.domain.backfill import DayReport
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import Event, HistoryEntry, State
from callspool.simulator import Entry
from tests.fixtures.made import RE, recording

START = datetime.fromtimestamp(1000, UTC)
"""The monotonic clock of this evidence began 1000 s after the wall clock."""
OURS = recording().id


def entry(start: float, end: float | None, *, sid: str = RE, tag: str = "acme") -> Entry:
    """A download."""
    path = f"/{sid}.wav"
    return Entry(0, "GET", path, start, kind="media", recording_sid=sid, account_sid="AC1", tag=tag, end=end)


def history(*steps: tuple[Event, State, int, str], recording_id: str = OURS) -> list[HistoryEntry]:
    """Events, one a second from the start."""
    return [
        HistoryEntry(
            seq=number,
            recording_id=RecordingId(recording_id),
            tenant_id=TenantId("acme"),
            event=event,
            state=state,
            version=number + 1,
            attempt=attempt,
            at=START + timedelta(seconds=number),
            reason=None,
            detail=None,
            actor=actor,
        )
        for number, (event, state, attempt, actor) in enumerate(steps)
    ]


W1, W2 = "worker:host-11-aaaaaa", "worker:host-22-bbbbbb"
FETCHED = history(
    (Event.ENQUEUE, State.QUEUED, 0, "webhook"),
    (Event.CLAIM, State.FETCHING, 1, W1),
    (Event.KEEP, State.READY, 1, W1),
)
GOOD = Evidence(
    log=[entry(1.5, 1.9)],
    acknowledged=frozenset({RE}),
    recordings=[recording(state=State.READY)],
    histories={OURS: FETCHED},
    limits=[Limit("acme", 1, 0.0, 0.0)],
    account_limits={"AC1": 2},
    worker_pids=frozenset({11, 22}),
    wall_minus_monotonic=1000.0,
    stored=[Stored(RE, "aa", "aa", "aa")],
    heard=[Heard(RE, 200, "aa", True), Heard(RE, 200, "cut", False)],
    peeks=[Peek("/api/recordings/x", 404, "")],
    running={"acme": 0},
    probe=Probe({"acme": 2}, {"acme": 2}, ["big", "big", "acme", "big", "big", "big", "big"]),
)


def broken(**changes: Any) -> list[str]:
    """Return which invariants do not hold in the good evidence with *changes*."""
    return [name for name, found in judge(replace(GOOD, **changes)).items() if found]


def test_good_run_breaks_nothing() -> None:
    assert judge(GOOD) == {name: [] for name in CHECKS}


def test_two_downloads_at_once_of_a_tenant_with_one_slot_break_i1() -> None:
    assert broken(log=[entry(1.5, 1.9), entry(1.6, 1.8, sid="RE2")]) == ["I1"]


def test_more_downloads_than_the_account_may_break_i1() -> None:
    others = [entry(1.5, 1.9, tag=name, sid=f"RE{name}") for name in "abc"]
    assert broken(log=others, recordings=GOOD.recordings) == ["I1"]


def test_limit_that_was_lowered_counts_when_it_had_time_to_settle() -> None:
    two = [entry(20.0, 22.0), entry(20.5, 22.0, sid="RE2")]
    lowered = [Limit("acme", 2, 0.0, 0.0), Limit("acme", 1, 10.0, 10.1)]
    assert broken(log=two, limits=lowered) == ["I1"]
    assert broken(log=two, limits=[lowered[0], Limit("acme", 1, 19.0, 19.1)]) == []


def test_download_that_was_broken_off_a_moment_ago_takes_no_slot() -> None:
    assert broken(log=[entry(1.5, 1.9), entry(1.85, 1.95, sid="RE2")]) == []


def test_download_of_a_frozen_worker_counts_until_the_freeze() -> None:
    second = history(*((one.event, one.state, one.attempt, one.actor) for one in FETCHED[:2]))
    two = [entry(1.5, 9.0), entry(6.0, 7.0, sid="RE2")]
    assert broken(log=two, histories={OURS: second}, freezes=[Freeze(11, 2.0, 8.0)]) == []
    assert broken(log=two, histories={OURS: second}, freezes=[Freeze(22, 2.0, 8.0)]) == ["I1"]


@pytest.mark.parametrize(
    "recordings",
    [
        [],
        [recording(state=State.FAILED)],
        [recording(state=State.CANCELLED)],
    ],
    ids=["unknown", "failed without a reason", "cancelled by nobody"],
)
def test_what_was_acknowledged_and_is_not_accounted_for_breaks_i2(recordings: Sequence[Any]) -> None:
    assert "I2" in broken(recordings=recordings)


def test_what_hangs_for_ever_breaks_i2_and_i8() -> None:
    assert broken(recordings=[recording(state=State.QUEUED)]) == ["I2", "I8"]


@pytest.mark.parametrize(
    "changes",
    [
        {"stored": [Stored(RE, "aa", "bb", "aa")]},
        {"stored": [Stored(RE, "bb", "bb", "aa")]},
        {"heard": [Heard(RE, 200, "half", True)]},
    ],
    ids=["served", "kept", "heard as whole"],
)
def test_other_bytes_than_the_providers_break_i3(changes: dict[str, Any]) -> None:
    assert broken(**changes) == ["I3"]


QUEUED = (Event.ENQUEUE, State.QUEUED, 0, "webhook")
LATE_KEEP = history(
    QUEUED,
    (Event.CLAIM, State.FETCHING, 1, W1),
    (Event.EXPIRE, State.QUEUED, 1, W2),
    (Event.CLAIM, State.FETCHING, 2, W2),
    (Event.KEEP, State.READY, 1, W1),
)
SAME_ATTEMPT = history(
    QUEUED,
    (Event.CLAIM, State.FETCHING, 1, W1),
    (Event.EXPIRE, State.QUEUED, 1, W2),
    (Event.CLAIM, State.FETCHING, 1, W2),
)


@pytest.mark.parametrize("events", [LATE_KEEP, SAME_ATTEMPT], ids=["late commit", "attempt given out twice"])
def test_stale_worker_that_changes_something_breaks_i4(events: list[HistoryEntry]) -> None:
    assert broken(histories={OURS: events}) == ["I4"]


@pytest.mark.parametrize(
    "changes",
    [{"running": {"acme": 1}}, {"probe": Probe({"acme": 2}, {"acme": 1})}],
    ids=["taken for ever", "never used again"],
)
def test_leaked_slot_breaks_i5(changes: dict[str, Any]) -> None:
    assert broken(**changes) == ["I5"]


def test_tenant_behind_anothers_whole_burst_breaks_i6() -> None:
    assert broken(probe=Probe({}, {}, ["big"] * 9 + ["acme", "big"])) == ["I6"]


def test_claim_by_the_server_and_unclaimed_download_break_i7() -> None:
    by_server = [replace(one, actor=one.actor.replace("-11-", "-99-")) for one in FETCHED]
    assert broken(histories={OURS: by_server}) == ["I7"]
    assert broken(log=[entry(0.2, 0.4)]) == ["I7"]


def test_final_recording_that_is_done_again_breaks_i8() -> None:
    again = history(
        *((one.event, one.state, one.attempt, one.actor) for one in FETCHED),
        (Event.CLAIM, State.FETCHING, 2, W2),
    )
    assert broken(histories={OURS: again}) == ["I8"]


@pytest.mark.parametrize(
    "peek", [Peek("/api/recordings/x", 200, ""), Peek("/api/recordings/x", 409, RE)], ids=["answered", "told"]
)
def test_answer_to_another_tenant_breaks_i9(peek: Peek) -> None:
    assert broken(peeks=[peek]) == ["I9"]


DAY = DayReport(START.date(), START, listed=2, kept=1, failed={Reason.GONE: 1})


@pytest.mark.parametrize(
    ("provided", "day"),
    [
        ({RE, "RE2"}, DAY),
        ({RE}, DAY),
        ({RE}, replace(DAY, failed={})),
        ({RE}, replace(DAY, listed=1, kept=0, failed={}, pending=1)),
        ({RE}, replace(DAY, listed=1, failed={}, listed_at=None)),
    ],
    ids=["not here", "another count", "in no figure", "for ever on its way", "not listed"],
)
def test_report_that_does_not_add_up_is_told(provided: set[str], day: DayReport) -> None:
    assert broken(provided=frozenset({RE}), days=[replace(DAY, listed=1, failed={})]) == []
    assert broken(provided=frozenset(provided), days=[day]) == ["complete"]


def test_account_that_could_not_be_listed_is_told() -> None:
    assert broken(listing="it did not end") == ["complete"]


def test_second_download_needs_a_fault_a_blow_or_a_person() -> None:
    again = [entry(1.5, 1.6), entry(20.0, 20.1)]
    assert broken(log=again) == ["once"]
    assert broken(log=[replace(again[0], fault="reset:0.5:1"), again[1]]) == []
    assert broken(log=again, blows=[Blow(18.0, 19.0)]) == []
    assert broken(log=again, blows=[Blow(3.0, 4.0)]) == ["once"]


@pytest.mark.parametrize(
    "after",
    [
        {"keys": ("job:rec_1",)},
        {"spool_bytes": 1},
        {"descriptors": {"server": {"files": 29, "connections to the valkey": 2}}},
        {"descriptors": {"server": {"files": 20, "connections to the valkey": 49}}},
        {"memory": {"server": 500 << 20}},
    ],
    ids=["a job in Valkey", "bytes in the spool", "open files", "connections", "memory"],
)
def test_what_stays_behind_is_told(after: dict[str, Any]) -> None:
    before = Residue({"server": {"files": 20, "connections to the valkey": 2}}, {"server": 100 << 20}, 0, ())
    assert broken(before=before, after=before) == []
    assert broken(before=before, after=replace(before, **after)) == ["clean"]


def test_tenant_that_gets_less_than_its_equals_is_told() -> None:
    assert broken(probe=Probe({"a": 1, "b": 1}, {"a": 1, "b": 1}, equals=["a", "b", "a", "b", "a"])) == []
    assert broken(probe=Probe({"a": 1, "b": 1}, {"a": 1, "b": 1}, equals=["a"] * 5 + ["b"] * 3)) == ["fair"]


def test_process_that_fell_is_told() -> None:
    assert broken(fallen=["server ended with status 1"]) == ["alive"]


def test_plan_follows_from_its_seed_alone() -> None:
    assert plan(7, 20) == plan(7, 20)
    assert plan(7, 20) != plan(8, 20)


def test_twenty_seeds_see_every_part_and_deal_every_blow() -> None:
    plans = [plan(seed, 60) for seed in range(1, 21)]
    assert {(one.database, one.vault) for one in plans} == {
        (database, vault) for database in ("sqlite", "postgresql") for vault in ("disk", "s3")
    }
    blows = {blow.action for one in plans for blow in one.blows}
    assert blows == {"kill", "term", "stop", "cut", "flush", "forget", "crash", "fill"}
    assert all(len(one.blows) == 60 * BLOWS_A_SECOND for one in plans)
