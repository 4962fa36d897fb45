"""The simulated provider as one object: start it, give it accounts and recordings, look into its log."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from callspool.simulator import control, telnyx_api
from callspool.simulator.callbacks import ALL_IN_ALL_S, Callbacks, Delivery, message_of
from callspool.simulator.clock import Clock
from callspool.simulator.faults import CallbackFault, Fault
from callspool.simulator.library import Library, read_all, sha256_of
from callspool.simulator.media import MediaServer
from callspool.simulator.requestlog import Log
from callspool.simulator.telnyx_api import TelnyxApi
from callspool.simulator.twilio_api import TwilioApi
from callspool.simulator.wire import Exchange, HttpServer
from callspool.simulator.world import Account, Call, PublicKey, Recording, World


class Simulator:
    """A Twilio (and a SignalWire, and a Telnyx) that makes its own calls and errs on demand.

    >>> async with Simulator(seed=1) as sim:
    ...     account = sim.add_account()
    ...     recording = sim.add_recording(account_sid=account.sid, tag="acme", faults=["reset:0.5"])
    ...     await sim.announce(recording, "http://127.0.0.1:8400/webhooks/twilio/main")
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        rate: float | None = None,
        latency_s: float = 0.0,
        fault_rates: Mapping[Fault, float] | None = None,
        callback_fault_rates: Mapping[CallbackFault, float] | None = None,
        callback_within_s: float = ALL_IN_ALL_S,
        clock: Clock | None = None,
    ) -> None:
        """Prepare it. *rate* (bytes a second) and *latency_s* hold for recordings that have none of their own."""
        self.clock = clock or Clock()
        self._host, self._port = host, port
        self._rate, self._latency_s = rate, latency_s
        self._world = World(seed, self.clock, fault_rates or {}, callback_fault_rates or {})
        self._log = Log()
        self._library = Library()
        self._media = MediaServer(self._library, self.clock)
        self._api = TwilioApi(self._world, self._media, self._log, self.clock)
        self._telnyx = TelnyxApi(self._world, self._log, self.clock)
        self._callbacks = Callbacks(self._world, self._telnyx, self.clock, callback_within_s)
        self._first = HttpServer(self._handle, self._log, self.clock, "api")
        self._second = HttpServer(self._api.handle_second_origin, self._log, self.clock, "media")
        self._regions: list[HttpServer] = []
        self._announcing: set[asyncio.Task[list[Delivery]]] = set()
        self._hashes: dict[tuple[int, float, int, float], str] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on both origins."""
        await self._first.start(self._host, self._port)
        await self._second.start(self._host, 0)
        self._api.base_url = self._first.url
        self._media.second_origin = self._telnyx.second_origin = self._second.url

    async def stop(self) -> None:
        """End what runs and remove the temporary audio."""
        for task in self._announcing:
            task.cancel()
        await asyncio.gather(*self._announcing, return_exceptions=True)
        await self._first.stop()
        await self._second.stop()
        for region in self._regions:
            await region.stop()
        await self._library.close()

    @property
    def url(self) -> str:
        """The address that takes the place of https://api.twilio.com."""
        return self._first.url

    @property
    def second_origin(self) -> str:
        """Where redirects lead."""
        return self._second.url

    @property
    def log(self) -> Log:
        """Every request."""
        return self._log

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Every account by its id."""
        return self._world.accounts

    @property
    def recordings(self) -> Mapping[str, Recording]:
        """Every recording by its id."""
        return self._world.recordings

    @property
    def calls(self) -> Mapping[str, Call]:
        """Every call by its id."""
        return self._world.calls

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every delivery of a callback, the lost ones too."""
        return self._callbacks.deliveries

    def add_account(
        self,
        sid: str | None = None,
        token: str | None = None,
        *,
        limit: int | None = None,
        api_keys: Mapping[str, str] | None = None,
        provider: str = "twilio",
        signing_key: str = "",
        parent: str = "",
        region: str = "",
        bucket: bool = False,
    ) -> Account:
        """Make an account, or change the one of this id. Past *limit* downloads at once it answers 429."""
        return self._world.add_account(sid, token, limit, api_keys, provider, signing_key, parent, region, bucket)

    async def open_region(self, region: str) -> str:
        """Listen as another region of Twilio too, and return its address."""

        async def handle(exchange: Exchange) -> None:
            await self._api.handle(exchange, region)

        server = HttpServer(handle, self._log, self.clock, "api")
        await server.start(self._host, 0)
        self._regions.append(server)
        return server.url

    def add_recording(
        self,
        *,
        account_sid: str,
        tag: str = "",
        duration_s: float = 30.0,
        channels: int = 2,
        seed: int | None = None,
        fault: Fault | str | None = None,
        faults: Sequence[Fault | str] | None = None,
        callback_faults: Sequence[CallbackFault | str] | None = None,
        status: str = "completed",
        source: str = "RecordVerb",
        error_code: int | None = None,
        call_sid: str | None = None,
        conference_sid: str | None = None,
        created_at: datetime | None = None,
        announced_duration_s: int | None = None,
        rate: float | None = None,
        latency_s: float | None = None,
        public_key: PublicKey | None = None,
        paused_s: float = 0.0,
        pause_behavior: str = "silence",
    ) -> Recording:
        """Make a recording, and its call unless one is named. Raises `ValueError`.

        Without *fault* or *faults* the simulator's rates decide; an empty list means none. The audio follows from
        *seed* and duration alone. With *public_key* what is downloaded is encrypted.
        """
        if fault is not None:
            faults = [fault, *(faults or [])]
        return self._world.add_recording(
            account_sid=account_sid,
            tag=tag,
            duration_s=duration_s,
            channels=channels,
            seed=seed,
            status=status,
            source=source,
            error_code=error_code,
            call_sid=call_sid,
            conference_sid=conference_sid,
            created_at=created_at,
            announced_duration_s=announced_duration_s,
            faults=None if faults is None else [Fault.parse(f) if isinstance(f, str) else f for f in faults],
            callback_faults=None
            if callback_faults is None
            else [CallbackFault.parse(f) if isinstance(f, str) else f for f in callback_faults],
            rate=self._rate if rate is None else rate,
            latency_s=self._latency_s if latency_s is None else latency_s,
            public_key=public_key,
            paused_s=paused_s,
            pause_behavior=pause_behavior,
        )

    def set_status(self, recording: Recording, status: str) -> None:
        """Move a recording on, or delete it with ``deleted``."""
        self._world.set_status(recording, status)

    def fail_lists(self, account: Account, *faults: str) -> None:
        """Answer the next questions for a list of recordings with these statuses, such as ``429:2`` or ``503``."""
        account.fail("list", *faults)

    async def announce(
        self,
        recording: Recording,
        callback_url: str,
        *,
        public_url_to_sign: str | None = None,
        events: Sequence[str] | None = None,
        faults: Sequence[CallbackFault | str] | None = None,
    ) -> list[Delivery]:
        """Deliver its status callbacks, with its callback faults or these; return every attempt.

        The signature covers *public_url_to_sign* where a proxy stands before the program. Without *events* the
        recording's status is told.
        """
        return await self._callbacks.announce(
            recording,
            callback_url,
            base_url=self.url,
            signed_url=public_url_to_sign,
            events=[recording.status] if events is None else events,
            faults=recording.callback_faults
            if faults is None
            else [CallbackFault.parse(f) if isinstance(f, str) else f for f in faults],
        )

    def message(
        self, recording: Recording, event: str, url: str, body: bytes | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a callback as it would be sent to *url*; with another *body*, signed as well."""
        return message_of(
            recording,
            self._world.accounts[recording.account_sid],
            event,
            telnyx=self._telnyx,
            signed_url=url,
            base_url=self.url,
            at=self.clock.now(),
            instead=body,
        )

    def announce_soon(
        self,
        recording: Recording,
        callback_url: str,
        public_url_to_sign: str | None = None,
        events: Sequence[str] | None = None,
    ) -> None:
        """Deliver its status callbacks in the background."""
        task = asyncio.ensure_future(
            self.announce(recording, callback_url, public_url_to_sign=public_url_to_sign, events=events)
        )
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)

    async def audio(self, recording: Recording, file_format: str = "wav", channels: int | None = None) -> bytes:
        """Return the bytes that a faultless download gives, in the recording's own channels unless others are named."""
        audio = await self._library.find(
            recording.seed,
            recording.duration_s,
            file_format,
            channels or recording.channels,
            recording.silence_s,
        )
        return await asyncio.to_thread(read_all, audio)

    async def sha256(self, recording: Recording) -> str:
        """Return the SHA-256 of its WAV in its own channels."""
        key = (recording.seed, recording.duration_s, recording.channels, recording.silence_s)
        if key not in self._hashes:
            audio = await self._library.find(
                recording.seed, recording.duration_s, "wav", recording.channels, recording.silence_s
            )
            self._hashes[key] = await asyncio.to_thread(sha256_of, audio)
        return self._hashes[key]

    async def _handle(self, exchange: Exchange) -> None:
        if exchange.request.path.startswith(control.PREFIX):
            await control.handle(self, exchange)
        elif exchange.request.path.startswith(telnyx_api.PREFIX):
            await self._telnyx.handle(exchange)
        else:
            await self._api.handle(exchange)
