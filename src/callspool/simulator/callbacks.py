"""Send status callbacks as the provider does: signed, with its time limits, its one retry, and its faults.

Signature, form and HTTP client are our own: what checks them must be software that somebody else wrote.
"""

import asyncio
import email.utils
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit, urlunsplit

from callspool.simulator.clock import Clock
from callspool.simulator.encryption import details_of
from callspool.simulator.faults import CallbackFault, CallbackFaultKind
from callspool.simulator.signing import KeyPair, sign, sign_body
from callspool.simulator.telnyx_api import TelnyxApi, event_of, texml_form_of
from callspool.simulator.world import Account, Recording, World

ALL_IN_ALL_S: Final = 15.0
CONNECT_S: Final = 5.0
RETRIES: Final = 1
MOST_RETRIES: Final = 5

_NOT_OF_SIGNALWIRE: Final = frozenset({"RecordingStartTime", "RecordingTrack", "ErrorCode"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver one event."""

    recording_sid: str
    event: str
    url: str
    token: str
    """The same for every attempt to deliver the same event."""
    attempt: int
    """From 1 on; 0: it was lost, and never sent."""
    status: int | None
    error: str | None
    """``connect``, ``read``, or ``lost``."""
    sent_at: float
    """On the monotonic clock."""
    seconds: float


@dataclass(frozen=True, slots=True)
class _Policy:
    """How often to try again, and after what: the part of the address behind ``#`` may say."""

    retries: int = RETRIES
    after: frozenset[str] = frozenset({"ct"})

    @classmethod
    def of(cls, url: str) -> "_Policy":
        given = parse_qs(urlsplit(url).fragment)
        retries = min(int(given["rc"][0]), MOST_RETRIES) if "rc" in given else RETRIES
        return cls(retries, frozenset(given["rp"][0].split(",")) if "rp" in given else frozenset({"ct"}))

    def repeats(self, delivery: Delivery) -> bool:
        """Say whether a delivery that ended so is tried again."""
        if delivery.error:
            why = {"connect": "ct", "read": "rt"}[delivery.error]
        else:
            status = delivery.status or 0
            why = "5xx" if status >= 500 else "4xx" if status >= 400 else ""
        return bool(why) and (why in self.after or "all" in self.after)


def form_of(recording: Recording, event: str, base_url: str) -> dict[str, str]:
    """Return what the callback of an event says."""
    place = f"/2010-04-01/Accounts/{recording.account_sid}/Recordings/{recording.sid}"
    form = {
        "AccountSid": recording.account_sid,
        "CallSid": recording.call_sid,
        "RecordingSid": recording.sid,
        "RecordingUrl": base_url + place,
        "RecordingStatus": event,
        "RecordingDuration": str(recording.announced_duration_s) if event == "completed" else "-1",
        "RecordingChannels": str(recording.channels),
        "RecordingStartTime": email.utils.format_datetime(recording.started_at),
        "RecordingSource": recording.source,
        "RecordingTrack": "both",
        "ErrorCode": str(recording.error_code or 0),
    }
    if recording.conference_sid:
        form["ConferenceSid"] = recording.conference_sid
    if event == "completed" and (details := details_of(recording)):
        form["EncryptionDetails"] = details
    return form


def message_of(
    recording: Recording,
    account: Account,
    event: str,
    *,
    telnyx: TelnyxApi,
    signed_url: str,
    base_url: str,
    at: datetime,
    instead: bytes | None = None,
) -> tuple[dict[str, str], bytes]:
    """Return headers and body (or another one) of the callback of an event, signed as the account's provider does."""
    if account.provider == "telnyx":
        if account.texml:
            body, kind = (
                instead or urlencode(texml_form_of(recording, event)).encode(),
                "application/x-www-form-urlencoded",
            )
        else:
            told = event_of(recording, event, telnyx.addresses(recording), at)
            body, kind = instead or json.dumps(told).encode(), "application/json"
        timestamp = str(int(at.timestamp()))
        return {
            "Content-Type": kind,
            "User-Agent": "telnyx-webhooks",
            "telnyx-timestamp": timestamp,
            "telnyx-signature-ed25519": KeyPair(account.sid).sign(timestamp, body),
        }, body
    form = form_of(recording, event, base_url)
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "Accept": "*/*"}
    if account.provider == "signalwire":
        form = {name: value for name, value in form.items() if name not in _NOT_OF_SIGNALWIRE}
        form["RecordingUrl"] = form["RecordingUrl"].replace("/2010-04-01/", "/api/laml/2010-04-01/")
        body = instead or urlencode(form).encode()
        return {**headers, "X-SignalWire-Signature": sign_body(account.signing_key, signed_url, body)}, body
    headers["User-Agent"] = "TwilioProxy/1.1"
    if account.signing_key:
        headers["X-Twilio-Webhooks-Signature-Settings"] = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
        headers["X-Twilio-Signature"] = sign(account.signing_key, signed_url, form, "sha256")
    else:
        headers["X-Twilio-Signature"] = sign(account.auth_token, signed_url, form)
    return headers, urlencode(form).encode()


class Callbacks:
    """Everything that was, or should have been, delivered."""

    def __init__(self, world: World, telnyx: TelnyxApi, clock: Clock, within_s: float) -> None:
        self._world = world
        self._telnyx = telnyx
        self._clock = clock
        self._within_s = within_s
        self.deliveries: list[Delivery] = []

    async def announce(
        self,
        recording: Recording,
        url: str,
        *,
        base_url: str,
        signed_url: str | None,
        events: Sequence[str],
        faults: Sequence[CallbackFault],
    ) -> list[Delivery]:
        """Deliver the events one after the other, with the *faults*; return every attempt."""
        by_kind = {fault.kind: fault for fault in faults}
        if late := by_kind.get(CallbackFaultKind.LATE):
            await asyncio.sleep(late.seconds)
        ordered = list(events)
        if CallbackFaultKind.REORDERED in by_kind:
            ordered = [*reversed(ordered)] if len(ordered) > 1 else [*ordered, "in-progress"]
        duplicate = by_kind.get(CallbackFaultKind.DUPLICATE)
        attempts: list[Delivery] = []
        for event in ordered:
            token = self._world.token()
            if CallbackFaultKind.LOST in by_kind:
                lost = Delivery(recording.sid, event, url, token, 0, None, "lost", self._clock.monotonic(), 0.0)
                attempts.append(lost)
                self.deliveries.append(lost)
                continue
            headers, body = message_of(
                recording,
                self._world.accounts[recording.account_sid],
                event,
                telnyx=self._telnyx,
                signed_url=signed_url or _sendable(url),
                base_url=base_url,
                at=self._clock.now(),
            )
            headers["I-Twilio-Idempotency-Token"] = token
            for copy in await asyncio.gather(
                *(
                    self._deliver(recording, event, url, headers, body, token)
                    for _ in range(duplicate.copies if duplicate else 1)
                )
            ):
                attempts += copy
        return attempts

    async def _deliver(
        self, recording: Recording, event: str, url: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> list[Delivery]:
        policy = _Policy.of(url)
        attempts: list[Delivery] = []
        deadline = self._clock.monotonic() + self._within_s
        for attempt in range(1, policy.retries + 2):
            begun = self._clock.monotonic()
            if begun >= deadline:
                break
            status, error = await _post(urlsplit(url), headers, body, deadline - begun)
            delivery = Delivery(
                *(recording.sid, event, url, token, attempt, status, error),
                sent_at=begun,
                seconds=self._clock.monotonic() - begun,
            )
            attempts.append(delivery)
            self.deliveries.append(delivery)
            if not policy.repeats(delivery):
                break
        return attempts


def _sendable(url: str) -> str:
    """Return the address as it is asked for: with a path, and without what stays at home, its fragment."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path or "/", fragment=""))


async def _post(
    parts: SplitResult, headers: Mapping[str, str], body: bytes, within_s: float
) -> tuple[int | None, str | None]:
    """Send one request; return its answer's status, or what went wrong."""
    secure = parts.scheme == "https"
    try:
        async with asyncio.timeout(min(CONNECT_S, within_s)):
            reader, writer = await asyncio.open_connection(
                parts.hostname,
                parts.port or (443 if secure else 80),
                ssl=ssl.create_default_context() if secure else None,
            )
    except (OSError, TimeoutError):
        return None, "connect"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    try:
        async with asyncio.timeout(within_s):
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            return int(head.split()[1]), None
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
        return None, "read"
    finally:
        writer.close()
