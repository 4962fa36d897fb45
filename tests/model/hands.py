"""What a worker holds: by its own monotonic clock, which no setting of a clock moves."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.fixtures.raw import Grant, Request
from tests.model.lifetime import LEASE_MS

TRUSTED_MS = LEASE_MS - LEASE_MS // 10


@dataclass(slots=True)
class Unheard:
    """A request whose reply was lost."""

    request: Request
    grants: tuple[Grant, ...]
    sent_at: int
    kept_until: int | None
    """By the server's clock: until when the reply is kept; None: it is not, and the request is a new one."""

    @property
    def is_kept(self) -> bool:
        """Whether the server answers a repetition with the same reply."""
        return self.kept_until is not None

    def forget_after(self, now: int) -> None:
        """The server's clock is *now*: it drops what it kept until then, and that is gone when the clock goes back."""
        if self.kept_until is not None and now > self.kept_until:
            self.kept_until = None


@dataclass(slots=True)
class Hands:
    """The leases of one worker."""

    trusted_until: dict[Grant, int] = field(default_factory=dict)
    unheard: Unheard | None = None

    def take(self, grants: Iterable[Grant], sent_at: int) -> None:
        """Hold what was asked for, or renewed, at *sent_at*."""
        self.trusted_until.update(dict.fromkeys(grants, sent_at + TRUSTED_MS))

    def drop(self, grants: Iterable[Grant]) -> None:
        """Hold them no more."""
        for grant in grants:
            del self.trusted_until[grant]

    def drop_untrusted(self, real: int) -> list[Grant]:
        """Stop the work on what cannot be trusted any more, and return it."""
        gone = [grant for grant, until in self.trusted_until.items() if until <= real]
        self.drop(gone)
        return gone

    def under_way(self, real: int) -> list[Grant]:
        """Return what it works on, or will when it hears of it."""
        mine = [grant for grant, until in self.trusted_until.items() if until > real]
        lost = self.unheard
        return mine + list(lost.grants if lost and lost.is_kept and lost.sent_at + TRUSTED_MS > real else ())
