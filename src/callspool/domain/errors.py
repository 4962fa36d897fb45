"""Every error that callspool raises on purpose.

CallspoolError
├── IllegalMove          a status was asked to go where it cannot
├── NotFound             no such thing, or not yours: the two are not told apart
├── Conflict             it exists already, or its state does not allow this
│   └── Held             a legal hold lies on it
├── InvalidInput         something that was given has a wrong form: which, and what is right
├── BadSignature         a webhook is not from whom it says
├── IdentityRefused      an identity provider's answer lets nobody in: why, for people
├── Unavailable          a part that we need does not answer now: ask again later
│   ├── StoreUnavailable
│   ├── SchedulerUnavailable
│   │   └── OtherLayout  it works with another number of shards than this process
│   ├── IdentityUnavailable
│   └── VaultUnavailable
├── FetchFailed          a fetch ended without a recording: a Reason, perhaps a Retry-After
└── Misconfigured        settings that cannot work: what to change

Expected answers ("joined", "stale") are return values, not errors.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:  # the scheduler, which is used for other work too, knows errors and no recordings
    from callspool.domain.reasons import Reason


class CallspoolError(Exception):
    """The root. ``code`` is stable: programs may compare it."""

    code: ClassVar[str] = "error"


class IllegalMove(CallspoolError):
    """A recording in this state has no such move."""

    code = "illegal_move"


class NotFound(CallspoolError):
    """No such thing for this principal."""

    code = "not_found"


class Conflict(CallspoolError):
    """What was asked contradicts what is."""

    code = "conflict"


class Held(Conflict):
    """It is under a legal hold: nothing of it is deleted."""

    code = "held"


class InvalidInput(CallspoolError):
    """A value has a wrong form; ``field`` names it."""

    code = "invalid_input"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BadSignature(CallspoolError):
    """The request is not signed by the account it names."""

    code = "bad_signature"


class IdentityRefused(CallspoolError):
    """What an identity provider said of a person does not let it in."""

    code = "identity_refused"


class Unavailable(CallspoolError):
    """A part that we need does not answer now. Nothing was lost; ask again."""

    code = "unavailable"


class StoreUnavailable(Unavailable):
    """The database does not answer, or is locked or full."""

    code = "store_unavailable"


class SchedulerUnavailable(Unavailable):
    """Valkey does not answer. Nothing is granted meanwhile."""

    code = "scheduler_unavailable"


class OtherLayout(SchedulerUnavailable):
    """The scheduler works with another number of shards than this process, which gets nothing to do."""


class IdentityUnavailable(Unavailable):
    """The identity provider does not answer, or not as it must."""

    code = "identity_unavailable"


class VaultUnavailable(Unavailable):
    """The vault does not answer or cannot be written."""

    code = "vault_unavailable"


class FetchFailed(CallspoolError):
    """A fetch ended without a recording."""

    code = "fetch_failed"

    def __init__(self, reason: "Reason", detail: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.http_status: int | None = None
        """The provider's answer, where that is what went wrong."""


class Misconfigured(CallspoolError):
    """The settings cannot work as they are."""

    code = "misconfigured"
