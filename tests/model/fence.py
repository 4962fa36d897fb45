"""Claim, settle, loss, expiry, late settle: everything that two workers can do to the jobs of a tenant with one slot.

The scheduler (Valkey) leases a job under a token; the store gives out the attempt number in its claiming UPDATE and
takes a result only under that number; a worker trusts its lease no longer than its own clock allows. Each of these
rules can be switched off in `Rules`, to see that the search then finds what it prevents.

One step is one atomic act of one part. A worker can be frozen between any two of its steps, and go on much later as
if nothing had been. Replies can be lost. Valkey can lose all it has. Time is not counted: "one lease time passes"
may happen whenever the workers that are awake have renewed since, or have stopped trusting.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from tests.model.search import Move

Holding = tuple[int, int]
"""A worker and a token."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What keeps the promises. Each can be switched off."""

    settle_checks_token: bool = True
    write_checks_attempt: bool = True
    write_checks_state: bool = True
    attempt_from_store: bool = True
    strict_fence: bool = False
    """Only with numbers from Valkey: a claim must bear a higher number than the stored one."""
    waits_after_loss: bool = True
    stops_by_its_own_clock: bool = True
    renews_only_while_trusted: bool = True


class Row(IntEnum):
    """A recording's state in the store."""

    QUEUED = 0
    FETCHING = 1
    READY = 2


class Stored(NamedTuple):
    """A recording."""

    state: Row = Row.QUEUED
    attempt: int = 0
    by: Holding | None = None
    """Whose claim was the latest. The store does not know this; the check does."""


class Phase(IntEnum):
    """How far a worker has come."""

    IDLE = 0
    ASKED = 1
    """It was granted a job and has not heard of it."""
    GRANTED = 2
    CLAIMED = 3
    ENDED = 4


class Worker(NamedTuple):
    """A worker, with the one job that it has."""

    phase: Phase = Phase.IDLE
    job: int = -1
    token: int = -1
    attempt: int = 0
    awake: bool = True
    trusts: bool = False
    lapsed: bool = False
    """Its lease time has passed since it last renewed: it sees so on its clock when it looks."""
    renewed: bool = False
    """Since the latest loss."""


class World(NamedTuple):
    """All there is."""

    rows: tuple[Stored, ...]
    waiting: tuple[bool, ...]
    leases: tuple[Holding | None, ...]
    workers: tuple[Worker, ...]
    mourning: bool
    counter: int
    """Valkey's own number, for the rule that does without the store's."""
    tokens: int
    grants_left: int
    losses_left: int


SLOTS: Final = 1


def begin(*, jobs: int, workers: int = 2, grants: int = 3, losses: int = 1) -> World:
    """Return the beginning: all jobs wait, nobody has begun."""
    return World(
        rows=(Stored(),) * jobs,
        waiting=(True,) * jobs,
        leases=(None,) * jobs,
        workers=(Worker(),) * workers,
        mourning=False,
        counter=0,
        tokens=0,
        grants_left=grants,
        losses_left=losses,
    )


def _at(values: tuple, index: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:index], value, *values[index + 1 :])


def downloading(world: World) -> int:
    """Count the downloads under way: those of workers that run and trust their lease."""
    return sum(w.awake and w.trusts and w.phase in (Phase.GRANTED, Phase.CLAIMED) for w in world.workers)


