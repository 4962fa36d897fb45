"""A recording, its states, and the only moves between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from callspool.domain.errors import IllegalMove
from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.reasons import Reason


class State(StrEnum):
    """Where a recording stands. The store holds it; nothing else is believed."""

    ANNOUNCED = "announced"
    """The provider says that a recording has begun."""
    QUEUED = "queued"
    """It is to be fetched, now or at ``not_before``."""
    FETCHING = "fetching"
    """A worker fetches it under the current attempt."""
    READY = "ready"
    """It is in the vault, proven, and can be played."""
    FAILED = "failed"
    """It was given up, with a reason. A person may retry it."""
    CANCELLED = "cancelled"
    """A person stopped it. A person may retry it."""
    ABSENT = "absent"
    """The provider says that there is no recording after all."""
    PURGED = "purged"
    """The tombstone: it was here and went."""


class Event(StrEnum):
    """What happens to a recording. Each is one row in its history."""

    ANNOUNCE = "announce"
    ENQUEUE = "enqueue"
    VANISH = "vanish"
    CLAIM = "claim"
    EXPIRE = "expire"
    DEFER = "defer"
    HAND_BACK = "hand_back"
    KEEP = "keep"
    GIVE_UP = "give_up"
    CANCEL = "cancel"
    RETRY = "retry"
    PURGE = "purge"
    CORRUPT = "corrupt"
    """The vault's file is not what was kept any more."""
    RESTORE = "restore"
    """It is again."""


MOVES: Final[Mapping[tuple[State, Event], State]] = {
    (State.ANNOUNCED, Event.ENQUEUE): State.QUEUED,
    (State.ANNOUNCED, Event.VANISH): State.ABSENT,
    (State.ANNOUNCED, Event.CANCEL): State.CANCELLED,
    (State.QUEUED, Event.CLAIM): State.FETCHING,
    (State.QUEUED, Event.GIVE_UP): State.FAILED,
    (State.QUEUED, Event.VANISH): State.ABSENT,
    (State.QUEUED, Event.CANCEL): State.CANCELLED,
    (State.FETCHING, Event.KEEP): State.READY,
    (State.FETCHING, Event.DEFER): State.QUEUED,
    (State.FETCHING, Event.HAND_BACK): State.QUEUED,
    (State.FETCHING, Event.EXPIRE): State.QUEUED,
    (State.FETCHING, Event.GIVE_UP): State.FAILED,
    (State.FETCHING, Event.CANCEL): State.CANCELLED,
    (State.FAILED, Event.RETRY): State.QUEUED,
    (State.CANCELLED, Event.RETRY): State.QUEUED,
    (State.READY, Event.CORRUPT): State.FAILED,
    (State.FAILED, Event.RESTORE): State.READY,
    (State.READY, Event.PURGE): State.PURGED,
    (State.FAILED, Event.PURGE): State.PURGED,
    (State.CANCELLED, Event.PURGE): State.PURGED,
}

FINAL: Final = frozenset({State.READY, State.FAILED, State.CANCELLED, State.ABSENT, State.PURGED})
"""States in which no work is outstanding."""


def advance(state: State, event: Event) -> State:
    """Return the state that *event* leads to, or raise `IllegalMove`."""
    try:
        return MOVES[state, event]
    except KeyError:
        raise IllegalMove(f"a recording that is {state} cannot {event}") from None


def sources(event: Event) -> frozenset[State]:
    """Return the states from which *event* is possible: what a guarded UPDATE names in its WHERE."""
    return frozenset(state for state, happening in MOVES if happening is event)


@dataclass(frozen=True, slots=True)
class Encryption:
    """How the provider encrypted a recording: AES-256-GCM, its key wrapped for the holder of a private key."""

    key_sid: str
    """The provider's id of the public key."""
    wrapped_key: bytes
    iv: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """Who spoke with whom: the call that a recording is of, as far as its provider tells."""

    from_number: str | None
    """A phone number as `phone_number` writes it, or a name such as ``client:anna``."""
    to_number: str | None
    direction: str | None
    """The provider's word: ``inbound``, ``outbound-api`` ..."""


class Unverified(StrEnum):
    """What of a kept recording there was nothing to compare with."""

    DURATION = "duration"
    """The provider announced none."""
    CHANNELS = "channels"
    """The provider did not say how many there are, or contradicts itself."""
    END = "end"
    """Nothing proves it: the provider did not say how many bytes there are, nor does the file how long it is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the vault holds of a recording and how it was proven."""

    vault_key: str
    sha256: str
    """Of the bytes as the provider sent them (decrypted, where it encrypts), in hex."""
    size: int
    """Bytes."""
    content_type: str
    """``audio/wav`` or ``audio/mpeg``, from the magic bytes and never from the provider's header."""
    channels: int
    sample_rate: int
    duration_s: float
    """As decoded."""
    verified: bool
    """False where something could not be known: ``unverified`` says what."""
    unverified: tuple[Unverified, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """One provider recording, as the store knows it. Times are aware and in UTC."""

    id: RecordingId
    tenant_id: TenantId
    account_id: AccountId
    provider_recording_id: str
    call_id: str | None
    state: State
    version: int
    """Goes up by one with every move: a client never shows an older one over a newer one."""
    attempt: int
    """The fencing token: given out by the claiming UPDATE, compared by every write of a worker."""
    tries: int
    """Failures charged to the retry budget."""
    not_ready: int
    """How often the provider said "not yet"."""
    lost: int
    """Workers that died over it."""
    not_before: datetime | None
    reason: Reason | None
    """Of the last failure; always set when ``failed``."""
    detail: str | None
    """What was seen, for engineers."""
    announced_duration_s: float | None
    announced_channels: int | None
    source: str | None
    started_at: datetime | None
    """When the recording began, by the provider."""
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    kept: Kept | None
    """Where it is not ``ready``: what was kept. It is not to be played."""
    encryption: Encryption | None = None
    call: Call | None = None
    """None: not known yet, or not to be known."""
    provider_deleted_at: datetime | None = None
    """When we deleted it at the provider: from then on the vault has the only one."""
    wanted_at: datetime | None = None
    """Since when a person waits for it; None: nobody does, or it has ended."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One row of the append-only event log. ``seq`` orders all rows of one store as they were committed."""

    seq: int
    recording_id: RecordingId
    tenant_id: TenantId
    event: Event
    state: State
    """After the event."""
    version: int
    attempt: int
    at: datetime
    reason: Reason | None
    detail: str | None
    actor: str
    """Who did it: ``webhook``, ``worker:<id>``, ``key:<id>``, ``cli``, ``reconciler``."""
    http_status: int | None = None
    """The provider's answer, where an attempt ended by one."""
