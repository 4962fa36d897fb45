"""Why is this recording not there yet? One sentence from what the store and the scheduler know."""

from callspool.domain.job import Place, Why
from callspool.domain.reasons import POLICIES
from callspool.domain.recording import Recording, State


def explain(recording: Recording, why: Why | None, *, for_operator: bool) -> str:
    """Return the sentence. *why* is None where the scheduler does not answer."""
    match recording.state:
        case State.READY:
            return "It is ready."
        case State.ANNOUNCED:
            return "The provider has announced it and not finished it yet."
        case State.ABSENT:
            return "The provider says that there is no recording."
        case State.CANCELLED:
            return "A person stopped it. It goes on when it is retried."
        case State.PURGED:
            return "It was deleted here."
        case State.FAILED:
            return POLICIES[recording.reason].sentence if recording.reason else "It failed."
    if why is None:
        return "It is kept in the store and goes on when the scheduler answers again."
    if why.place is Place.UNKNOWN:
        return "It is on its way to the scheduler."
    sentence = why.sentence(for_operator=for_operator)
    if why.place is Place.DEFERRED and recording.reason:
        return f"{sentence} {POLICIES[recording.reason].sentence}"
    return sentence
