"""What an operator must know to add an account of a provider: the same few facts of each."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from callspool.domain.tenant import Account


@dataclass(frozen=True, slots=True)
class Probe:
    """A webhook that changes nothing wherever it arrives, and tells whether it arrives as it was sent."""

    headers: Mapping[str, str]
    body: bytes
    answer: int
    """The status with which callspool answers it then."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One provider, as forms and commands speak of it."""

    name: str
    """In addresses and in the store."""
    title: str
    sid: re.Pattern[str] | None
    """The form of an account's id at the provider. None: it has none that is needed."""
    sid_words: str
    base_url: str
    """Where its API is; empty: the account must say."""
    regional: Callable[[str, str], str] | None
    """Return the address of a region and an edge. None: it has none."""
    secret: str
    """What authenticates us."""
    signing_key: str
    """What signs its webhooks."""
    needs_signing_key: bool
    probe: Callable[[Account, str], Probe]
    """Return a webhook to an address, signed as the provider would where we can."""
    key: re.Pattern[str] | None
    """The form of what may sign in instead of the account's id and token. None: nothing else may."""
    key_words: str
    setup: str
    """Where to enter the webhook's address at the provider."""
