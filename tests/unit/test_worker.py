"""The worker's promises: nothing is lost, nothing is written late, nobody waits."""

import asyncio
import errno
import gzip
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from callspool.audio.probe import SubprocessProber
from callspool.domain.backoff import NOT_READY_LIMIT
from callspool.domain.errors import NotFound, VaultUnavailable
from callspool.domain.ids import RecordingId
from callspool.domain.job import Signal, Stop, Verdict
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call, Event, Kept, Recording, State, Unverified
from callspool.fetch.outcome import Outcome
from callspool.fetch.worker import Worker
from callspool.providers.twilio import Twilio
from callspool.settings import Settings
from callspool.vault.disk import DiskVault
from callspool.vault.keys import rendition_key, vault_key
from tests.fixtures import made
from tests.fixtures.memory import MemoryConsumer, MemoryStore, RealTime, Rings
from tests.fixtures.wire import Answer, Asked, Reply, Wire, serve

AUDIO = made.wav(2.0)


async def plays(asked: Asked, reply: Reply) -> None:
    """Answer with a whole recording."""
    await reply.whole("200 OK", AUDIO)


class Rig:
    """A worker between a raw provider, a real vault, and a scheduler and store in memory."""

    def __init__(self, tmp_path: Path, wire: Wire, prober: SubprocessProber, **settings: Any) -> None:
        self.wire = wire
        self.consumer = MemoryConsumer()
        self.clock = RealTime()
        self.store = MemoryStore(made.account(base_url=wire.url), self.clock.now)
        self.vault = DiskVault(tmp_path / "vault")
        self.rings = Rings()
        self.twilio = Twilio(stall_timeout=timedelta(seconds=5))
        self.outcomes: list[Outcome] = []
        self.spool = tmp_path / "spool"
        self.folder = tmp_path
        self.worker = Worker(
            worker_id="w1",
            store=self.store,  # type: ignore[arg-type]
            consumer=self.consumer,
            bulletin=self.rings,
            provider_of={"twilio": self.twilio},
            vault=self.vault,
            prober=prober,
            clock=self.clock,
            settings=Settings.read({}, retry_scale=0.001, spool_reserve=0, drain_grace=timedelta(0), **settings),
            spool=self.spool,
            random=Random(7),
            observe=self.outcomes.append,
        )
        self.task = asyncio.create_task(self.worker.run())

    def add(self, number: int = 1, **changes: Any) -> Recording:
        """Insert a recording and submit its job."""
        # Who called whom is known, so that the wire is asked for nothing but audio.
        given = {"id": RecordingId(f"rec_{number:032x}"), "call": Call("+15550001", "+15550002", "inbound"), **changes}
        row = self.store.add(made.recording(**given))
        self.consumer.submit(row)
        return row

    def row(self, recording: Recording) -> Recording:
        return self.store.rows[recording.id]

    async def until_settled(self, count: int = 1) -> None:
        await self.consumer.until(lambda: len(self.consumer.settled) >= count)

    async def until_state(self, recording: Recording, state: State) -> None:
        await self.consumer.until(lambda: self.row(recording).state is state and not self.consumer.leases)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self.worker.drain()
        async with asyncio.timeout(20):
            await self.task
        await self.twilio.close()

    def vault_files(self) -> list[Path]:
        """Return the audio, without what is kept beside it."""
        return [path for path in (self.folder / "vault").rglob("*") if path.is_file() and path.suffix != ".peaks"]

    def spool_files(self) -> list[Path]:
        return list(self.spool.rglob("*.part"))


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Return a function that starts a rig; what it started ends with the test."""
    async with AsyncExitStack() as stack:
        prober = SubprocessProber()
        stack.push_async_callback(prober.close)

        async def begin(answer: Answer = plays, **settings: Any) -> Rig:
            wire = await stack.enter_async_context(serve(answer))
            rig = Rig(tmp_path, wire, prober, **settings)
            stack.push_async_callback(rig.stop)
            return rig

        yield begin


@pytest.mark.rule("F24", "I3")
async def test_a_recording_is_fetched_proven_and_kept_as_what_it_is(start: Start) -> None:
    rig = await start()
    row = rig.add(announced_duration_s=2.0)
    await rig.until_settled()
    kept = rig.row(row).kept
    assert kept is not None
    assert rig.row(row).state is State.READY
    assert (kept.sha256, kept.size) == (hashlib.sha256(AUDIO).hexdigest(), len(AUDIO))
    assert (kept.content_type, kept.duration_s, kept.verified) == ("audio/wav", 2.0, True)
    assert kept.vault_key.endswith("-1.wav")
    file = await rig.vault.open(kept.vault_key)
    assert await file.read(0, file.size) == AUDIO
    await file.close()
    assert rig.consumer.settled[0].verdict is Verdict.DONE
    assert rig.spool_files() == []
    assert [outcome.state for outcome in rig.outcomes] == [State.READY]
    assert rig.rings.count >= 2


@pytest.mark.parametrize("fault", ["", "404", "500", "silent", "no-json"])
async def test_who_called_whom_is_noted_beside_the_download_and_not_knowing_it_costs_nothing(
    start: Start, fault: str
) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        if "/Calls/" not in asked.target:
            await plays(asked, reply)
        elif fault == "silent":
            await reply.client_left()
        elif fault == "no-json":
            await reply.whole("200 OK", b"<html>")
        else:
            told = {"from": "+1 555 0100", "to": "client:anna", "direction": "inbound"}
            await reply.whole(f"{fault} Oops" if fault else "200 OK", json.dumps(told).encode())

    rig = await start(answer)
    row = rig.add(call=None)
    await rig.until_settled()

    assert rig.row(row).state is State.READY
    assert rig.row(row).call == (None if fault else Call("+15550100", "client:anna", "inbound"))
    assert len(rig.wire.asked) == 2


async def test_a_slow_answer_about_the_call_holds_up_no_recording_and_is_noted_when_it_comes(start: Start) -> None:
    answers = asyncio.Event()

    async def answer(asked: Asked, reply: Reply) -> None:
        if "/Calls/" in asked.target:
            await answers.wait()
            await reply.whole("200 OK", json.dumps({"from": "+1 555 0100", "to": "+1 555 0101"}).encode())
        else:
            await plays(asked, reply)

    rig = await start(answer)
    row = rig.add(call=None)
    await rig.until_settled()
    assert (rig.row(row).state, rig.row(row).call) == (State.READY, None)
    answers.set()
    await rig.until(lambda: rig.row(row).call is not None)


async def test_slow_answers_about_calls_are_no_more_at_once_than_the_account_allows(start: Start) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await (reply.client_left() if "/Calls/" in asked.target else plays(asked, reply))

    rig = await start(answer)
    rig.store._account = replace(rig.store._account, limit=2)
    for number in range(1, 6):
        rig.add(number, call=None)
    await rig.until_settled(5)
    assert len([asked for asked in rig.wire.asked if "/Calls/" in asked.target]) == 2


async def test_slow_down_from_the_calls_is_told_of_the_account(start: Start) -> None:
    refused = asyncio.Event()

    async def answer(asked: Asked, reply: Reply) -> None:
        if "/Calls/" in asked.target:
            await reply.whole("429 Too Many Requests")
            refused.set()
        else:
            await refused.wait()
            await plays(asked, reply)

    rig = await start(answer)
    row = rig.add(call=None)
    await rig.until_settled()
    assert rig.row(row).state is State.READY
    (settled,) = rig.consumer.settled
    assert (settled.verdict, settled.signal) == (Verdict.DONE, Signal.THROTTLED)


@pytest.mark.rule("S3", "S10")
async def test_a_download_that_must_begin_again_is_a_try_of_the_scheduler(start: Start) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": str(len(AUDIO))}, AUDIO if len(rig.wire.asked) > 2 else b"RIFF")

    rig = await start(answer)
    row = rig.add(announced_duration_s=2.0)
    await rig.until_state(row, State.READY)
    assert (rig.row(row).tries, len(rig.wire.asked)) == (2, 3)
    assert [each.verdict for each in rig.consumer.settled] == [Verdict.DEFER, Verdict.DEFER, Verdict.DONE]


@pytest.mark.rule("F23")
async def test_without_an_announced_duration_it_is_kept_as_unverified(start: Start) -> None:
    rig = await start()
    row = rig.add(announced_duration_s=None)
    await rig.until_settled()
    kept = rig.row(row).kept
    assert kept is not None
    assert kept.verified is False


async def test_many_recordings_run_at_once_and_never_more_than_the_concurrency(start: Start) -> None:
    rig = await start(concurrency=4)
    rows = [rig.add(number) for number in range(1, 31)]
    await rig.until_settled(30)
    assert {rig.row(row).state for row in rows} == {State.READY}
    assert rig.consumer.most_running == 4
    assert rig.wire.most_open <= 4
    assert len(rig.wire.asked) == 30


@pytest.mark.rule("S3", "F14")
async def test_not_ready_yet_is_a_deferral_that_counts_apart_and_frees_the_worker(start: Start) -> None:
    asked_for: list[str] = []

    async def answer(asked: Asked, reply: Reply) -> None:
        asked_for.append(asked.target)
        if len(asked_for) <= 3:
            await reply.whole("404 Not Found", b"{}")
        else:
            await plays(asked, reply)

    rig = await start(answer)
    row = rig.add()
    await rig.until_state(row, State.READY)
    assert (rig.row(row).not_ready, rig.row(row).tries) == (3, 0)
    assert [each.verdict for each in rig.consumer.settled] == [Verdict.DEFER] * 3 + [Verdict.DONE]


@pytest.mark.rule("S3")
async def test_a_worker_waits_for_nobody(start: Start) -> None:
    """One seat: a job that is put off for ever does not keep the next one waiting."""

    async def answer(asked: Asked, reply: Reply) -> None:
        if len(rig.wire.asked) == 1:
            await reply.whole("429 Too Many Requests", b"", retry_after="600")
        else:
            await plays(asked, reply)

    rig = await start(answer, concurrency=1)
    first, second = rig.add(1), rig.add(2)
    await rig.until_settled(2)
    assert rig.row(first).state is State.QUEUED
    assert rig.row(second).state is State.READY
    assert rig.consumer.settled[0].delay_ms == rig.consumer.settled[0].pause_pool_ms
    assert 600_000 <= rig.consumer.settled[0].delay_ms <= 660_000


async def test_a_provider_that_never_has_it_ends_as_not_found(start: Start) -> None:
    rig = await start(lambda asked, reply: reply.whole("404 Not Found"))
    row = rig.add()
    await rig.until_state(row, State.FAILED)
    assert rig.row(row).reason is Reason.NOT_FOUND
    assert len(rig.wire.asked) == NOT_READY_LIMIT + 1


@pytest.mark.rule("S3")
async def test_after_five_retries_it_fails_with_its_reason(start: Start) -> None:
    rig = await start(lambda asked, reply: reply.whole("500 Oops"))
    row = rig.add()
    await rig.until_state(row, State.FAILED)
    assert (rig.row(row).reason, rig.row(row).tries) == (Reason.PROVIDER_ERROR, 6)
    assert len(rig.wire.asked) == 6
    assert rig.outcomes[-1].state is State.FAILED


@pytest.mark.parametrize(("status", "reason"), [("410 Gone", Reason.GONE), ("403 Forbidden", Reason.FORBIDDEN)])
async def test_what_cannot_change_fails_at_once(start: Start, status: str, reason: Reason) -> None:
    rig = await start(lambda asked, reply: reply.whole(status))
    row = rig.add()
    await rig.until_state(row, State.FAILED)
    assert rig.row(row).reason is reason
    assert len(rig.wire.asked) == 1


async def test_refused_credentials_pause_the_account_and_use_up_nothing(start: Start) -> None:
    rig = await start(lambda asked, reply: reply.whole("401 Unauthorized"))
    row = rig.add()
    await rig.until_settled(10)
    assert (rig.row(row).tries, rig.row(row).not_ready) == (0, 0)
    assert rig.row(row).reason is Reason.UNAUTHORIZED
    pauses = [each.pause_pool_ms for each in rig.consumer.settled]
    assert all(54 <= pause <= 60 for pause in pauses)  # a minute, scaled by 0.001
    assert len(set(pauses)) > 1  # and jittered


@pytest.mark.rule("F10", "F26")
async def test_an_error_page_with_status_200_is_never_kept(start: Start) -> None:
    rig = await start(lambda asked, reply: reply.whole("200 OK", b"<html>sorry</html>" * 1000))
    row = rig.add()
    await rig.until_state(row, State.FAILED)
    assert rig.row(row).reason is Reason.NOT_AUDIO
    assert rig.vault_files() == []


@pytest.mark.rule("I3")
async def test_a_dual_recording_that_comes_in_one_channel_is_never_kept(start: Start) -> None:
    rig = await start()
    row = rig.add(announced_duration_s=2.0, announced_channels=2)
    await rig.until_state(row, State.FAILED)
    assert rig.row(row).reason is Reason.WRONG_CHANNELS
    assert rig.vault_files() == []


@pytest.mark.rule("I3")
async def test_a_dual_recording_whose_channels_are_refused_is_kept_in_one_and_marked(start: Start) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        refused = "RequestedChannels" in asked.target
        await reply.whole("400 Bad Request" if refused else "200 OK", b'{"code": 16113}' if refused else AUDIO)

    rig = await start(answer)
    row = rig.add(announced_duration_s=2.0, announced_channels=2)
    await rig.until_settled()
    kept = rig.row(row).kept
    assert kept is not None
    assert (kept.channels, kept.verified, kept.unverified) == (1, False, (Unverified.CHANNELS,))


@pytest.mark.rule("I3", "F26")
async def test_half_a_recording_politely_closed_is_never_kept(start: Start) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Connection": "close"}, AUDIO[: len(AUDIO) // 2])

    rig = await start(answer)
    row = rig.add()
    await rig.until_state(row, State.FAILED)
    assert rig.row(row).reason is Reason.TRUNCATED
    assert rig.vault_files() == []


@pytest.mark.rule("I3")
@pytest.mark.parametrize("framing", ["too-short-a-length", "too-long-a-length", "chunks-without-an-end"])
async def test_a_body_whose_framing_lies_is_never_kept(start: Start, framing: str) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        if framing == "chunks-without-an-end":
            await reply.send("200 OK", {"Transfer-Encoding": "chunked"}, b"%x\r\n%b\r\n" % (len(AUDIO), AUDIO))
        else:
            length = len(AUDIO) + (1000 if framing == "too-long-a-length" else -1000)
            await reply.send("200 OK", {"Content-Length": str(length)}, AUDIO)

    rig = await start(answer)
    row = rig.add(announced_duration_s=2.0)
    await rig.until_state(row, State.FAILED)
    assert rig.row(row).reason in (Reason.TRUNCATED, Reason.INTERRUPTED)
    assert rig.vault_files() == []


def holding(release: asyncio.Event) -> Answer:
    """Answer with the beginning of a recording, and with the rest when told."""

    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": str(len(AUDIO))}, AUDIO[:1000])
        await release.wait()
        await reply.more(AUDIO[1000:])

    return answer


@pytest.mark.rule("I4")
async def test_a_lost_lease_ends_the_work_and_nothing_is_written(start: Start) -> None:
    rig = await start(holding(asyncio.Event()))
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    events = list(rig.store.events)
    rig.consumer.stop(rig.consumer.leases[row.id], Stop.LOST)
    await rig.until(lambda: rig.wire.open == 0 or rig.spool_files() == [])
    rig.add(2, announced_duration_s=None)
    await rig.until(lambda: len(rig.wire.asked) == 2)
    assert [event for event in rig.store.events if event[0] == row.id] == events
    assert rig.consumer.received == []
    assert rig.vault_files() == []


@pytest.mark.rule("I4")
async def test_a_stale_attempt_changes_nothing_and_leaves_no_file(start: Start) -> None:
    release = asyncio.Event()
    rig = await start(holding(release))
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    rig.store.rows[row.id] = replace(rig.row(row), attempt=2)  # another worker took it over
    release.set()
    await rig.until_settled()
    assert (rig.row(row).state, rig.row(row).attempt) == (State.FETCHING, 2)
    assert rig.vault_files() == []


class Gate:
    """Holds the first call of a method, before or after its work, until it is opened; later calls pass."""

    def __init__(self, method: Callable[..., Any], *, after: bool = False) -> None:
        self._method = method
        self._after = after
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self, *args: Any, **given: Any) -> Any:
        is_first = not self.reached.is_set()
        if not is_first:
            return await self._method(*args, **given)
        self.reached.set()
        if self._after:
            result = await self._method(*args, **given)
            await self.opened.wait()
            return result
        await self.opened.wait()
        return await self._method(*args, **given)


POINTS = {
    "before-the-proof": ("prober", "probe", False),
    "before-the-vault": ("vault", "put", False),
    "after-the-vault": ("vault", "put", True),
    "before-the-waveform": ("vault", "put_bytes", False),
    "before-the-commit": ("store", "keep", False),
    "after-the-commit-that-was-not-heard": ("store", "keep", True),
}


@pytest.mark.rule("I3", "I4", "S10")
@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_that_wakes_late_at_any_point_changes_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Frozen there past its lease; meanwhile another has fetched the recording under the next attempt."""
    rig = await start()
    row = rig.add(announced_duration_s=2.0)
    part, method, after = POINTS[point]
    target = rig.worker._prober if part == "prober" else getattr(rig, part)
    gate = Gate(getattr(target, method), after=after)
    monkeypatch.setattr(target, method, gate)
    async with asyncio.timeout(20):
        await gate.reached.wait()
    if after and part == "store":
        await rig.until(lambda: rig.row(row).state is State.READY)  # its commit stands: nobody fetches it again
        winner = rig.row(row)
    else:
        newer = vault_key(row.tenant_id, row.id, 2, "wav")
        (tmp_path / "theirs").write_bytes(AUDIO)
        await rig.vault.put(newer, tmp_path / "theirs")
        await DiskVault.put_bytes(rig.vault, rendition_key(newer, "peaks"), b"theirs")
        kept = Kept(newer, hashlib.sha256(AUDIO).hexdigest(), len(AUDIO), "audio/wav", 1, 8000, 2.0, verified=True)
        winner = rig.store.rows[row.id] = replace(rig.row(row), state=State.READY, attempt=2, kept=kept)
    gate.opened.set()
    await rig.until_settled()
    assert rig.row(row) == winner
    assert winner.kept is not None
    assert [path.name for path in rig.vault_files()] == [winner.kept.vault_key.rpartition("/")[2]]
    peaks = await rig.vault.read_all(rendition_key(winner.kept.vault_key, "peaks"))
    assert (peaks == b"theirs") is (winner.attempt == 2)
    assert [path.name for path in (tmp_path / "vault").rglob("*.peaks")] == [
        f"{winner.kept.vault_key.rpartition('/')[2]}.peaks"
    ]


