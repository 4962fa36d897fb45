"""Names of things in the vault: made from our own ids, so that no input ever becomes a path."""

import re
from dataclasses import dataclass
from typing import Final

from callspool.domain.errors import InvalidInput
from callspool.domain.ids import RecordingId, TenantId, is_name, is_recording_id

EXTENSIONS: Final = frozenset({"wav", "mp3"})
RENDITIONS: Final = frozenset({"peaks", "opus", "m4a"})
"""What is derived from a recording and kept beside it."""

_KEY: Final = re.compile(
    r"[a-z0-9][a-z0-9-]{0,62}/[0-9a-f]{6}/rec_[0-9a-f]{32}-[1-9][0-9]{0,17}\.(?:wav|mp3)(?:\.(?:peaks|opus|m4a))?"
)
TOMBSTONES: Final = ".tombstones"
"""No tenant can be named so."""
_TOMBSTONE: Final = re.compile(r"\.tombstones/[0-9a-f]{6}/(rec_[0-9a-f]{32})\.json")
_AGE_DIGITS: Final = slice(len("rec_"), len("rec_") + 6)


def vault_key(tenant_id: TenantId, recording_id: RecordingId, attempt: int, extension: str) -> str:
    """Return the key of what *attempt* fetched: the tenant, a folder for each 4.7 hours, the id, the attempt.

    The attempt is part of it, so that a stale worker can never replace what a newer one kept.
    """
    if not is_name(tenant_id) or not is_recording_id(recording_id) or attempt < 1 or extension not in EXTENSIONS:
        raise InvalidInput("key", "A vault key is made of a tenant's id, a recording's id, an attempt and wav or mp3.")
    return f"{folder_of(tenant_id, recording_id)}/{recording_id}-{attempt}.{extension}"


def rendition_key(key: str, kind: str) -> str:
    """Return the key of what is derived from the recording under *key*: the same with *kind* behind it."""
    if kind not in RENDITIONS or not is_key(f"{key}.{kind}"):
        raise InvalidInput("key", f"A rendition's key is a recording's key and one of {', '.join(sorted(RENDITIONS))}.")
    return f"{key}.{kind}"


def folder_of(tenant_id: TenantId, recording_id: RecordingId) -> str:
    """Return where all keys of a recording are, among others'."""
    return f"{tenant_id}/{recording_id[_AGE_DIGITS]}"


def tombstone_key(recording_id: RecordingId) -> str:
    """Return the key of what is left of a purged recording: no tenant's folder has it, and no list of keys."""
    if not is_recording_id(recording_id):
        raise InvalidInput("key", "A tombstone's key is made of a recording's id.")
    return f"{folder_of(TenantId(TOMBSTONES), recording_id)}/{recording_id}.json"


def tombstone_of_key(text: str) -> RecordingId | None:
    """Return whose tombstone is under a key; None: it is none's."""
    found = _TOMBSTONE.fullmatch(text)
    return None if found is None else RecordingId(found[1])


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a key says."""

    tenant_id: TenantId
    recording_id: RecordingId
    attempt: int
    audio: str
    """The key of the audio: the key itself, or that of what it is a rendition of."""


def parse_key(key: str) -> Parsed:
    """Return what the key of a recording or rendition says, or raise `InvalidInput`."""
    if not is_key(key):
        raise InvalidInput("key", "This is not the key of a recording.")
    tenant, folder, name = key.split("/")
    recording, _, rest = name.partition("-")
    attempt, extension, *_ = rest.split(".")
    audio = f"{tenant}/{folder}/{recording}-{attempt}.{extension}"
    return Parsed(TenantId(tenant), RecordingId(recording), int(attempt), audio)


def is_key(text: str) -> bool:
    """Say whether `vault_key` or `rendition_key` could have made it."""
    return _KEY.fullmatch(text) is not None


def is_of(key: str, recording_id: RecordingId | None) -> bool:
    """Say whether *key* belongs to the recording; None: to any."""
    return recording_id is None or key.rpartition("/")[2].startswith(f"{recording_id}-")


def check_key(key: str) -> str:
    """Return *key* if it is one, or raise `InvalidInput`."""
    if not is_key(key) and tombstone_of_key(key) is None:
        raise InvalidInput("key", "This is not a vault key.")
    return key
