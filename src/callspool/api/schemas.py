"""The shapes of JSON that the API answers with. The web UI's types are made from them, through OpenAPI."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from callspool.domain.hold import Hold
from callspool.domain.job import Place
from callspool.domain.listening import Listen, ListenForm, ListenResult
from callspool.domain.obstacle import Obstacle, ObstacleCode
from callspool.domain.ports.history import Timeline
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import Event, HistoryEntry, Recording, State, Unverified
from callspool.domain.tenant import Scope
from callspool.domain.tombstone import Tombstone, tombstone_of


class RecordingView(BaseModel):
    """A recording. It never carries an address of its audio: lists must not make browsers load any (F18)."""

    id: str
    tenant_id: str
    account_id: str
    provider_recording_id: str
    call_id: str | None
    state: State
    version: int = Field(description="Goes up with every change: never show an older one over a newer one.")
    attempt: int
    tries: int = Field(description="Failures charged to the retry budget.")
    reason: Reason | None = Field(description="Of the last failure; always set when failed.")
    sentence: str | None = Field(description="The reason, as a sentence a person can act on.")
    not_before: datetime | None = Field(description="When queued: it is not tried earlier.")
    announced_duration_s: float | None
    duration_s: float | None = Field(description="As decoded; set when ready.")
    channels: int | None
    sample_rate: int | None
    content_type: str | None
    size: int | None = Field(description="Bytes; set when ready.")
    sha256: str | None
    verified: bool | None = Field(description="False: something could not be compared; `unverified` says what.")
    unverified: list[Unverified] = Field(
        description="What the provider did not announce, or contradicts itself about, so that the audio could not be "
        "compared with it. Empty before it is ready."
    )
    source: str | None
    from_number: str | None = Field(description="Who called; null while it is not known.")
    to_number: str | None = Field(description="Who was called; null while it is not known.")
    direction: str | None = Field(description="The provider's word, such as inbound or outbound-api.")
    started_at: datetime | None
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None

    @classmethod
    def of(cls, recording: Recording) -> Self:
        """Return what may be shown of *recording*."""
        return cls(**_fields(recording))


def _fields(recording: Recording) -> dict[str, Any]:
    kept, call = recording.kept, recording.call
    return {
        "id": recording.id,
        "tenant_id": recording.tenant_id,
        "account_id": recording.account_id,
        "provider_recording_id": recording.provider_recording_id,
        "call_id": recording.call_id,
        "state": recording.state,
        "version": recording.version,
        "attempt": recording.attempt,
        "tries": recording.tries,
        "reason": recording.reason,
        "sentence": sentence(recording.reason),
        "not_before": recording.not_before,
        "announced_duration_s": recording.announced_duration_s,
        "duration_s": kept.duration_s if kept else None,
        "channels": kept.channels if kept else recording.announced_channels,
        "sample_rate": kept.sample_rate if kept else None,
        "content_type": kept.content_type if kept else None,
        "size": kept.size if kept else None,
        "sha256": kept.sha256 if kept else None,
        "verified": kept.verified if kept else None,
        "unverified": list(kept.unverified) if kept else [],
        "source": recording.source,
        "from_number": call.from_number if call else None,
        "to_number": call.to_number if call else None,
        "direction": call.direction if call else None,
        "started_at": recording.started_at,
        "created_at": recording.created_at,
        "updated_at": recording.updated_at,
        "ready_at": recording.ready_at,
    }


def sentence(reason: Reason | None) -> str | None:
    """Return what a person can do about *reason*."""
    return POLICIES[reason].sentence if reason else None


class HistoryView(BaseModel):
    """One thing that happened to a recording."""

    seq: int
    event: Event
    state: State = Field(description="After the event.")
    version: int
    attempt: int
    at: datetime
    reason: Reason | None
    sentence: str | None
    detail: str | None = Field(description="What was seen, for engineers.")
    actor: str
    http_status: int | None = Field(description="The provider's answer, where an attempt ended by one.")

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        """Return what may be shown of *entry*."""
        return cls(
            seq=entry.seq,
            event=entry.event,
            state=entry.state,
            version=entry.version,
            attempt=entry.attempt,
            at=entry.at,
            reason=entry.reason,
            sentence=sentence(entry.reason),
            detail=entry.detail,
            actor=entry.actor,
            http_status=entry.http_status,
        )


class RepeatView(BaseModel):
    """A webhook that came and changed nothing: a duplicate, a late or a backward one."""

    at: datetime
    status: ProviderStatus = Field(description="What it said.")


class ListenView(BaseModel):
    """Someone listened: without a pause of a minute, which makes the next one."""

    at: datetime = Field(description="When that began.")
    actor: str = Field(
        description="`key:…` or `user:…`: who listened, or asked for the link. `link`: not known any more."
    )
    by_link: bool = Field(description="Whoever had the link listened.")
    how: ListenForm | None = Field(description="In which form. Null here and below: not known, or it goes on.")
    until: datetime | None = Field(description="When the last bytes were sent.")
    bytes: int | None = Field(description="Sent, repeated ones too.")
    result: ListenResult | None = Field(description="Whether every byte of it was sent.")

    @classmethod
    def of(cls, listen: Listen) -> Self:
        """Return what may be shown of *listen*. From where somebody listened is for the operator's log."""
        return cls(**asdict(listen))


