"""Playback links: what lets an ``<audio>`` element, which sends no headers, hear one recording for a while.

A link is bound to tenant, recording, attempt (so a re-fetched or purged one voids it), expiry and signing key. Only
a link to a recording that is still on its way is for any attempt: nobody knows yet which one will bring it.
It is checked before anything is looked up.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.recording import Recording

ANY_ATTEMPT: Final = 0

_PURPOSE: Final = b"callspool playback link v1"
_TOKEN = re.compile(
    r"v1\.([0-9a-f]{8})\.([a-z0-9-]{1,63})\.(0|[1-9][0-9]{0,17})\.([1-9][0-9]{0,11})"
    r"(?:\.([A-Za-z0-9_-]{1,150}))?\.([A-Za-z0-9_-]{43})"
)
"""The last field but one came later: who asked for the link. Those that were made before it play on without."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a link allows."""

    tenant_id: TenantId
    recording_id: RecordingId
    attempt: int
    expires_at: datetime
    maker: str | None = None
    """Who asked for it, as the audit log names them: whoever listens by it is told of as theirs."""

    def is_for(self, recording: Recording) -> bool:
        """Say whether this is the recording that was meant: that tenant's still, and by that attempt."""
        return self.tenant_id == recording.tenant_id and self.attempt in (ANY_ATTEMPT, recording.attempt)


class Refused(StrEnum):
    """Why a link allows nothing."""

    BAD = "bad"
    EXPIRED = "expired"


class Links:
    """Makes links with a key derived from a secret, used for nothing else; checks them with that or an older one."""

    def __init__(self, secret_key: bytes, *older: bytes) -> None:
        keys = [hmac.digest(one, _PURPOSE, "sha256") for one in (secret_key, *older)]
        self._keys = {hashlib.sha256(key).hexdigest()[:8]: key for key in reversed(keys)}
        self._key_id = hashlib.sha256(keys[0]).hexdigest()[:8]

    def sign(self, grant: Grant) -> str:
        """Return the token for *grant*; its expiry counts in whole seconds, rounded down."""
        expires = int(grant.expires_at.timestamp())
        fields = [self._key_id, grant.tenant_id, str(grant.attempt), str(expires)]
        if grant.maker is not None:
            fields.append(_packed(grant.maker.encode()))
        return ".".join(("v1", *fields, self._mac(grant.recording_id, *fields)))

    def check(self, token: str, recording_id: RecordingId, now: datetime) -> Grant | Refused:
        """Return what *token* allows for that recording, or why nothing."""
        grant = self.read(token, recording_id)
        if grant is None:
            return Refused.BAD
        return Refused.EXPIRED if now >= grant.expires_at else grant

    def read(self, token: str, recording_id: RecordingId) -> Grant | None:
        """Return what *token* said when it was made, be it over or not; None: nobody here made it for that."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        *fields, maker, mac = found.groups()
        key_id, tenant, attempt, expires = fields
        if key_id not in self._keys:  # it is no secret: it stands in every link
            return None
        if not hmac.compare_digest(mac, self._mac(recording_id, *fields, *([maker] if maker else []))):
            return None
        said = _unpacked(maker).decode() if maker else None
        return Grant(TenantId(tenant), recording_id, int(attempt), datetime.fromtimestamp(int(expires), UTC), said)

    def _mac(self, recording: str, key_id: str, tenant: str, *others: str) -> str:
        # No field can contain a newline, so no two grants have one text.
        text = "\n".join(("audio", key_id, tenant, recording, *others))
        return _packed(hmac.digest(self._keys[key_id], text.encode(), "sha256"))


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
