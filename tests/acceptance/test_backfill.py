"""Completeness, on the real store, a real Valkey and the simulated provider: what no webhook told is found."""

import asyncio
import contextlib
import io
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx
import pytest
import structlog

from callspool.cli import main
from callspool.domain.backfill import Backfill, BackfillState, Step
from callspool.domain.job import Job, Lane, Place
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import Kept, State
from callspool.reconcile.reconciler import Reconciler
from callspool.wiring import make_backfiller
from tests.acceptance.lab import ACME, MAIN, TODAY, Lab, laboratory
from tests.acceptance.system import SID, System, system, until

KEPT = Kept("acme/rec/1.wav", "ab" * 32, 48_044, "audio/wav", 1, 8000, 3.0, verified=True)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with laboratory(tmp_path) as lab:
        yield lab


@pytest.mark.rule("I2")
async def test_what_no_callback_told_is_found_by_the_sliding_window(lab: Lab) -> None:
    lost = [lab.make(n / 4) for n in range(5)]
    in_progress = lab.make(0, status="in-progress")
    told = lab.make(0.5)
    early = (await lab.hear(told)).id
    older = lab.make(5)

    await lab.slide()

    assert await lab.states() == {
        **dict.fromkeys([*lost, told], State.QUEUED),
        in_progress: State.ANNOUNCED,
    }
    page = await lab.parts.store.list(RecordingFilter(), cursor=None, limit=50)
    ids = {one.provider_recording_id: one.id for one in page.recordings}
    assert ids[told] == early
    assert older not in ids
    assert {await lab.parts.producer.place(ids[sid]) for sid in lost} == {Place.WAITING}
    (entry,) = await lab.parts.store.history(None, ids[lost[0]])
    assert (entry.actor, entry.event) == ("reconciler", "enqueue")
    before = await lab.parts.store.last_seq()
    await lab.slide()  # finds nothing new
    assert await lab.parts.store.last_seq() == before


async def test_announced_recordings_that_went_on_unheard_are_moved_on(lab: Lab) -> None:
    listed, long_ago, gone, still = (
        lab.make(0.1),
        lab.make(9),
        "RE" + "e" * 32,
        lab.make(8, status="in-progress"),
    )
    for sid in (listed, long_ago, gone, still):
        await lab.hear(sid, ProviderStatus.IN_PROGRESS)
    await lab.slide()
    assert await lab.states() == {listed: State.QUEUED} | dict.fromkeys([long_ago, gone, still], State.ANNOUNCED)
    settings = lab.parts.settings.model_copy(update={"announced_ttl": timedelta()})
    impatient = replace(lab, parts=replace(lab.parts, settings=settings))

    await impatient.slide()

    assert await lab.states() == {
        listed: State.QUEUED,
        long_ago: State.QUEUED,
        gone: State.ABSENT,
        still: State.ANNOUNCED,
    }


async def test_dry_run_says_what_it_would_do_and_changes_nothing(lab: Lab) -> None:
    missing = [lab.make(1), lab.make(2)]
    known = lab.make(2.5)
    announced = lab.make(1.5)
    ours = await lab.hear(known)
    await lab.hear(announced, ProviderStatus.IN_PROGRESS)
    before = (await lab.states(), await lab.parts.store.last_seq())

    done = await lab.backfill(3, dry_run=True)

    assert (done.state, done.listed, done.inserted, done.known) == (BackfillState.DONE, 4, 2, 2)
    assert (await lab.states(), await lab.parts.store.last_seq()) == before
    assert await lab.parts.producer.place(ours.id) is Place.UNKNOWN
    report = await lab.parts.store.completeness(MAIN, (TODAY - timedelta(days=9)).date(), TODAY.date())
    assert sorted(sid for day in report for sid in day.missing) == sorted(missing)

    assert (await lab.backfill(3)).inserted == 2
    report = await lab.parts.store.completeness(MAIN, (TODAY - timedelta(days=9)).date(), TODAY.date())
    assert [day.missing_count for day in report] == [0] * 9
    assert [day.is_unknown for day in report] == [True] * 6 + [False] * 3
    assert sum(day.pending for day in report) == sum(day.listed for day in report) == 4


