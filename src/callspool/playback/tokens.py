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

ANY_ATTEMPT: Final = 0

_PURPOSE: Final = b"callspool playback link v1"
_TOKEN = re.compile(
    r"v1\.([0-9a-f]{8})\.([a-z0-9-]{1,63})\.(0|[1-9][0-9]{0,17})\.([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{43})"
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a link allows."""

    tenant_id: TenantId
    recording_id: RecordingId
    attempt: int
    expires_at: datetime


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
        mac = self._mac(self._key_id, grant.tenant_id, grant.recording_id, grant.attempt, expires)
        return f"v1.{self._key_id}.{grant.tenant_id}.{grant.attempt}.{expires}.{mac}"

    def check(self, token: str, recording_id: RecordingId, now: datetime) -> Grant | Refused:
        """Return what *token* allows for that recording, or why nothing."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return Refused.BAD
        key_id, tenant, attempt, expires, mac = found.groups()
        if key_id not in self._keys:  # it is no secret: it stands in every link
            return Refused.BAD
        expected = self._mac(key_id, tenant, recording_id, int(attempt), int(expires))
        if not hmac.compare_digest(mac, expected):
            return Refused.BAD
        if now.timestamp() >= int(expires):
            return Refused.EXPIRED
        return Grant(TenantId(tenant), recording_id, int(attempt), datetime.fromtimestamp(int(expires), UTC))

    def _mac(self, key_id: str, tenant: str, recording: str, attempt: int, expires: int) -> str:
        # No field can contain a newline, so no two grants have one text.
        text = "\n".join(("audio", key_id, tenant, recording, str(attempt), str(expires)))
        digest = hmac.digest(self._keys[key_id], text.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
