"""The real thing in pieces: server and workers as processes, a real Valkey, the simulated provider."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TypeVar

from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import Account, Tenant
from callspool.scheduler.embedded import Embedded
from callspool.settings import Settings
from callspool.simulator import Simulator
from callspool.wiring import Parts, add_key, open_parts, valkey_folder

T = TypeVar("T")

SID = "AC" + "a" * 32
TOKEN = "secret-token"
LEASE_S = 2.0


async def until(condition: Callable[[], Awaitable[T | None]], seconds: float = 90.0) -> T:
    """Wait until *condition* returns something, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
        return found


class Process:
    """A callspool command that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end_by_itself(self) -> int:
        return await asyncio.wait_for(self._process.wait(), 120)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process.returncode is None:
            self.send(number)
        return await asyncio.wait_for(self._process.wait(), 120)


class System:
    """One data folder and what runs on it."""

    def __init__(
        self, parts: Parts, simulator: Simulator, stack: AsyncExitStack, valkey: Embedded, errors: IO[bytes] | None
    ) -> None:
        self.parts = parts
        self.simulator = simulator
        self.valkey = valkey
        self._errors = errors
        self.url = ""
        self.key = ""
        self.servers: list[Process] = []
        self._stack = stack

    async def run(
        self, *args: str, program: Sequence[str] = ("-m", "callspool.cli"), **settings: str
    ) -> tuple[Process, str]:
        """Start a command; return it and, of ``serve``, its first line."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, *args),
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **self.parts.settings.as_environment(), **settings},
        )
        running = Process(process)
        self._stack.push_async_callback(running.end, signal.SIGKILL)
        line = b""
        if args[0] == "serve":
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 120)
        return running, line.decode()

    async def serve(self, **settings: str) -> Process:
        """Start a server; from now on it is the one that is asked."""
        server, line = await self.run("serve", "--port", "0", **settings)
        self.url = line.split()[-1]
        self.servers.append(server)
        return server

    async def worker(self, **settings: str) -> Process:
        """Start a worker."""
        return (await self.run("worker", **settings))[0]

    async def call(self, tenant: str = "acme", **given: object) -> Recording:
        """Have the provider record a call and tell us of it; return what we made of it."""
        made = self.simulator.add_recording(account_sid=SID, tag=tenant, **given)  # type: ignore[arg-type]
        url = f"{self.url}/webhooks/twilio/main/{tenant}"
        (delivery,) = await self.simulator.announce(made, url, events=["completed"])
        assert delivery.status == 204, delivery
        return await self.of(made.sid)

    async def of(self, sid: str) -> Recording:
        """Return the recording of a provider's id."""
        page = await self.parts.store.list(RecordingFilter(provider_recording_id=sid), cursor=None, limit=1)
        return page.recordings[0]

    async def reaches(self, recording: Recording, *states: State, seconds: float = 90.0) -> Recording:
        """Wait for a state."""

        async def there() -> Recording | None:
            now = await self.parts.store.get(None, recording.id)
            return now if now.state in states else None

        return await until(there, seconds)

    async def is_downloading(self, recording: Recording) -> None:
        """Wait until the provider sends it."""

        async def flows() -> bool:
            return any(
                entry.recording_sid == recording.provider_recording_id and entry.sent > 0 for entry in self.log()
            )

        await until(flows)

    async def knows_the_call(self, recording: Recording) -> None:
        """Wait until its worker has noted who called whom: then it writes nothing until the download is whole."""

        async def noted() -> bool:
            return (await self.parts.store.get(None, recording.id)).call is not None

        await until(noted)

    def log(self) -> list:  # type: ignore[type-arg]
        """Return the provider's log of downloads."""
        return [entry for entry in self.simulator.log.entries if entry.is_download]

    async def workers_of(self, recording_id: RecordingId) -> list[str]:
        """Return who claimed it, in order."""
        return [one.actor for one in await self.parts.store.history(None, recording_id) if one.event == "claim"]


@asynccontextmanager
async def system(folder: Path, *, errors: IO[bytes] | None = None, **settings: object) -> AsyncIterator[System]:
    """Start Valkey, provider and server; add the tenants acme and bravo with an account.

    Give *errors* to keep what all processes write to their standard error.
    """
    async with AsyncExitStack() as stack:
        given = Settings.read(
            None, **{"data": folder / "data", "lease": LEASE_S, "retry_scale": 0.05, "log_level": "error", **settings}
        )
        given.data.mkdir(parents=True)
        valkey = Embedded(valkey_folder(given))
        valkey.start()
        stack.callback(valkey.stop)
        simulator = await stack.enter_async_context(Simulator(seed=1))
        simulator.add_account(SID, TOKEN)
        parts = await stack.enter_async_context(open_parts(given))
        await parts.producer.open()
        for name in ("acme", "bravo"):
            await parts.store.add_tenant(Tenant(TenantId(name), name))
        account = Account(AccountId("main"), "twilio", TenantId("acme"), SID, TOKEN)
        await parts.store.add_account(replace(account, base_url=simulator.url))
        one = System(parts, simulator, stack, valkey, errors)
        one.key = (await add_key(parts, None, "test"))[1]
        await one.serve()
        yield one


def last_json(text: str) -> dict:  # type: ignore[type-arg]
    """Return the last line of *text*, read as JSON."""
    return json.loads(text.strip().splitlines()[-1])
