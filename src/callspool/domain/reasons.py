"""Why a fetch did not end well: the closed list, each with what it costs and what a person can do.

A provider's module turns what it saw on the wire into one of these, once. Everything above reads this
table and never a status code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from callspool.domain.backoff import PROBE, RETRIES, SLOW_DOWN, Delay
from callspool.domain.job import Signal


class Reason(StrEnum):
    """Why a recording is not (yet) in the vault."""

    NOT_READY = "not_ready"
    NOT_FOUND = "not_found"
    GONE = "gone"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    PROVIDER_ERROR = "provider_error"
    UNREACHABLE = "unreachable"
    INTERRUPTED = "interrupted"
    STALLED = "stalled"
    TOO_SLOW = "too_slow"
    DEADLINE = "deadline"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    NOT_AUDIO = "not_audio"
    UNDECODABLE = "undecodable"
    NO_PRIVATE_KEY = "no_private_key"
    UNDECRYPTABLE = "undecryptable"
    WRONG_DURATION = "wrong_duration"
    WRONG_CHANNELS = "wrong_channels"
    REDIRECT_REFUSED = "redirect_refused"
    WORKER_LOST = "worker_lost"
    SPOOL_FULL = "spool_full"
    VAULT_ERROR = "vault_error"
    CORRUPT = "corrupt"
    INTERNAL = "internal"


class Budget(StrEnum):
    """Which count a failure is charged to. When that count is used up the recording fails."""

    TRIES = "tries"
    NOT_READY = "not_ready"
    LOST = "lost"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a reason means for the job and what it says to a person."""

    budget: Budget
    sentence: str
    final: bool = False
    delay: Delay = RETRIES
    """Until the next try, where there is one."""
    pauses_account: bool = False
    """The whole account rests for that long."""
    signal: Signal = Signal.NONE
    """What it says of the account as a whole."""


POLICIES: Final[Mapping[Reason, Policy]] = {
    Reason.NOT_READY: Policy(
        Budget.NOT_READY,
        "The provider has not finished this recording yet. It will be asked again.",
        signal=Signal.OK,
    ),
    Reason.NOT_FOUND: Policy(
        Budget.NOT_READY,
        "The provider does not have this recording: it was deleted there, or it is in another region. "
        "Check the account's region, then retry.",
        final=True,
        signal=Signal.OK,
    ),
    Reason.GONE: Policy(
        Budget.TRIES,
        "The provider has deleted this recording. It cannot be fetched any more.",
        final=True,
        signal=Signal.OK,
    ),
    Reason.UNAUTHORIZED: Policy(
        Budget.NONE,
        "The provider refused the account's credentials. Correct them with 'callspool accounts set'; "
        "the recording is then fetched by itself.",
        delay=PROBE,
        pauses_account=True,
        signal=Signal.REFUSED,
    ),
    Reason.FORBIDDEN: Policy(
        Budget.TRIES,
        "The provider does not let this account read the recording. Check the permissions of its key, then retry.",
        final=True,
        signal=Signal.OK,
    ),
    Reason.THROTTLED: Policy(
        Budget.NONE,
        "The provider asked us to slow down. The account continues by itself.",
        delay=SLOW_DOWN,
        pauses_account=True,
        signal=Signal.THROTTLED,
    ),
    Reason.PROVIDER_ERROR: Policy(
        Budget.TRIES,
        "The provider answered with an error of its own. Retry later; if it stays, ask the provider.",
        signal=Signal.FAILED,
    ),
    Reason.UNREACHABLE: Policy(
        Budget.TRIES,
        "The provider could not be reached. Check the network and the account's address, then retry.",
        signal=Signal.FAILED,
    ),
    Reason.INTERRUPTED: Policy(Budget.TRIES, "The connection broke during the download. Retry.", signal=Signal.FAILED),
    Reason.STALLED: Policy(
        Budget.TRIES, "The provider stopped sending during the download. Retry.", signal=Signal.FAILED
    ),
    Reason.TOO_SLOW: Policy(
        Budget.TRIES, "The download was slower than the minimum rate. Retry later.", signal=Signal.FAILED
    ),
    Reason.DEADLINE: Policy(
        Budget.TRIES, "The download took longer than the fetch deadline. Raise 'fetch_deadline' or retry."
    ),
    Reason.TRUNCATED: Policy(
        Budget.TRIES, "The provider sent only a part of the recording, again and again. Retry later."
    ),
    Reason.TOO_LARGE: Policy(
        Budget.TRIES,
        "The provider sent far more data than a recording of this duration has. Retry; if it stays, ask the provider.",
    ),
    Reason.NOT_AUDIO: Policy(
        Budget.TRIES, "The provider sent something that is not audio (an error page, perhaps). Retry later."
    ),
    Reason.UNDECODABLE: Policy(Budget.TRIES, "What the provider sent is damaged and cannot be played. Retry later."),
    Reason.NO_PRIVATE_KEY: Policy(
        Budget.TRIES,
        "The recording is encrypted with a public key whose private key this account does not have. "
        "Add it with 'callspool accounts add-key', then retry.",
        final=True,
        signal=Signal.OK,
    ),
    Reason.UNDECRYPTABLE: Policy(
        Budget.TRIES,
        "The recording is encrypted, and what came does not decrypt: it was altered, or encrypted with another key. "
        "Retry later; check the account's private keys.",
    ),
    Reason.WRONG_DURATION: Policy(
        Budget.TRIES, "The audio's duration is not the one that the provider announced. Retry later."
    ),
    Reason.WRONG_CHANNELS: Policy(
        Budget.TRIES,
        "The provider was asked for a channel for each side of the call and sent another number. Retry later; to take "
        "the mix instead, set the account's form with 'callspool accounts set NAME --media-format wav', then retry.",
    ),
    Reason.REDIRECT_REFUSED: Policy(
        Budget.TRIES,
        "The provider redirected the download to an address that is not allowed. Check the account's settings.",
        final=True,
    ),
    Reason.WORKER_LOST: Policy(
        Budget.LOST,
        "The workers that fetched this recording died again and again. Read their logs, then retry.",
    ),
    Reason.SPOOL_FULL: Policy(Budget.NONE, "The worker's disk is full. Free some space; the fetch then goes on."),
    Reason.VAULT_ERROR: Policy(
        Budget.TRIES, "The recording could not be written to the vault. Check the vault, then retry."
    ),
    Reason.CORRUPT: Policy(
        Budget.TRIES,
        "The vault's file is not what was kept any more, so it is not played. Where the provider still has the "
        "recording it is fetched again; else put the file back from a backup of the vault, then 'callspool scrub'.",
    ),
    Reason.INTERNAL: Policy(Budget.TRIES, "callspool made a mistake. The log has the details; please report it."),
}