class Fenced:
    """The model under some rules: all that can happen in a world."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def moves(self, world: World) -> Iterator[Move[World]]:
        """Yield everything that can happen next."""
        for number, worker in enumerate(world.workers):
            if worker.awake:
                yield from self._grants(world, number, worker)
                yield from self._works(world, number, worker)
                yield from self._settles(world, number, worker)
                yield from self._renews(world, number, worker)
            yield from self._sleeps(world, number, worker)
        yield from self._time(world)
        yield from self._loss(world)

    def _move(self, name: str, world: World, wrong: str = "") -> Move[World]:
        if not wrong and downloading(world) > SLOTS:
            wrong = f"{downloading(world)} downloads under way with {SLOTS} slot"
        return Move(name, self._without_what_cannot_matter(world), wrong)

    def _without_what_cannot_matter(self, world: World) -> World:
        """Make worlds equal from which the same can follow: there are far fewer to search."""
        workers = tuple(
            w._replace(
                attempt=w.attempt if w.phase is Phase.CLAIMED or not self.rules.attempt_from_store else 0,
                lapsed=w.lapsed and (w.trusts or w.phase is Phase.ASKED),
                renewed=w.renewed and w.trusts and world.mourning,
            )
            for w in world.workers
        )
        counter = 0 if self.rules.attempt_from_store else world.counter
        return world._replace(workers=workers, counter=counter)

    def _grants(self, world: World, number: int, worker: Worker) -> Iterator[Move[World]]:
        if worker.phase is Phase.ASKED:  # the same request again: the reply is kept for as long as the lease
            known = world.leases[worker.job] == (number, worker.token) and not worker.lapsed
            heard = worker._replace(phase=Phase.GRANTED, trusts=True) if known else Worker()
            yield self._move(f"worker {number} asks again", self._with(world, number, heard))
        held = sum(lease is not None for lease in world.leases)
        if worker.phase is not Phase.IDLE or world.mourning or not world.grants_left or held >= SLOTS:
            return
        for job, waits in enumerate(world.waiting):
            if not waits:
                continue
            granted = world._replace(
                waiting=_at(world.waiting, job, False),
                leases=_at(world.leases, job, (number, world.tokens)),
                counter=world.counter + 1,
                tokens=world.tokens + 1,
                grants_left=world.grants_left - 1,
            )
            got = Worker(Phase.GRANTED, job, world.tokens, world.counter + 1, trusts=True, renewed=True)
            yield self._move(f"worker {number} is granted job {job}", self._with(granted, number, got))
            unheard = got._replace(phase=Phase.ASKED, trusts=False)
            name = f"worker {number} is granted job {job}, the reply is lost"
            yield self._move(name, self._with(granted, number, unheard))

    def _works(self, world: World, number: int, worker: Worker) -> Iterator[Move[World]]:
        """Yield what it does to the store. It may have been frozen since it last looked at its lease."""
        if worker.phase is Phase.GRANTED:
            yield self._claim(world, number, worker)
        elif worker.phase is Phase.CLAIMED:
            yield from self._keep(world, number, worker)
            yield self._move(f"worker {number} gives up", self._with(world, number, worker._replace(phase=Phase.ENDED)))

    def _claim(self, world: World, number: int, worker: Worker) -> Move[World]:
        name = f"worker {number} claims job {worker.job} in the store"
        row = world.rows[worker.job]
        if row.state is Row.READY:
            return self._move(name, self._with(world, number, worker._replace(phase=Phase.ENDED)))
        attempt = row.attempt + 1 if self.rules.attempt_from_store else worker.attempt
        if not self.rules.attempt_from_store:
            refused = attempt <= row.attempt if self.rules.strict_fence else attempt < row.attempt
            if refused:
                is_good = worker.trusts and world.leases[worker.job] == (number, worker.token)
                return self._move(name, world, "good work is refused" if is_good else "")
        claimed = Stored(Row.FETCHING, attempt, (number, worker.token))
        world = world._replace(rows=_at(world.rows, worker.job, claimed))
        return self._move(name, self._with(world, number, worker._replace(phase=Phase.CLAIMED, attempt=attempt)))

    def _keep(self, world: World, number: int, worker: Worker) -> Iterator[Move[World]]:
        name = f"worker {number} commits job {worker.job} as attempt {worker.attempt}"
        row = world.rows[worker.job]
        fits = (worker.attempt == row.attempt or not self.rules.write_checks_attempt) and (
            row.state is Row.FETCHING or not self.rules.write_checks_state
        )
        ended = self._with(world, number, worker._replace(phase=Phase.ENDED))
        if not fits:
            yield self._move(name, ended)
            return
        wrong = ""
        if row.state is Row.READY:
            wrong = "a second attempt is committed"
        elif row.by != (number, worker.token):
            wrong = "a stale worker changed the store"
        rows = _at(world.rows, worker.job, row._replace(state=Row.READY))
        yield self._move(name, ended._replace(rows=rows), wrong)
        yield self._move(f"{name}, the reply is lost", world._replace(rows=rows), wrong)

    def _settles(self, world: World, number: int, worker: Worker) -> Iterator[Move[World]]:
        """Yield the ends of its lease; it may settle much too late, and again."""
        if worker.phase in (Phase.IDLE, Phase.ASKED):
            return
        lease = world.leases[worker.job]
        mine = lease == (number, worker.token)
        after = world
        wrong = ""
        if lease is not None and (mine or not self.rules.settle_checks_token):
            wrong = "" if mine else "a late settle freed another's slot"
            done = world.rows[worker.job].state is Row.READY
            after = world._replace(
                leases=_at(world.leases, worker.job, None),
                waiting=_at(world.waiting, worker.job, not done),  # what is not kept is tried again
            )
        name = f"worker {number} settles job {worker.job}"
        yield self._move(name, self._with(after, number, Worker()), wrong)
        unheard = worker._replace(phase=Phase.ENDED, trusts=False)
        yield self._move(f"{name}, the reply is lost", self._with(after, number, unheard), wrong)

    def _renews(self, world: World, number: int, worker: Worker) -> Iterator[Move[World]]:
        if worker.phase in (Phase.IDLE, Phase.ASKED):
            return
        if worker.trusts or not self.rules.renews_only_while_trusted:
            name = f"worker {number} renews"
            renewed = worker._replace(trusts=True, lapsed=False, renewed=True)
            if world.leases[worker.job] == (number, worker.token):
                yield self._move(name, self._with(world, number, renewed))
            elif world.mourning:
                registered = world._replace(
                    leases=_at(world.leases, worker.job, (number, worker.token)),
                    waiting=_at(world.waiting, worker.job, False),
                )
                yield self._move(name, self._with(registered, number, renewed))
            else:
                yield self._move(name, self._with(world, number, worker._replace(trusts=False)))
        if worker.trusts and self.rules.stops_by_its_own_clock:
            name = f"worker {number} could not renew and stops"
            yield self._move(name, self._with(world, number, worker._replace(trusts=False)))

    def _sleeps(self, world: World, number: int, worker: Worker) -> Iterator[Move[World]]:
        if worker.phase is Phase.IDLE:
            return
        if worker.awake:
            yield self._move(f"worker {number} freezes", self._with(world, number, worker._replace(awake=False)))
            return
        # The first that it does is to look at its clock.
        trusts = worker.trusts and not (worker.lapsed and self.rules.stops_by_its_own_clock)
        yield self._move(
            f"worker {number} thaws", self._with(world, number, worker._replace(awake=True, trusts=trusts))
        )

    def _time(self, world: World) -> Iterator[Move[World]]:
        """Yield the ends of leases, and of the wait after a loss."""
        for job, lease in enumerate(world.leases):
            if lease is None:
                continue
            number, token = lease
            worker = world.workers[number]
            knows = worker.token == token and worker.job == job
            if knows and worker.awake and worker.trusts and self.rules.stops_by_its_own_clock:
                continue  # it renews, or has stopped by then
            expired = world._replace(leases=_at(world.leases, job, None), waiting=_at(world.waiting, job, True))
            if knows:
                expired = self._with(expired, number, worker._replace(lapsed=True))
            yield self._move(f"the lease of job {job} expires", expired)
        if world.mourning and all(w.renewed or not (w.awake and w.trusts) for w in world.workers):
            lapsed = tuple(w if w.renewed else w._replace(lapsed=True) for w in world.workers)
            name = "one lease time has passed since the loss"
            yield self._move(name, world._replace(mourning=False, workers=lapsed))

    def _loss(self, world: World) -> Iterator[Move[World]]:
        if world.losses_left:
            jobs = len(world.rows)
            lost = world._replace(
                waiting=(False,) * jobs,
                leases=(None,) * jobs,
                workers=tuple(w._replace(renewed=False) for w in world.workers),
                mourning=self.rules.waits_after_loss,
                counter=0,
                losses_left=world.losses_left - 1,
            )
            yield self._move("Valkey loses its data", lost)
        for job, row in enumerate(world.rows):
            known = world.waiting[job] or world.leases[job] is not None
            if not known and row.state is not Row.READY:
                yield self._move(f"job {job} is submitted again", world._replace(waiting=_at(world.waiting, job, True)))

    @staticmethod
    def _with(world: World, number: int, worker: Worker) -> World:
        return world._replace(workers=_at(world.workers, number, worker))