async def test_what_vanished_at_the_provider_is_noticed_and_ours_is_kept(lab: Lab) -> None:
    kept, stays = lab.make(1), lab.make(1.2)
    row = await lab.hear(kept)
    claimed = await lab.parts.store.claim(row.id, actor="worker:1")
    assert claimed is not None
    await lab.parts.store.keep(row.id, claimed.attempt, KEPT, actor="worker:1")
    assert (await lab.backfill(2)).vanished == 0
    lab.simulator.set_status(lab.simulator.recordings[kept], "deleted")

    assert (await lab.backfill(2, dry_run=True)).vanished == 1
    assert (await lab.backfill(2)).vanished == 1
    assert (await lab.backfill(2)).vanished == 0

    assert await lab.states() == {kept: State.READY, stays: State.QUEUED}
    report = await lab.parts.store.completeness(MAIN, (TODAY - timedelta(days=2)).date(), TODAY.date())
    assert sum(day.vanished for day in report) == 1


async def test_refusals_in_the_middle_of_a_day_are_heeded_and_lose_nothing(lab: Lab) -> None:
    sids = [lab.make(1 + n / 1000) for n in range(450)]  # three pages
    made = await lab.ask(2)
    lab.simulator.fail_lists(lab.provided, "503", "429:1")
    assert await make_backfiller(lab.parts).run_one(made.id)

    done = await lab.parts.store.backfill(made.id)
    assert (done.state, done.listed, done.inserted) == (BackfillState.DONE, 450, 450)
    assert set(await lab.states()) == set(sids)
    asked = lab.asked()
    assert asked[2] - asked[1] >= 1.0  # as long as the provider asked for


async def test_a_provider_that_forgot_the_page_is_asked_from_the_day_s_start(lab: Lab) -> None:
    sids = [lab.make(1 + n / 1000) for n in range(250)]
    made = await lab.ask(2)
    store = lab.parts.store
    await store.claim_backfill("dead", timedelta(), sliding=False, span=timedelta(), only=made.id)
    await store.begin_window(made.id, "dead", timedelta())
    await store.note_page(made.id, "dead", timedelta(), Step((), (), 0, "PageToken=PAforgotten&PageSize=200"))

    assert await make_backfiller(lab.parts).run_one(made.id)

    done = await store.backfill(made.id)
    assert (done.state, done.listed, set(await lab.states())) == (BackfillState.DONE, 250, set(sids))


async def test_credentials_that_are_refused_end_it_with_the_reason(lab: Lab) -> None:
    account = await lab.parts.store.account(MAIN)
    await lab.parts.store.set_account(replace(account, auth_token="wrong"))

    done = await lab.backfill(2)

    assert done.state is BackfillState.FAILED
    assert "unauthorized" in str(done.error)
    assert len(lab.asked()) == 1


async def test_a_defect_ends_it_with_a_word_and_not_the_server(lab: Lab) -> None:
    account = await lab.parts.store.account(MAIN)
    await lab.parts.store.set_account(replace(account, provider="unheard-of"))

    with structlog.testing.capture_logs() as log:
        done = await lab.backfill(2)

    assert (done.state, [entry["event"] for entry in log]) == (
        BackfillState.FAILED,
        ["backfill.broke", "backfill.ended"],
    )
    assert "please report it" in str(done.error)


async def test_a_long_line_holds_a_backfill_so_that_webhooks_are_not_behind_an_archive(lab: Lab) -> None:
    settings = lab.parts.settings.model_copy(update={"backfill_backlog": 3})
    slow = make_backfiller(replace(lab.parts, settings=settings))
    for days in (1, 2, 3):
        for n in range(4):
            lab.make(days - n / 100)
    made = await lab.ask(4)
    assert await slow.run_one(made.id)
    assert await lab.states()
    webhook = await lab.hear("RE" + "f" * 32)
    await lab.parts.producer.submit(Job(webhook.id, MAIN, ACME))
    assert (await lab.backfill(4, dry_run=True)).inserted == 8  # one that need not wait passes it
    assert (await lab.parts.store.backfill(made.id)).windows_done == 2
    assert (await lab.parts.producer.why(webhook.id)).ahead == 4

    async def drained() -> bool:
        for one in (await lab.parts.store.list(RecordingFilter(), cursor=None, limit=50)).recordings:
            await lab.parts.producer.cancel(one.id)
        await slow.run_one(made.id)
        return (await lab.parts.store.backfill(made.id)).state is BackfillState.DONE

    await until(drained)
    assert (await lab.parts.store.backfill(made.id)).inserted == 12


