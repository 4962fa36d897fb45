"""Why is this recording not there yet? From what the store and the scheduler know: a code, and one sentence."""

from callspool.domain.job import Place, Why
from callspool.domain.obstacle import Obstacle, ObstacleCode
from callspool.domain.reasons import POLICIES
from callspool.domain.recording import Recording, State


def obstacle(recording: Recording, why: Why | None, *, for_operator: bool) -> Obstacle | None:
    """Return what keeps it. *why* is None where the scheduler does not answer; None: it runs, or it has ended."""
    match recording.state:
        case State.ANNOUNCED:
            return Obstacle(ObstacleCode.ANNOUNCED)
        case State.QUEUED | State.FETCHING:
            if why is None:
                return Obstacle(ObstacleCode.SCHEDULER_AWAY)
            return why.obstacle(for_operator=for_operator)
        case _:
            return None


def explain(recording: Recording, why: Why | None, *, for_operator: bool) -> str:
    """Return the sentence. *why* is None where the scheduler does not answer."""
    match recording.state:
        case State.READY:
            return "It is ready."
        case State.ABSENT:
            return "The provider says that there is no recording."
        case State.CANCELLED:
            return "A person stopped it. It goes on when it is retried."
        case State.PURGED:
            return "It was deleted here."
        case State.FAILED:
            return POLICIES[recording.reason].sentence if recording.reason else "It failed."
    if why and why.place is not Place.UNKNOWN and recording.state is not State.ANNOUNCED:
        sentence = why.sentence(for_operator=for_operator)
        if why.place is Place.DEFERRED and recording.reason:
            return f"{sentence} {POLICIES[recording.reason].sentence}"
        return sentence
    found = obstacle(recording, why, for_operator=for_operator)
    return f"{found.sentence}." if found else "It is being fetched."
