"""What keeps a recording from being fetched now: a closed list, so that a page can say it in the reader's language."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class ObstacleCode(StrEnum):
    """Which obstacle it is. What is known beside it stands in the fields of `Obstacle`."""

    ANNOUNCED = "announced"
    """The provider has not finished it."""
    SCHEDULER_AWAY = "scheduler_away"
    ON_ITS_WAY = "on_its_way"
    """The scheduler has not heard of it yet."""
    PUT_OFF = "put_off"
    DRAINING = "draining"
    """It is drained, or being drained: what waited was dropped and is kept in the store."""
    RESTARTED = "restarted"
    ACCOUNT_PAUSED = "account_paused"
    """By a person."""
    ACCOUNT_THROTTLED = "account_throttled"
    ACCOUNT_FAILING = "account_failing"
    ACCOUNT_REFUSED = "account_refused"
    ACCOUNT_RESTS = "account_rests"
    """After another answer of the provider."""
    TENANT_PAUSED = "tenant_paused"
    TENANT_UNKNOWN = "tenant_unknown"
    """Its limits have not come to the scheduler."""
    ACCOUNT_UNKNOWN = "account_unknown"
    TENANT_NO_SLOTS = "tenant_no_slots"
    """It was given none."""
    ACCOUNT_NO_DOWNLOADS = "account_no_downloads"
    """Its limit was set to 0."""
    SLOTS_BUSY = "slots_busy"
    SLOT_KEPT = "slot_kept"
    """The tenant's only free slot is for another account, which waits for one for longer."""
    ACCOUNT_PROBED = "account_probed"
    """It was in trouble and one job tries alone."""
    ACCOUNT_BUSY = "account_busy"
    """Without figures: they would tell a tenant of others."""
    ACCOUNT_FULL = "account_full"
    ACCOUNT_SLOWED = "account_slowed"
    """Full at a limit that was lowered after "slow down"."""
    NO_WORKER = "no_worker"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What a job waits for, with what is known of it."""

    code: ObstacleCode
    account: str | None = None
    tenant: str | None = None
    until: datetime | None = None
    held: int | None = None
    limit: int | None = None
    set_limit: int | None = None

    @property
    def sentence(self) -> str:
        """It in English, without the full stop."""
        return _SENTENCES[self.code].format(**asdict(self))


_SENTENCES: Final[Mapping[ObstacleCode, str]] = {
    ObstacleCode.ANNOUNCED: "The provider has announced it and not finished it yet",
    ObstacleCode.SCHEDULER_AWAY: "It is kept in the store and goes on when the scheduler answers again",
    ObstacleCode.ON_ITS_WAY: "It is on its way to the scheduler",
    ObstacleCode.PUT_OFF: "It is put off until {until:%H:%M:%S} UTC",
    ObstacleCode.DRAINING: (
        "The scheduler is drained and grants nothing until it is started with another number of shards, "
        "or 'callspool drain --undo' opens it again"
    ),
    ObstacleCode.RESTARTED: "The scheduler was restarted and grants nothing until {until:%H:%M:%S} UTC",
    ObstacleCode.ACCOUNT_PAUSED: "Account {account} is paused by an operator",
    ObstacleCode.ACCOUNT_THROTTLED: (
        "Account {account} is paused until {until:%H:%M:%S} UTC after the provider asked to slow down"
    ),
    ObstacleCode.ACCOUNT_FAILING: (
        "Account {account} is paused until {until:%H:%M:%S} UTC after failures of the provider"
    ),
    ObstacleCode.ACCOUNT_REFUSED: (
        "Account {account} is paused until {until:%H:%M:%S} UTC after the provider refused its credentials"
    ),
    ObstacleCode.ACCOUNT_RESTS: (
        "Account {account} is paused until {until:%H:%M:%S} UTC after an answer of the provider"
    ),
    ObstacleCode.TENANT_PAUSED: "Tenant {tenant} is paused by an operator",
    ObstacleCode.TENANT_UNKNOWN: "The limits of tenant {tenant} are not known to the scheduler yet",
    ObstacleCode.ACCOUNT_UNKNOWN: "The limits of account {account} are not known to the scheduler yet",
    ObstacleCode.TENANT_NO_SLOTS: "Tenant {tenant} has 0 slots and waits until an operator gives it some",
    ObstacleCode.ACCOUNT_NO_DOWNLOADS: "Account {account} has a limit of 0 and waits until an operator raises it",
    ObstacleCode.SLOTS_BUSY: "{held} of {limit} slots of tenant {tenant} are busy",
    ObstacleCode.SLOT_KEPT: "The free slot of tenant {tenant} is kept for account {account}, whose turn it is",
    ObstacleCode.ACCOUNT_PROBED: "Account {account} was in trouble and one job tries alone",
    ObstacleCode.ACCOUNT_BUSY: "Account {account} is busy with as many downloads as it may have",
    ObstacleCode.ACCOUNT_FULL: "{held} of {limit} downloads of account {account} are busy",
    ObstacleCode.ACCOUNT_SLOWED: (
        "{held} of {limit} (lowered from {set_limit}) downloads of account {account} are busy"
    ),
    ObstacleCode.NO_WORKER: "It waits for a worker with room",
}