async def test_a_cancelled_backfill_stops_where_it_is(lab: Lab) -> None:
    settings = lab.parts.settings.model_copy(
        update={"backfill_pause": timedelta(seconds=30), "lease": timedelta(seconds=0.3)}
    )
    lab.make(1)
    made = await lab.ask(3)
    running = asyncio.create_task(make_backfiller(replace(lab.parts, settings=settings)).run_one(made.id))

    async def begun() -> bool:
        return (await lab.parts.store.backfill(made.id)).windows_done > 0

    await until(begun)
    await lab.parts.store.cancel_backfill(made.id)
    assert await asyncio.wait_for(running, 30)
    done = await lab.parts.store.backfill(made.id)
    assert (done.state, done.windows_done) == (BackfillState.CANCELLED, 1)


@pytest.mark.rule("S5", "F19", "I8")
async def test_a_job_that_is_gone_is_submitted_at_the_reconciler_s_pace_and_at_once_when_valkey_lost_its_data(
    lab: Lab,
) -> None:
    recording = await lab.hear("RE" + "8" * 32)
    parts = lab.parts

    async def waits() -> bool:
        return await parts.producer.place(recording.id) is Place.WAITING

    for every in (timedelta(seconds=0.1), timedelta(hours=1)):
        await parts.producer.cancel(recording.id)
        settings = parts.settings.model_copy(update={"reconcile_every": every})
        reconciler = Reconciler(store=parts.store, producer=parts.producer, clock=parts.clock, settings=settings)
        running = asyncio.create_task(reconciler.run())
        await until(waits)  # it begins at once
        if every < timedelta(hours=1):
            await parts.producer.cancel(recording.id)
        else:
            await parts.functions.client.execute_command("FLUSHALL")
        await until(waits)
        reconciler.stop()
        await running


@pytest.mark.rule("S5", "F19")
async def test_a_queued_recording_past_its_ttl_is_submitted_again_and_told_of(lab: Lab) -> None:
    recording = await lab.hear("RE" + "9" * 32)
    await lab.parts.producer.submit(Job(recording.id, MAIN, ACME, Lane.BULK))
    await lab.parts.producer.cancel(recording.id)  # forgotten, by whatever mishap

    class Later:
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(minutes=30)

    parts = lab.parts
    reconciler = Reconciler(store=parts.store, producer=parts.producer, clock=Later(), settings=parts.settings)
    with structlog.testing.capture_logs() as log:
        assert await reconciler.resubmit() == 1

    assert await parts.producer.place(recording.id) is Place.WAITING
    assert [entry["count"] for entry in log if entry["event"] == "recordings.overdue"] == [1]
    with structlog.testing.capture_logs() as log:
        assert await reconciler.resubmit() == 0  # it waits its turn: nothing is started twice (F8)
    assert [entry["event"] for entry in log] == ["recordings.overdue"]


