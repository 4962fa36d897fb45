"""Two workers, a scheduler and a store: all orders in which their steps can happen, searched to the end."""

import pytest

from tests.model.fence import Fenced, Rules, begin
from tests.model.search import Searched, search


def look(rules: Rules, *, jobs: int = 1, grants: int = 3, losses: int = 1) -> Searched:
    found = search(begin(jobs=jobs, grants=grants, losses=losses), Fenced(rules).moves)
    print(found)  # noqa: T201 -- the way to what is wrong, for whoever reads the run with -s
    return found


SHORT = [(1, 3, 1), (2, 2, 1)]
LONG = [(1, 3, 2), (2, 3, 1)]
"""Jobs, grants, losses."""


@pytest.mark.rule("S10", "I1", "I4")
@pytest.mark.timeout(1800)
def test_no_order_of_steps_commits_twice_or_lets_a_stale_worker_change_anything(is_long: bool) -> None:
    for jobs, grants, losses in SHORT + LONG * is_long:
        found = look(Rules(), jobs=jobs, grants=grants, losses=losses)
        assert found.wrong == "", found
        assert found.states > 5_000  # it did search


WITHOUT = {
    "the token in a settle": (Rules(settle_checks_token=False), "a late settle freed another's slot"),
    "the attempt in a write": (Rules(write_checks_attempt=False), "a stale worker changed the store"),
    "the state in a write": (Rules(write_checks_state=False), "a second attempt is committed"),
    "the store's numbers": (Rules(attempt_from_store=False), "a stale worker changed the store"),
    "the store's numbers, strictly": (
        Rules(attempt_from_store=False, strict_fence=True),
        "good work is refused",
    ),
    "the wait after a loss": (Rules(waits_after_loss=False), "2 downloads under way with 1 slot"),
    "the worker's own clock": (Rules(stops_by_its_own_clock=False), "2 downloads under way with 1 slot"),
    "silence of a worker whose time has passed": (
        Rules(renews_only_while_trusted=False),
        "2 downloads under way with 1 slot",
    ),
}


@pytest.mark.parametrize("rule", WITHOUT)
def test_without_each_guard_the_search_finds_what_it_prevents(rule: str) -> None:
    rules, wrong = WITHOUT[rule]
    found = look(rules)
    assert found.wrong == wrong, found