async def test_a_cancelled_job_ends_and_is_settled(start: Start) -> None:
    rig = await start(holding(asyncio.Event()))
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    rig.consumer.stop(rig.consumer.leases[row.id], Stop.CANCELLED)
    await rig.until_settled()
    assert rig.consumer.settled[0].verdict is Verdict.DONE
    assert rig.spool_files() == []


async def test_a_worker_with_no_room_left_hears_a_cancellation_at_once(start: Start) -> None:
    rig = await start(holding(asyncio.Event()), concurrency=1)
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    rig.consumer.cancel(row.id)
    await rig.until_settled()
    assert rig.consumer.settled[0].verdict is Verdict.DONE


async def test_a_job_that_runs_again_here_after_its_lease_was_lost_ends_well(start: Start) -> None:
    release = asyncio.Event()
    rig = await start(holding(release))
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    rig.consumer.leases.clear()  # it ran out; nobody told this worker yet
    rig.consumer.submit(row)
    await rig.until(lambda: len(rig.wire.asked) == 2)
    release.set()
    await rig.until_state(row, State.READY)
    assert rig.row(row).attempt == 2
    assert len(rig.vault_files()) == 1


@pytest.mark.rule("I5")
async def test_what_is_told_late_of_an_earlier_lease_ends_nothing_of_a_later_one(start: Start) -> None:
    release = asyncio.Event()
    rig = await start(holding(release))
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    earlier = rig.consumer.leases.pop(row.id)
    rig.consumer.submit(row)
    await rig.until(lambda: len(rig.wire.asked) == 2)
    later = rig.consumer.leases[row.id]
    rig.consumer.stop(earlier, Stop.LOST)  # it was on its way when the job was leased here again
    release.set()
    await rig.until_settled()
    assert rig.consumer.settled[0].token == later.token
    assert rig.row(row).state is State.READY