class Receipt(BaseModel):
    """What is left of a recording that was purged."""

    sha256: str | None = Field(description="Of what was kept. Null: nothing was.")
    size: int | None = Field(description="Bytes that were kept.")
    at: datetime
    by: str = Field(description="`key:…`, `user:…`, `cli:…`, or `lifecycle`: the tenant's retention.")
    why: str

    @classmethod
    def of(cls, tombstone: Tombstone) -> Self:
        """Return what may be shown of *tombstone*."""
        return cls(sha256=tombstone.sha256, size=tombstone.size, at=tombstone.at, by=tombstone.by, why=tombstone.why)


class HoldView(BaseModel):
    """A legal hold: what it lies on is not purged."""

    id: str
    tenant_id: str
    recording_id: str | None = Field(description="Null: all of the tenant's.")
    why: str
    actor: str
    created_at: datetime

    @classmethod
    def of(cls, hold: Hold) -> Self:
        """Return what may be shown of *hold*."""
        return cls(**asdict(hold))


class RecordingDetail(RecordingView):
    """A recording with all that happened to it."""

    detail: str | None = Field(description="What was seen at the last failure, for engineers.")
    history: list[HistoryView] = Field(description="Oldest first.")
    repeats: list[RepeatView] = Field(description="Webhooks that changed nothing, oldest first; 200 at most.")
    listens: list[ListenView] = Field(description="Oldest first; the newest 200.")
    provider_deleted_at: datetime | None = Field(
        description="When it was deleted at the provider, after the vault had given it back whole."
    )
    purged: Receipt | None = Field(description="Where it was deleted: what it was, when it went, who did it, why.")
    holds: list[HoldView] = Field(description="Legal holds on it or on its tenant: while there is one it stays.")

    @classmethod
    def with_history(cls, recording: Recording, timeline: Timeline, holds: Sequence[Hold]) -> Self:
        """Return what may be shown of *recording*, its timeline, and what holds it."""
        return cls(
            **_fields(recording),
            detail=recording.detail,
            history=[HistoryView.of(entry) for entry in timeline.history],
            repeats=[RepeatView(at=one.at, status=one.status) for one in timeline.repeats],
            listens=[ListenView.of(one) for one in timeline.listens],
            provider_deleted_at=recording.provider_deleted_at,
            purged=Receipt.of(tombstone_of(recording, timeline.history)) if recording.state is State.PURGED else None,
            holds=[HoldView.of(hold) for hold in holds],
        )


class RecordingPage(BaseModel):
    """One page of a list, newest first."""

    recordings: list[RecordingView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page. Null: this was the last.")


class FetchAnswer(BaseModel):
    """Where a recording stands that someone wants to hear."""

    id: str
    state: State
    version: int
    place: Place | None = Field(description="Where its job is. Null: none is needed, or the scheduler is away.")
    audio_url: str | None = Field(
        description="Plays without a key, until `expires_at`. Null: no sound can come yet, or the link is known."
    )
    growing: bool = Field(
        description="True: what `audio_url` plays is not whole yet. It is sent from its start, as it comes, without "
        "a length and without ranges, and its end counts only once the state is `ready`; then the same link has ranges."
    )
    expires_at: datetime | None


class ObstacleView(BaseModel):
    """What keeps a recording from being fetched now, for programs; where a field says nothing it is null."""

    code: ObstacleCode
    account: str | None
    tenant: str | None
    until: datetime | None
    held: int | None = Field(description="Of the limit.")
    limit: int | None
    set_limit: int | None = Field(description="The limit as it was set, where a lower one is in force.")

    @classmethod
    def of(cls, obstacle: Obstacle) -> Self:
        """Return it as JSON has it."""
        return cls(**asdict(obstacle))


class Waiting(BaseModel):
    """Why a recording is not there yet."""

    id: str
    state: State
    place: Place | None = Field(description="Where its job is. Null: none is needed, or the scheduler is away.")
    ahead: int | None = Field(description="How many of the tenant's recordings are before it in its line.")
    received: int | None = Field(description="Bytes that came by now, while it is being fetched. Null: not known.")
    expected: int | None = Field(description="How many there will be. Null: the provider did not say.")
    obstacle: ObstacleView | None = Field(description="Null: it is being fetched, or it has ended.")
    sentence: str = Field(description="For a person: all of it, in English.")


class Playback(BaseModel):
    """A link that plays a recording without a key, for a short time."""

    url: str
    expires_at: datetime


class LiveEvent(BaseModel):
    """The data of one `recording` event of the stream. Its number is also the SSE id."""

    seq: int
    event: Event
    state: State = Field(description="After the event.")
    version: int
    reason: Reason | None
    sentence: str | None
    at: datetime
    recording: RecordingView = Field(description="As it is now: it may be newer than the event.")


class TenantView(BaseModel):
    """A tenant, what its slots do, and where its recordings stand."""

    id: str
    name: str
    slots: int
    weight: float
    paused: bool
    running: int | None = Field(description="Slots in use. Null: the scheduler does not answer.")
    waiting: int | None
    deferred: int | None
    oldest_wait_s: float | None
    states: dict[State, int]
    reasons: dict[Reason, int] = Field(description="Failed recordings, by reason.")


class TenantList(BaseModel):
    """The tenants that a key may see."""

    tenants: list[TenantView]


class SessionView(BaseModel):
    """Who asks."""

    kind: Literal["key", "session"]
    name: str
    tenant_id: str | None = Field(description="Null: an operator, who sees every tenant.")
    scopes: list[Scope] = Field(description="What the key may do; a user may do all that its tenant may.")
    csrf: str | None = Field(description="For the header `X-CSRF-Token`, where a cookie says who asks.")


class Readiness(BaseModel):
    """Which parts answer."""

    ready: bool
    parts: dict[str, str] = Field(description="`ok`, or `unavailable`.")
