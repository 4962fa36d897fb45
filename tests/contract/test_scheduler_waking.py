"""Who waits is woken as soon as there is something for it: read from the wake-up lists, so nobody asks anyway here."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fixtures.raw import End, Grant, Raw, Request


class Workers:
    """Workers by their names, on one tenant and one account."""

    def __init__(self, raw: Raw) -> None:
        self.raw, self._requests, self._names = raw, 0, set[str]()
        raw.call("open")
        raw.call("set_pool", "main", 100, 0)
        raw.call("set_tenant", "acme", 100, 1, 0)

    def turn(self, worker: str, room: int, *ends: End, lease_ms: int = 60_000) -> tuple[int, list[Grant]]:
        """Take a turn; return when something comes due and what was granted."""
        self._requests += 1
        self._names.add(worker)
        due_ms, grants = self.raw.turn(Request(f"r{self._requests}", worker, room, ends, lease_ms))
        return due_ms, list(grants)

    def wait(self, *workers: str) -> None:
        """Let them wait, the last one heard of last."""
        for worker in workers:
            assert self.turn(worker, 1)[1] == []
            before = self.raw.client.time()
            while self.raw.client.time()[1] // 1000 == before[1] // 1000:
                pass  # two that were heard of in one millisecond are in no order
        assert self.woken() == []

    def pass_time(self, worker: str, ms: int) -> None:
        """Wait as a worker does that nobody wakes."""
        assert ms > 0
        assert self.raw.client.blpop([self.raw.key(f"wake:{worker}")], timeout=(ms + 1) / 1000) is None

    def take(self, worker: str, room: int = 1) -> list[str]:
        """Return what it is granted."""
        return [grant.job for grant in self.turn(worker, room)[1]]

    def submit(self, *jobs: str, delay_ms: int = 0) -> None:
        self.raw.submit(*((job, "main", "acme", "bulk", delay_ms) for job in jobs))

    def woken(self) -> list[str]:
        """Return who was woken since the last look, once for each wake-up."""
        found = []
        for worker in sorted(self._names):
            key = self.raw.key(f"wake:{worker}")
            found += [worker] * self.raw.client.llen(key)
            self.raw.client.delete(key)
        return found


@pytest.fixture
def workers(valkey: str) -> Iterator[Workers]:
    raw = Raw(valkey)
    yield Workers(raw)
    raw.close()


def done(grant: Grant) -> End:
    return End(grant.job, grant.token)


@pytest.mark.rule("I5")
def test_freed_slots_that_their_worker_does_not_use_wake_as_many_who_were_heard_of_last(workers: Workers) -> None:
    workers.raw.call("set_tenant", "acme", 3, 1, 0)
    workers.submit(*(f"j{n}" for n in range(9)))
    _, held = workers.turn("busy", 3)
    workers.wait("d", "c", "b", "a")
    workers.turn("busy", 0, done(held[0]))
    assert workers.woken() == ["a"]
    assert workers.take("a") == ["j3"]
    workers.turn("busy", 0, *map(done, held[1:]))
    assert workers.woken() == ["b", "c"]
    assert workers.take("b") + workers.take("c") == ["j4", "j5"]


def test_a_freed_slot_that_its_worker_uses_itself_wakes_nobody(workers: Workers) -> None:
    workers.raw.call("set_tenant", "acme", 1, 1, 0)
    workers.submit("j0", "j1", "j2")
    _, (held,) = workers.turn("busy", 1)
    workers.wait("idle")
    _, (held,) = workers.turn("busy", 1, done(held))
    assert (held.job, workers.woken()) == ("j1", [])


@dataclass(frozen=True, slots=True)
class Change:
    """What lets one more job run: how it was, and the call."""

    before: tuple[str | int, ...]
    after: tuple[str | int, ...]


CHANGES = {
    "more slots of a tenant": Change(("set_tenant", "acme", 1, 1, 0), ("set_tenant", "acme", 2, 1, 0)),
    "a tenant's pause is lifted": Change(("set_tenant", "acme", 2, 1, 1), ("set_tenant", "acme", 2, 1, 0)),
    "a higher limit of an account": Change(("set_pool", "main", 1, 0), ("set_pool", "main", 2, 0)),
    "an account's pause is lifted": Change(("set_pool", "main", 2, 1), ("set_pool", "main", 2, 0)),
    "the shard is open again": Change(("close",), ("open",)),
}


@pytest.mark.rule("I5")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_lets_a_job_run_that_waits_wakes_a_worker(workers: Workers, change: Change) -> None:
    workers.submit("j0", "j1")
    workers.turn("busy", 1)
    workers.raw.call(*change.before)
    workers.wait("idle")
    workers.raw.call(*change.after)
    assert workers.woken() == ["idle"]
    assert workers.take("idle") == ["j1"]


@pytest.mark.parametrize("known", ["unknown", "deferred"])
def test_a_job_that_someone_waits_for_wakes_a_worker(workers: Workers, known: str) -> None:
    if known == "deferred":
        workers.submit("j0", delay_ms=60_000)
    workers.wait("idle")
    workers.raw.call("promote", "j0", "main", "acme")
    assert workers.woken() == ["idle"]
    assert workers.take("idle") == ["j0"]


def test_as_many_are_woken_as_jobs_come(workers: Workers) -> None:
    workers.wait("c", "b", "a")
    workers.submit("j0", "j1")
    assert workers.woken() == ["a", "b"]
    workers.submit("j2")
    assert workers.woken() == ["c"]


def test_nobody_is_woken_while_nothing_can_run(workers: Workers) -> None:
    workers.raw.call("set_tenant", "acme", 1, 1, 0)
    workers.submit("j0", "j1")
    _, (held,) = workers.turn("busy", 1)
    workers.wait("idle")
    workers.submit("j2")
    workers.raw.call("set_pool", "main", 50, 0)
    workers.raw.call("promote", "j3", "main", "acme")
    assert workers.woken() == []
    workers.turn("busy", 0, done(held))
    assert workers.woken() == ["idle"]


@pytest.mark.rule("S7", "F4", "I5")
def test_who_waits_is_told_when_a_dead_workers_lease_ends(workers: Workers) -> None:
    workers.raw.call("set_tenant", "acme", 1, 1, 0)
    workers.submit("j0")
    workers.turn("dead", 1, lease_ms=500)
    due_ms, grants = workers.turn("idle", 1)
    assert grants == []
    assert 0 < due_ms <= 500
    # Nobody calls meanwhile, so nobody can wake it: it asks when it was told to.
    workers.pass_time("idle", due_ms)
    assert workers.take("idle") == ["j0"]


@pytest.mark.rule("S7", "F4", "I5")
def test_a_dead_workers_slot_wakes_who_waits_when_another_finds_it(workers: Workers) -> None:
    workers.raw.call("set_tenant", "acme", 1, 1, 0)
    workers.submit("j0", "j1")
    workers.turn("dead", 1, lease_ms=500)
    workers.wait("idle")
    due_ms, _ = workers.turn("full", 0)
    workers.pass_time("full", due_ms)
    workers.turn("full", 0)
    assert workers.woken() == ["idle"]
    assert workers.take("idle") == ["j0"]


def test_who_waits_is_told_when_what_was_put_off_is_due_and_when_a_rest_ends(workers: Workers) -> None:
    workers.submit("j0")
    workers.submit("later", delay_ms=40_000)
    _, (held,) = workers.turn("busy", 1)
    due_ms, _ = workers.turn("idle", 1)
    assert 30_000 < due_ms <= 40_000
    workers.turn("busy", 0, End(held.job, held.token, "defer", 50_000, pause_ms=20_000))
    due_ms, _ = workers.turn("idle", 1)
    assert 10_000 < due_ms <= 20_000


def test_each_that_comes_after_a_rest_wakes_the_next(workers: Workers) -> None:
    workers.submit(*(f"j{n}" for n in range(9)))
    _, (held,) = workers.turn("busy", 1)
    workers.turn("busy", 0, End(held.job, held.token, "defer", 60_000, pause_ms=500))
    workers.wait("a", "b", "c")
    due_ms, _ = workers.turn("first", 0)
    workers.pass_time("first", due_ms)
    woken, granted = ["first"], []
    while woken:
        (worker,) = woken
        granted += workers.take(worker)
        woken = workers.woken()
    assert granted == ["j1", "j2", "j3", "j4"]