async def test_what_runs_may_finish_within_the_grace(start: Start) -> None:
    release = asyncio.Event()
    rig = await start(holding(release), concurrency=1)
    rig.worker._settings = rig.worker._settings.model_copy(update={"drain_grace": timedelta(seconds=20)})
    row, late = rig.add(1), rig.add(2)
    await rig.until(lambda: rig.wire.open == 1)
    rig.worker.drain()
    release.set()
    await rig.task
    assert rig.row(row).state is State.READY
    assert rig.row(late).state is State.QUEUED
    assert [each.verdict for each in rig.consumer.settled] == [Verdict.DONE]


async def test_after_the_grace_it_is_handed_back_without_using_a_try(start: Start) -> None:
    rig = await start(holding(asyncio.Event()))
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    rig.consumer.holds_deferred = True
    await rig.stop()
    now = rig.row(row)
    assert (now.state, now.tries, now.not_ready, now.lost) == (State.QUEUED, 0, 0, 0)
    assert rig.store.events[-1][1] is Event.HAND_BACK
    assert [(each.verdict, each.delay_ms) for each in rig.consumer.settled] == [(Verdict.DEFER, 0)]
    assert list(rig.spool.glob("w1-*")) == []


@pytest.mark.parametrize("method", ["claim", "account", "keep"])
async def test_a_store_that_is_away_for_a_while_costs_only_time(start: Start, method: str) -> None:
    rig = await start()
    rig.store.fails[method] = 2
    row = rig.add()
    await rig.until_state(row, State.READY)
    assert (rig.row(row).tries, rig.row(row).lost, len(rig.wire.asked)) == (0, 0, 1)


