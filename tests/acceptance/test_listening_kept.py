"""Who listened, with real processes: a kill takes nothing of the beginnings, and several servers write one chain."""

import asyncio
import json
import signal
from pathlib import Path

import httpx

from callspool.domain.audit import AuditEntry
from callspool.domain.recording import Recording, State
from tests.acceptance.system import System, system, until


async def play(url: str, key: str, recording: Recording) -> bytes:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        headers = {"authorization": f"Bearer {key}"}
        answer = await client.get(f"/api/recordings/{recording.id}/audio", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.content


async def entries(running: System, action: str) -> list[AuditEntry]:
    log = await running.parts.store.audit_log(None, limit=1000)
    return [entry for entry in reversed(log) if entry.action == f"recording.{action}"]


async def test_a_killed_server_has_written_who_began_and_one_that_stops_what_they_heard(tmp_path: Path) -> None:
    async with system(tmp_path, play_wait=60) as running:
        await running.worker()
        recording = await running.reaches(await running.call(duration_s=4.0), State.READY)

        async def begun() -> bool:
            return len(await entries(running, "listen")) == 1

        audio = await play(running.url, running.key, recording)
        await until(begun)
        await running.servers[0].end(signal.SIGKILL)
        assert not await entries(running, "heard")

        stopped = await running.serve()
        assert await play(running.url, running.key, recording) == audio
        assert await stopped.end() == 0

        assert len(await entries(running, "listen")) == 2
        (heard,) = await entries(running, "heard")
        assert (json.loads(heard.detail)["result"], json.loads(heard.detail)["bytes"]) == ("complete", len(audio))
        assert (await running.parts.store.audit_verify()).broken is None


async def test_servers_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    async with system(tmp_path, play_wait=60) as running:
        await running.worker()
        recordings = [await running.call(duration_s=1.0) for _ in range(6)]
        recordings = [await running.reaches(one, State.READY) for one in recordings]
        urls = [running.url]
        await running.serve()
        urls.append(running.url)

        await asyncio.gather(*(play(url, running.key, one) for url in urls for one in recordings))
        assert [await server.end() for server in running.servers] == [0, 0]

        assert len(await entries(running, "listen")) == len(await entries(running, "heard")) == 12
        assert {json.loads(one.detail)["result"] for one in await entries(running, "heard")} == {"complete"}
        assert (await running.parts.store.audit_verify()).broken is None
