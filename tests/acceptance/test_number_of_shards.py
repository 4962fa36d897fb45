"""Another number of shards: refused while a job is left, taken after a drain, told of by doctor; a drain is undone."""

import asyncio
import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from callspool.domain.job import Job, Place
from callspool.domain.recording import State
from callspool.settings import Settings
from callspool.wiring import open_parts
from tests.acceptance.command import run_here
from tests.acceptance.system import System, system
from tests.acceptance.test_cli import up
from tests.acceptance.test_demo import run


@pytest.mark.rule("I1", "I8")
async def test_another_number_is_refused_until_the_old_one_is_drained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ("--data", str(tmp_path), "--json")

    async def end(process: asyncio.subprocess.Process) -> None:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0

    async with up(tmp_path) as (process, _):
        assert (await run_here("tenants", "add", "acme", *data))[0] == 0
        async with open_parts(Settings.read({}, data=tmp_path)) as parts:
            await parts.producer.submit(Job("j", "main", "acme"), delay=timedelta(days=1))
        monkeypatch.setenv("CALLSPOOL_SHARDS", "2")
        findings = {one["check"]: one for one in json.loads((await run_here("doctor", *data))[1])}
        assert findings["shards"]["level"] == "error"
        assert findings["shards"]["do"].startswith("Set CALLSPOOL_SHARDS=1; or run 'callspool drain'")
        assert findings["valkey"]["level"] == "ok"
        for program, command in ((run_here, ("drain",)), (run_here, ("drain", "--undo")), (run, ("worker",))):
            code, _, said = await program(*command, *data[:2])
            assert code == 1
            assert "CALLSPOOL_SHARDS" in said
        await end(process)
    code, _, said = await run("up", "--port", "0", *data)
    assert code == 1
    assert "CALLSPOOL_SHARDS is 2, but this Valkey works with 1, and 0 job(s) run there, 1 are put off" in said
    assert "Keep CALLSPOOL_SHARDS=1; or run 'callspool drain' with it" in said
    monkeypatch.setenv("CALLSPOOL_SHARDS", "1")
    async with up(tmp_path) as (process, _):
        assert (await run_here("drain", *data))[0] == 0
        await end(process)
    monkeypatch.setenv("CALLSPOOL_SHARDS", "2")
    async with up(tmp_path) as (process, _):
        findings = {one["check"]: one for one in json.loads((await run_here("doctor", *data))[1])}
        assert (findings["shards"]["level"], findings["shards"]["seen"]) == ("ok", "2, as all work with")
        await end(process)


@pytest.mark.rule("I1", "I8")
async def test_a_drain_lets_what_runs_end_and_undone_it_brings_the_rest_back_within_seconds(tmp_path: Path) -> None:
    async def drain(running: System, *how: str) -> None:
        command, _ = await running.run("drain", *how)
        assert await command.end_by_itself() == 0

    async def why(recording_id: str) -> str:
        code, said, _ = await run_here("why", recording_id, "--data", str(tmp_path / "data"))
        assert code == 0
        return said.replace("\n", " ").strip() + "\n"

    async with system(tmp_path, reconcile_every=600) as running:
        await running.worker()
        runs = await running.call(duration_s=20.0, channels=2, rate=60_000)  # until two commands have started
        await running.is_downloading(runs)
        await running.parts.producer.set_tenant("acme", slots=1, weight=1.0, paused=False)
        waits = await running.call(duration_s=1.0)
        assert await running.parts.producer.place(waits.id) is Place.WAITING
        busy = f"{waits.id}: queued. 1 of 1 slots of tenant acme are busy; it is 1st in its line.\n"
        assert await why(waits.id) == busy
        await drain(running)
        ended = await running.parts.store.get(None, runs.id)
        assert (ended.state, ended.attempt) == (State.READY, 1)
        comes = await running.call(duration_s=1.0)
        for one in (waits, comes):
            assert await running.parts.producer.place(one.id) is Place.UNKNOWN
            assert (await running.parts.store.get(None, one.id)).state is State.QUEUED
            assert (await why(one.id)).startswith(f"{one.id}: queued. The scheduler is drained and grants nothing")
        await drain(running, "--undo")
        for one in (waits, comes):
            await running.reaches(one, State.READY, seconds=30)