async def test_commands_say_what_is_missing_and_then_that_nothing_is(lab: Lab) -> None:
    lab.make(5)
    since, before = (f"{TODAY - timedelta(days=days):%Y-%m-%d}" for days in (6, 4))
    span = ("--account", "main", "--since", since, "--until", before)

    code, said, told = await _command(lab, "backfill", *span, "--dry-run")
    assert (code, "Dry run of main" in said, "1 listed, 1 missing, 0 vanished, 0 known" in said) == (0, True, True)
    assert "2 of 2 days" in told
    code, said, _ = await _command(lab, "completeness", *span)
    assert (code, "missing: RE" in said) == (0, True)
    code, said, told = await _command(lab, "backfill", *span, "--json")
    assert (code, json.loads(said)["inserted"], json.loads(said)["state"], told) == (0, 1, "done", "")
    code, said, _ = await _command(lab, "completeness", *span, "--json")
    (day,) = [one for one in json.loads(said) if one["listed"]]
    assert [one["day"] for one in json.loads(said) if one["listed_at"]] == [since, day["day"]]
    assert (code, day["listed"], day["pending"], day["missing"]) == (0, 1, 1, [])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["backfill"], "Give --account and --since"),
        (["backfill", "--account", "main", "--since", "soon"], "'soon' is not a day"),
        (["backfill", "--account", "nobody", "--since", "2026-11-01"], "no account 'nobody'"),
        (["backfill", "--resume", "bf_0"], "no backfill 'bf_0'"),
        (["backfill", "--account", "main", "--since", "2999-01-01"], "2999-01-01 has not begun yet"),
        (["backfill", "--account", "main", "--since", "2026-11-05", "--until", "2026-11-05"], "comes after --since"),
        (
            ["backfill", "--account", "main", "--since", "2026-11-05", "--until", "2026-02-30"],
            "'2026-02-30' is not a day",
        ),
        (["backfill", "--resume", "bf_0", "--account", "main"], "alone"),
        (["backfill", "--resume", "bf_0", "--dry-run"], "alone"),
        (["completeness", "--account", "nobody", "--since", "2026-11-01"], "no account 'nobody'"),
        (["completeness", "--account", "main", "--since", "yesterday"], "'yesterday' is not a day"),
        (["completeness", "--account", "main", "--since", "2999-01-01"], "2999-01-01 has not begun yet"),
        (
            ["completeness", "--account", "main", "--since", "2026-11-05", "--until", "2026-11-01"],
            "comes after --since",
        ),
        (["completeness", "--account", "main", "--since", "1999-01-01"], "3660 days at most"),
    ],
)
async def test_a_mistake_gets_a_clear_line(lab: Lab, args: list[str], says: str) -> None:
    code, said, told = await _command(lab, *args)
    assert (code, said, says in told) == (1, "", True), told
    assert len(told.splitlines()) <= 2, "no traceback"


async def test_completeness_names_the_days_that_nobody_listed(lab: Lab) -> None:
    since = f"{TODAY - timedelta(days=4):%Y-%m-%d}"
    _, said, _ = await _command(lab, "completeness", "--account", "main", "--since", since)
    assert f"Not listed: {since} to {TODAY:%Y-%m-%d}." in said
    made = await lab.parts.store.add_backfill(MAIN, TODAY - timedelta(days=3), TODAY - timedelta(days=1), dry_run=True)
    await make_backfiller(lab.parts).run_one(made.id)

    code, said, _ = await _command(lab, "completeness", "--account", "main", "--since", since)

    assert code == 0
    assert f"Not listed: {since}, {TODAY - timedelta(days=1):%Y-%m-%d} to {TODAY:%Y-%m-%d}." in " ".join(said.split())
    assert f"--since {since} --dry-run" in said
    code, _, _ = await _command(lab, "backfill", "--account", "main", "--since", since)
    _, said, _ = await _command(lab, "completeness", "--account", "main", "--since", since)
    assert (code, "ot listed" in said) == (0, False), "until now: all that there is of today"


async def test_resuming_what_has_ended_says_how_it_ended(lab: Lab) -> None:
    done, cancelled = await lab.backfill(1), await lab.ask(1)
    await lab.parts.store.cancel_backfill(cancelled.id)
    code, said, _ = await _command(lab, "backfill", "--resume", done.id)
    assert (code, "done" in said) == (0, True)
    code, said, _ = await _command(lab, "backfill", "--resume", cancelled.id)
    assert (code, "cancelled" in said) == (1, True)