@pytest.mark.rule("I3")
async def test_a_commit_whose_reply_was_lost_is_not_undone(start: Start) -> None:
    rig = await start()
    rig.store.loses_reply["keep"] = 1
    row = rig.add()
    await rig.until_settled()
    kept = rig.row(row).kept
    assert kept is not None
    file = await rig.vault.open(kept.vault_key)
    assert file.size == len(AUDIO)
    await file.close()
    assert [outcome.state for outcome in rig.outcomes] == [State.READY]


async def test_a_scheduler_that_is_away_for_a_while_loses_no_settlement(start: Start) -> None:
    release = asyncio.Event()
    rig = await start(holding(release))
    row = rig.add()
    await rig.until(lambda: rig.wire.open == 1)
    rig.consumer.is_away = True
    release.set()
    await rig.until(lambda: rig.row(row).state is State.READY)
    rig.consumer.is_away = False
    await rig.until_settled()
    assert rig.consumer.settled[0].verdict is Verdict.DONE


async def test_while_a_part_of_the_scheduler_is_unheard_a_worker_without_room_asks_too(start: Start) -> None:
    """What that part was handed, and what it may yet give, would else wait for the next download's end."""
    end = asyncio.Event()
    rig = await start(holding(end), concurrency=1)
    rig.consumer.unheard = "a part is away"
    rig.add()
    await rig.until(lambda: rig.consumer.rooms.count(0) >= 3)
    rig.consumer.unheard = ""
    end.set()
    await rig.until_settled()


