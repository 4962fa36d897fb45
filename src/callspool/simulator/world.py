"""What the simulated provider knows: accounts, calls, recordings. No network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from callspool.simulator.clock import Clock
from callspool.simulator.faults import ALONGSIDE, CallbackFault, Fault, FaultKind, Mix
from callspool.simulator.signing import KeyPair

STATUSES: Final = frozenset({"in-progress", "paused", "stopped", "processing", "completed", "absent"})
DELETED: Final = "deleted"
PAUSES: Final = ("silence", "skip")
ASKED: Final = ("list", "metadata", "calls", "delete")
"""What can be asked of the API beside media."""
PROVIDERS: Final = ("twilio", "signalwire", "telnyx")


@dataclass(slots=True)
class Account:
    """A customer's account with the provider. Its token can be changed while all runs."""

    sid: str
    auth_token: str
    limit: int | None = None
    """Most media downloads at once; one more is answered with 429. None: any number."""
    api_keys: dict[str, str] = field(default_factory=dict)
    """API key to secret: the other way to sign in."""
    api_faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By one of ``ASKED``: what the next such requests are answered with, one after the other, then all is well."""
    provider: str = "twilio"
    """Whose protocol it speaks: ``twilio``, ``signalwire`` or ``telnyx``."""
    signing_key: str = ""
    """Twilio: a shared key, which then signs callbacks with SHA-256. SignalWire: what signs them. Telnyx: the public
    half of what signs them, made by itself."""
    url_lifetime_s: float = 600.0
    """Telnyx: for how long an address of media holds."""
    texml: bool = False
    """Telnyx: its application speaks TeXML, so that webhooks are forms."""
    parent: str = ""
    """Twilio: whose subaccount it is; the parent's id and token sign in for it too, the parent's keys do not."""
    region: str = ""
    """Twilio: where its recordings and keys are; another region knows neither. Empty: the one at the first origin."""
    bucket: bool = False
    """Twilio: its media lie in the customer's own bucket, the second origin; the API has their address only."""

    def fail(self, asked: str, *faults: str) -> None:
        """Answer the next requests for *asked* with these statuses. Raises `ValueError` where one cannot be."""
        if asked not in ASKED:
            raise ValueError(f"{asked!r}: there are {', '.join(ASKED)}")
        parsed = [Fault.parse(fault) for fault in faults]
        if wrong := [fault for fault in parsed if fault.kind is not FaultKind.STATUS]:
            raise ValueError(f"fault {str(wrong[0])!r}: only media has it; {asked} can meet 401, 403, 410, 429 and 5xx")
        self.api_faults.setdefault(asked, []).extend(parsed)

    def next_refusal(self, asked: str) -> Fault | None:
        """Return the fault that a request for *asked* meets now, and count it; None: all is well."""
        waiting = self.api_faults.get(asked)
        if not waiting:
            return None
        fault = waiting[0]
        if fault.times is not None:
            waiting[:1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault

    def accepts(self, user: str, password: str) -> bool:
        """Say whether these are its credentials."""
        secret = self.auth_token if user == self.sid else self.api_keys.get(user)
        return secret is not None and secret == password


@dataclass(frozen=True, slots=True)
class Call:
    """A phone call; it can have several recordings."""

    sid: str
    account_sid: str
    caller: str
    called: str
    direction: str
    started_at: datetime
    duration_s: float


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a customer's recordings are encrypted with."""

    sid: str
    pem: str


@dataclass(slots=True)
class Recording:
    """A recording as the provider has it."""

    sid: str
    account_sid: str
    call_sid: str
    conference_sid: str | None
    tag: str
    """Free text for the log: whose recording it is."""
    duration_s: float
    announced_duration_s: int
    """What metadata and callbacks say. It is the duration, rounded, unless a test wants a lie."""
    channels: int
    seed: int
    status: str
    source: str
    error_code: int | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    born: float
    """When it was made, on the monotonic clock: faults that end with time count from here."""
    faults: tuple[Fault, ...]
    callback_faults: tuple[CallbackFault, ...]
    rate: float | None
    """Bytes a second of its download; None: as fast as it goes."""
    latency_s: float
    public_key: PublicKey | None = None
    """It is encrypted with this one."""
    silence_s: float = 0.0
    """So long it was paused, where the pause is a silence in it; one that was skipped is not in it at all."""
    used: dict[int, int] = field(default_factory=dict)
    """How often each fault, by its place in ``faults``, has happened."""

    def next_fault(self, monotonic: float) -> Fault | None:
        """Return the fault that the download that begins now meets, and count it."""
        for place, fault in enumerate(self.faults):
            if fault.kind in ALONGSIDE:
                continue
            if fault.kind is FaultKind.NOT_YET and monotonic - self.born >= fault.seconds:
                continue
            used = self.used.get(place, 0)
            if fault.times is None or used < fault.times:
                self.used[place] = used + 1
                return fault
        return None

    def alongside(self, kind: FaultKind) -> Fault | None:
        """Return the fault of this kind that goes along with any other, if there is one."""
        return next((fault for fault in self.faults if fault.kind is kind), None)


class World:
    """Everything there is. Ids and draws follow from the seed and the order in which things are made."""

    def __init__(
        self, seed: int, clock: Clock, fault_rates: Mapping[Fault, float], callback_rates: Mapping[CallbackFault, float]
    ) -> None:
        self._clock = clock
        self._random = Random(seed)
        self._faults = Mix(fault_rates)
        self._callback_faults = Mix(callback_rates)
        self.accounts: dict[str, Account] = {}
        self.calls: dict[str, Call] = {}
        self.recordings: dict[str, Recording] = {}

    def new_sid(self, prefix: str, provider: str = "twilio") -> str:
        """Return an id as the provider writes them."""
        number = self._random.getrandbits(128)
        return f"{prefix}{number:032x}" if provider == "twilio" else str(UUID(int=number, version=4))

    def token(self) -> str:
        """Return what makes one delivery different from the next."""
        return f"{self._random.getrandbits(128):032x}"

    def add_account(
        self,
        sid: str | None,
        auth_token: str | None,
        limit: int | None,
        api_keys: Mapping[str, str] | None,
        provider: str = "twilio",
        signing_key: str = "",
        parent: str = "",
        region: str = "",
        bucket: bool = False,
    ) -> Account:
        """Make an account, or change the one of this id."""
        if provider not in PROVIDERS:
            raise ValueError(f"no provider {provider!r}; there are {', '.join(PROVIDERS)}")
        sid = sid or self.new_sid("AC", provider)
        account = Account(sid, auth_token or self.token(), limit, dict(api_keys or {}), provider=provider)
        account.signing_key, account.parent, account.region, account.bucket = signing_key, parent, region, bucket
        if provider == "telnyx":
            account.signing_key = KeyPair(sid).public
        self.accounts[sid] = account
        return account

    def add_recording(
        self,
        *,
        account_sid: str,
        tag: str = "",
        duration_s: float = 30.0,
        channels: int = 2,
        seed: int | None = None,
        status: str = "completed",
        source: str = "RecordVerb",
        error_code: int | None = None,
        call_sid: str | None = None,
        conference_sid: str | None = None,
        created_at: datetime | None = None,
        announced_duration_s: int | None = None,
        faults: Sequence[Fault] | None = None,
        callback_faults: Sequence[CallbackFault] | None = None,
        rate: float | None = None,
        latency_s: float = 0.0,
        public_key: PublicKey | None = None,
        paused_s: float = 0.0,
        pause_behavior: str = "silence",
    ) -> Recording:
        """Make a recording, and its call unless one is named. Raises `ValueError`."""
        if account_sid not in self.accounts:
            raise ValueError(f"there is no account {account_sid}: add it first")
        if channels not in (1, 2):
            raise ValueError(f"a recording has 1 or 2 channels, not {channels}")
        if not 0 <= duration_s <= 100 * 3600:
            raise ValueError(f"a recording lasts 0 seconds to 100 hours, not {duration_s:g} s")
        if status not in STATUSES:
            raise ValueError(f"no status {status!r}; there are {', '.join(sorted(STATUSES))}")
        if pause_behavior not in PAUSES or not 0 <= paused_s <= duration_s:
            raise ValueError(
                f"a pause of {paused_s:g} s, {pause_behavior}: it is {' or '.join(PAUSES)}, within the call"
            )
        provider = self.accounts[account_sid].provider
        created = created_at or self._clock.now()
        started = created - timedelta(seconds=round(duration_s))
        own_seed = self._random.getrandbits(48)
        sid = self.new_sid("RE", provider)
        call = call_sid or self._add_call(account_sid, started, duration_s)
        if pause_behavior == "skip":
            duration_s -= paused_s
        recording = Recording(
            sid=sid,
            account_sid=account_sid,
            call_sid=call,
            conference_sid=conference_sid,
            tag=tag,
            duration_s=duration_s,
            announced_duration_s=round(duration_s) if announced_duration_s is None else announced_duration_s,
            channels=channels,
            seed=own_seed if seed is None else seed,
            status=status,
            source=source,
            error_code=error_code,
            created_at=created,
            updated_at=created,
            started_at=started,
            born=self._clock.monotonic(),
            faults=tuple(self._faults.draw(self._random) if faults is None else faults),
            callback_faults=tuple(
                self._callback_faults.draw(self._random) if callback_faults is None else callback_faults
            ),
            rate=rate,
            latency_s=latency_s,
            public_key=public_key,
            silence_s=paused_s if pause_behavior == "silence" else 0.0,
        )
        self.recordings[recording.sid] = recording
        return recording

    def set_status(self, recording: Recording, status: str) -> None:
        """Move a recording on, or delete it."""
        if status != DELETED and status not in STATUSES:
            raise ValueError(f"no status {status!r}")
        recording.status = status
        recording.updated_at = self._clock.now()

    def _add_call(self, account_sid: str, started: datetime, duration_s: float) -> str:
        inbound = self._random.random() < 0.5
        business, person = (f"+1555{self._random.randrange(10**7):07}" for _ in range(2))
        call = Call(
            sid=self.new_sid("CA", self.accounts[account_sid].provider),
            account_sid=account_sid,
            caller=person if inbound else business,
            called=business if inbound else person,
            direction="inbound" if inbound else "outbound-api",
            started_at=started,
            duration_s=duration_s,
        )
        self.calls[call.sid] = call
        return call.sid