async def _command(lab: Lab, *args: str) -> tuple[int, str, str]:
    """Run a command of the command line, in a thread of this process: a new one takes a second to start."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in lab.parts.settings.as_environment().items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["callspool", *args])
        said, told = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            code = await asyncio.to_thread(_main)
    return code, said.getvalue(), told.getvalue()


def _main() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


# --- with processes -----------------------------------------------------------------------------------


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[System]:
    async with system(tmp_path, backfill_every=0.3, backfill_pause=0.25) as running:
        yield running


@pytest.mark.rule("I2", "I8")
async def test_a_killed_backfill_is_gone_on_with_where_it_was_while_the_server_finds_lost_callbacks(
    running: System,
) -> None:
    simulator, store = running.simulator, running.parts.store
    sids = [
        simulator.add_recording(account_sid=SID, created_at=TODAY - timedelta(days=10, hours=-n)).sid
        for n in range(7 * 24)
    ]
    since, before = (f"{TODAY - timedelta(days=days):%Y-%m-%d}" for days in (10, 3))
    url = f"{running.url}/webhooks/twilio/main"
    lost = simulator.add_recording(account_sid=SID, callback_faults=["lost"])
    mixed = simulator.add_recording(account_sid=SID, callback_faults=["reordered"])
    for one in (lost, mixed):
        await simulator.announce(one, url, events=["in-progress", "completed"])
    command, _ = await running.run(
        *("backfill", "--account", "main", "--since", since, "--until", before, "--json"),
        CALLSPOOL_LEASE="1",
    )

    async def some_days() -> Backfill | None:
        found = await store.backfills(limit=1)
        return found[0] if found and found[0].windows_done >= 2 else None

    made = await until(some_days)
    await command.end(signal.SIGKILL)
    killed = await store.backfill(made.id)

    async def over() -> Backfill | None:
        now = await store.backfill(made.id)
        return None if now.state is BackfillState.RUNNING else now

    done = await until(over)  # the server goes on with it
    assert (done.state, done.listed, done.windows_done) == (BackfillState.DONE, len(sids), 7)
    assert killed.windows_done < 7
    days = [entry.path for entry in simulator.log.entries if f"DateCreated%3E={since}T" in entry.path]
    assert len(days) == 1  # what was done is not asked for again
    assert len(await store.states_of(MAIN, sids)) == len(sids)

    async def found() -> bool:
        states = await store.states_of(MAIN, [lost.sid, mixed.sid])
        return list(states.values()) == [State.QUEUED, State.QUEUED]

    await until(found)  # by the server's sliding window


@pytest.mark.rule("I2")
async def test_with_callbacks_lost_repeated_and_out_of_order_all_is_kept_and_what_was_purged_stays_so(
    running: System,
) -> None:
    simulator, store, random = running.simulator, running.parts.store, Random(6)
    url, total = f"{running.url}/webhooks/twilio/main/acme", 40
    await running.worker()
    faults = [["lost"]] * (total // 10) + [["reordered"]] * (total // 4) + [["duplicate"]] * (total // 10)
    faults += [[] for _ in range(total - len(faults))]
    random.shuffle(faults)
    made = [simulator.add_recording(account_sid=SID, tag="acme", duration_s=1.0, callback_faults=one) for one in faults]
    await asyncio.gather(*(simulator.announce(one, url, events=["in-progress", "completed"]) for one in made))
    sids = [one.sid for one in made]

    async def all_ready() -> bool:
        states = await store.states_of(MAIN, sids)
        return len(states) == total and set(states.values()) == {State.READY}

    await until(all_ready, 120)
    gone = await running.of(random.choice(sids))
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        key = {"authorization": f"Bearer {running.key}"}
        assert (await client.delete(f"/api/recordings/{gone.id}", headers=key)).status_code == 204
    again = simulator.recordings[gone.provider_recording_id]
    await simulator.announce(again, url, events=["completed"])  # after the end
    asked = await store.add_backfill(MAIN, TODAY - timedelta(days=1), None, dry_run=False)

    async def listed() -> bool:
        return (await store.backfill(asked.id)).state is BackfillState.DONE

    await until(listed, 60)
    days = await store.completeness(MAIN, (TODAY - timedelta(days=1)).date(), (TODAY + timedelta(days=2)).date())
    figures = [(day.listed, day.kept, day.purged, day.missing_count) for day in days]
    assert [sum(one) for one in zip(*figures, strict=True)] == [total, total - 1, 1, 0]
    assert [entry.recording_sid for entry in running.log()].count(gone.provider_recording_id) == 1
