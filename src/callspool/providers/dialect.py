"""Where two providers that speak Twilio's protocol differ."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from callspool.domain.errors import FetchFailed
from callspool.domain.ports.provider import WebhookRequest
from callspool.domain.reasons import Reason
from callspool.domain.tenant import Account

SID: Final = {prefix: re.compile(prefix + r"[0-9a-f]{32}") for prefix in ("AC", "RE", "CA", "CR")}
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Form(dict[str, list[str]]):
    """Every value of every name; ``getlist`` is what Twilio's validator asks for."""

    def getlist(self, name: str) -> list[str]:
        """Return the values of *name*."""
        return self[name]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of them."""

    ids: Mapping[str, re.Pattern[str]]
    """The exact forms of ids, by Twilio's prefixes: AC an account's, RE a recording's, CA a call's."""
    id_words: Mapping[str, str]
    check_signature: Callable[[Account, WebhookRequest, Form], None]
    """Raises `BadSignature`."""
    asks_for_two: bool
    """A file with two channels must be asked for."""
    media_is_public: bool
    """Media are given to anybody: then no credentials are sent for them."""

    def checked(self, prefix: str, sid: str) -> str:
        """Return an id that may stand in an address. Raises `FetchFailed`."""
        if self.ids[prefix].fullmatch(sid) is None:
            raise FetchFailed(Reason.INTERNAL, f"an id is not {self.id_words[prefix]}")
        return sid