async def test_what_ends_while_a_turn_is_under_way_is_settled_by_the_next(start: Start) -> None:
    release = asyncio.Event()
    rig = await start(holding(release))
    first, second = rig.add(1), rig.add(2)
    await rig.until(lambda: rig.wire.open == 2)
    rig.consumer.replies.clear()
    rig.consumer.submit(made.recording())  # a job of nobody: it makes the worker take a turn
    await rig.until(lambda: len(rig.consumer.leases) == 3)
    release.set()
    await rig.until(lambda: rig.row(first).state is rig.row(second).state is State.READY)
    rig.consumer.replies.set()
    await rig.until_settled(3)


async def test_a_vault_that_is_away_puts_the_recording_off(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await start()
    whole, failures = rig.vault.put, [1, 1]

    async def put(key: str, source: Path) -> None:
        if failures:
            failures.pop()
            raise VaultUnavailable("away, as the test wants it")
        await whole(key, source)

    monkeypatch.setattr(rig.vault, "put", put)
    row = rig.add()
    await rig.until_state(row, State.READY)
    assert rig.row(row).tries == 2
    assert [reason for _, event, reason in rig.store.events if event is Event.DEFER] == [Reason.VAULT_ERROR] * 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
async def test_a_full_disk_stops_claims_and_uses_up_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    rig = await start()
    rig.consumer.holds_deferred = True
    real = os.pwrite

    def full(*args: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", full)
    row = rig.add()
    await rig.until_settled()
    monkeypatch.setattr(os, "pwrite", real)
    now = rig.row(row)
    assert (now.state, now.tries, now.lost) == (State.QUEUED, 0, 0)
    assert now.reason is Reason.SPOOL_FULL
    assert rig.store.events[-1][1:] == (Event.HAND_BACK, Reason.SPOOL_FULL)
    assert rig.consumer.rooms[-1] == 0


async def test_too_little_free_disk_stops_claims(tmp_path: Path, start: Start) -> None:
    async with serve(plays) as wire:
        prober = SubprocessProber()
        rig = Rig(tmp_path, wire, prober)
        rig.worker._settings = rig.worker._settings.model_copy(update={"spool_reserve": 1 << 60})
        row = rig.add()
        await asyncio.wait([rig.task], timeout=0.2)
        assert rig.row(row).state is State.QUEUED
        assert sum(rig.consumer.rooms) == 0
        await rig.stop()


@pytest.mark.rule("F26")
async def test_what_another_worker_left_that_died_is_removed_while_this_one_works(start: Start) -> None:
    rig = await start(sweep_every=1)
    dead = rig.spool / "w0-dead"
    await rig.until(rig.spool.is_dir)
    dead.mkdir()
    (dead / ".lock").touch()
    (dead / "rec.part").write_bytes(AUDIO)
    await rig.until(lambda: not dead.exists())
    assert len(list(rig.spool.glob("w1-*"))) == 1


async def test_a_job_of_an_unknown_recording_is_settled(start: Start) -> None:
    rig = await start()
    rig.consumer.submit(made.recording())
    await rig.until_settled()
    assert rig.consumer.settled[0].verdict is Verdict.DONE
    with pytest.raises(NotFound):
        await rig.store.get(None, made.recording().id)


async def test_a_job_whose_recording_is_ready_already_is_settled_without_a_download(start: Start) -> None:
    rig = await start()
    row = rig.add()
    await rig.until_settled()
    rig.consumer.submit(row)
    await rig.until_settled(2)
    assert len(rig.wire.asked) == 1


@pytest.mark.parametrize(
    ("answer", "signal"),
    [
        ("404 Not Found", Signal.OK),
        ("410 Gone", Signal.OK),
        ("401 Unauthorized", Signal.REFUSED),
        ("429 Too Many Requests", Signal.THROTTLED),
        ("503 Service Unavailable", Signal.FAILED),
    ],
)
async def test_how_a_try_ends_tells_the_scheduler_how_the_account_does(
    start: Start, answer: str, signal: Signal
) -> None:
    rig = await start(lambda asked, reply: reply.whole(answer))
    rig.add()
    await rig.until_settled()
    assert rig.consumer.settled[0].signal is signal


async def test_a_good_download_tells_how_long_the_first_byte_took_and_how_long_all_of_it(start: Start) -> None:
    rig = await start()
    rig.add(announced_duration_s=2.0)
    await rig.until_settled()
    (settled,), (outcome,) = rig.consumer.settled, rig.outcomes
    assert (settled.signal, settled.latency_ms > 0) == (Signal.OK, True)
    assert outcome.seconds > 0


async def test_the_waveform_is_kept_beside_the_audio(start: Start) -> None:
    rig = await start()
    row = rig.add(announced_duration_s=2.0)
    await rig.until_settled()
    kept = rig.row(row).kept
    assert kept is not None
    waveform = json.loads(gzip.decompress(await rig.vault.read_all(rendition_key(kept.vault_key, "peaks"))))
    assert waveform["length"] == 100
