"""W3: a worker that runs 8 jobs is killed with signal 9 while another is idle. How long until they run again?

callspool's lease is 5 s here, a setting; the peers' limits are their defaults. The peers wait side by side, since
all that they do is wait.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.journal import Kind, Reader
from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, figure
from benchmarks.run import DidNotRun, Process, kill, submit, wait, worker
from benchmarks.servers import Unavailable
from benchmarks.subject import Listed
from benchmarks.workload import workload

_LOAD: Final = workload("w3")
_NAME: Final = "w3.recovery"
_LIMIT_S: Final = 150.0
_START_LIMIT_S: Final = 30.0
_NEEDED_S: Final = 10.0


@dataclass(slots=True)
class _Trial:
    """One subject whose worker has been killed."""

    reader: Reader
    other: Process
    killed_at: float

    def recovered_s(self) -> float | None:
        """Return how long after the kill the last of the jobs began again; None while one has not."""
        self.reader.read()
        again: dict[int, float] = {}
        for event in self.reader.events:
            if event.kind is Kind.START and event.at > self.killed_at:
                again.setdefault(event.task, event.at)
        return max(again.values()) - self.killed_at if len(again) == len(_LOAD.tasks) else None

    def wait(self, until: float) -> float | None:
        """Wait for that until a time of the monotonic clock."""
        left = max(0.1, until - time.monotonic())
        wait(self.other, self.reader, lambda: self.recovered_s() is not None, left)
        return self.recovered_s()

    def note(self) -> str:
        """Say how far it came."""
        later = {e.task for e in self.reader.events if e.kind is Kind.START and e.at > self.killed_at}
        waited = time.monotonic() - self.killed_at
        return f"{len(later)} of {len(_LOAD.tasks)} jobs ran again within {waited:.0f} s"


def _measure(context: Context) -> list[Figure]:
    subjects = context.subjects(())
    return [_ours(context, one) for one in subjects if one.name == OURS] + _theirs(
        context, [one for one in subjects if one.name != OURS]
    )


def _ours(context: Context, subject: Listed) -> Figure:
    noise, values, note = Noise(), list[float](), ""
    for _ in range(context.runs_of(subject, 3)):
        if context.left_s() < _NEEDED_S:
            note = "no time was left for it in this quick run"
            break
        context.tell(f"w3: {subject.title}")
        with noise.watched(), ExitStack() as stack:
            trial = _kill(context, subject, stack)
            took = trial.wait(_until(context, trial))
        if took is None:
            note = trial.note()
            break
        values.append(took)
    bar = Bar(f"at most the lease time ({_LOAD.lease_s:g} s) and 1 s", _LOAD.lease_s + 1)
    return bar.judge(replace(figure(_NAME, subject.title, values, "s", note), noise=str(noise)), noise)


def _theirs(context: Context, subjects: Sequence[Listed]) -> list[Figure]:
    found: list[Figure] = []
    trials: list[tuple[Listed, _Trial]] = []
    with ExitStack() as stack:
        for subject in subjects:
            context.tell(f"w3: {subject.title} is killed")
            try:
                if subject.missing:
                    raise Unavailable(subject.missing)
                trials.append((subject, _kill(context, subject, stack)))
            except (DidNotRun, Unavailable) as error:
                found.append(figure(_NAME, subject.title, [], "s", f"did not run: {error}"))
        for subject, trial in trials:
            context.tell(f"w3: {subject.title} recovers")
            try:
                took = trial.wait(_until(context, trial))
            except DidNotRun as error:
                found.append(figure(_NAME, subject.title, [], "s", str(error)))
                continue
            found.append(figure(_NAME, subject.title, [took] if took else [], "s", "" if took else trial.note()))
    return found


def _until(context: Context, trial: _Trial) -> float:
    """Return until when to wait for it: in a quick run no longer than that lasts."""
    return min(trial.killed_at + _LIMIT_S, time.monotonic() + context.left_s())


def _kill(context: Context, subject: Listed, stack: ExitStack) -> _Trial:
    server, folder = stack.enter_context(context.lab.server(subject))
    submit(subject, _LOAD, server, folder, limit_s=min(_START_LIMIT_S, context.left_s()))
    reader = Reader(folder)
    first = stack.enter_context(worker(subject, _LOAD, server, folder))
    limit_s = min(_START_LIMIT_S, context.left_s())
    if not wait(first, reader, lambda: len(reader.tasks(Kind.START)) == len(_LOAD.tasks), limit_s):
        raise DidNotRun(f"it had not begun all jobs after {limit_s:.0f} s")
    before = reader.writers()
    other = stack.enter_context(worker(subject, _LOAD, server, folder))
    wait(other, reader, lambda: reader.writers() > before, min(_START_LIMIT_S, context.left_s()))
    killed_at = time.monotonic()
    kill(first)
    return _Trial(reader, other, killed_at)


W3: Final = Experiment("w3", {_NAME: "W3: from kill -9 until all jobs run again"}, _measure)
