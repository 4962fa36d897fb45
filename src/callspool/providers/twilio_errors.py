"""Twilio's error codes that concern recordings, in words that an operator can act on."""

from collections.abc import Mapping
from typing import Final

from callspool.domain.reasons import Reason

NOT_DUAL: Final = 16113

_WORDS: Final[Mapping[int, str]] = {
    16101: "the recording was too short to be kept",
    16102: "the recording was silent and was not kept",
    16105: "the account encrypts recordings, but has no public key to do it with: add one at Twilio",
    16107: "the recording was encrypted with another public key than the account has now: "
    "give callspool the private key of that one too",
    16108: "too many recordings at once in the account",
    NOT_DUAL: "two channels were asked for, and the recording has one",
    20404: "there is no such recording, or not yet, or it is in another region",
    20429: "too many requests at once; nothing was done, and it may be repeated",
}


REASONS: Final[Mapping[int, Reason]] = {
    16101: Reason.GONE,
    16102: Reason.GONE,
    16107: Reason.NO_PRIVATE_KEY,
    16108: Reason.THROTTLED,
    20429: Reason.THROTTLED,
}
"""What a code says more exactly than the status that it came with."""


def explain(code: str) -> str:
    """Return a code with its meaning, where we know it."""
    words = _WORDS.get(int(code))
    return f"{code}: {words}" if words else code
