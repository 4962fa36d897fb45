"""The demo's judgement: each invariant on made-up evidence that breaks it; and what its calls are."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from callspool.cli.demo import calls
from callspool.cli.demo.evidence import Evidence, Seen
from callspool.cli.demo.judgement import Verdict, judge
from callspool.cli.demo.stage import TENANTS
from callspool.domain.ids import TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import Kept, State
from callspool.domain.tenant import Tenant
from tests.fixtures.made import NOW, RE, recording

ACME = Tenant(TenantId("acme"), "Acme", slots=2)
SEEN = Seen(
    most_at_once={"acme": 2},
    account_most_at_once=2,
    whole_downloads={RE: 1},
    sha256={RE: "aa"},
    acknowledged=frozenset({RE}),
)
READY = recording(
    state=State.READY,
    ready_at=NOW,
    kept=Kept(
        vault_key="k",
        sha256="aa",
        size=320,
        content_type="audio/wav",
        channels=2,
        sample_rate=8000,
        duration_s=0.01,
        verified=True,
    ),
)
GOOD = Evidence(SEEN, [READY], {READY.id: "aa"})


def judged(evidence: Evidence = GOOD, **seen: Any) -> Verdict:
    """Return the verdict on *evidence* where the provider saw something else."""
    return judge(replace(evidence, seen=replace(evidence.seen, **seen)), [ACME], 3)


def broken(verdict: Verdict) -> list[str]:
    """Return which invariants do not hold."""
    assert verdict.holds is not any(verdict.broken.values())
    return [name for name, found in verdict.broken.items() if found]


def test_good_run_breaks_nothing() -> None:
    verdict = judged()
    assert verdict.broken == {"I1": [], "I2": [], "I3": []}
    assert verdict.holds
    assert (verdict.duplicates, verdict.bytes, verdict.tenants[0].kept) == (0, 320, 1)


@pytest.mark.rule("I1")
@pytest.mark.parametrize("seen", [{"most_at_once": {"acme": 3}}, {"account_most_at_once": 4}])
def test_more_downloads_than_allowed_break_i1(seen: dict[str, Any]) -> None:
    assert broken(judged(**seen)) == ["I1"]


@pytest.mark.rule("I2")
@pytest.mark.parametrize("state", [state for state in State if state in {"announced", "queued", "fetching"}])
def test_a_recording_that_has_no_end_breaks_i2_and_is_named(state: State) -> None:
    verdict = judged(Evidence(SEEN, [recording(state=state)], {}))
    assert broken(verdict) == ["I2"]
    assert verdict.broken["I2"] == [f"{RE}: acknowledged, but still {state} (acme)"]


@pytest.mark.rule("I2")
def test_what_was_acknowledged_and_is_not_known_breaks_i2() -> None:
    assert broken(judged(Evidence(SEEN, [], {}))) == ["I2"]


def test_a_call_that_nobody_could_be_told_of_breaks_i2() -> None:
    lost = "RE" + "0" * 32
    verdict = judged(sha256={RE: "aa", lost: "bb"})
    assert verdict.broken["I2"] == [f"{lost}: not acknowledged, but unknown"]


def test_a_failure_breaks_i2_only_without_a_reason() -> None:
    assert broken(judged(Evidence(SEEN, [recording(state=State.FAILED, reason=Reason.GONE)], {}))) == []
    assert broken(judged(Evidence(SEEN, [recording(state=State.FAILED, reason=None)], {}))) == ["I2"]


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    ("played", "sha256", "says"),
    [
        ({READY.id: "bb"}, "aa", "what is served is not what was stored"),
        ({}, "aa", "what is served is not what was stored"),
        ({READY.id: "aa"}, "bb", "what is stored is not what the provider has"),
    ],
)
def test_other_bytes_break_i3(played: dict[str, str], sha256: str, says: str) -> None:
    verdict = judged(replace(GOOD, played=played), sha256={RE: sha256})
    assert broken(verdict) == ["I3"]
    assert verdict.broken["I3"] == [f"{RE}: {says}"]


def test_a_second_whole_download_counts_unless_there_was_a_failure() -> None:
    assert judged(whole_downloads={RE: 3}).duplicates == 2
    assert judged(replace(GOOD, recordings=[replace(READY, tries=1)]), whole_downloads={RE: 3}).duplicates == 0


def test_calls_are_their_seeds() -> None:
    assert calls.plan(7, 60) == calls.plan(7, 60) != calls.plan(8, 60)
    assert len(calls.plan(7, 60)) == 60


def test_the_stream_has_all_tenants_and_faults_without_end() -> None:
    first, later = (list(islice(calls.stream(1), *span)) for span in ((0, 60), (5000, 5060)))
    for some in (first, later):
        assert {call.tenant for call in some} == {tenant.id for tenant in TENANTS}
        assert 0 < sum(call.fault is not None for call in some) < 30


def test_the_burst_is_200_calls_of_one_tenant() -> None:
    assert set(Counter(call.tenant for call in calls.burst(1)).values()) == {200}
