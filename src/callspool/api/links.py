"""Playback links as the API hands them out, and ids as it takes them in."""

from datetime import UTC, datetime

from callspool.api.services import Services
from callspool.domain.errors import NotFound
from callspool.domain.ids import RecordingId, is_recording_id
from callspool.domain.recording import Recording, State
from callspool.playback.tokens import ANY_ATTEMPT, Grant


def recording_id(text: str) -> RecordingId:
    """Return *text* as an id; what has not the form of one is not found."""
    if not is_recording_id(text):
        raise NotFound(text)
    return RecordingId(text)


def link(services: Services, recording: Recording, maker: str) -> tuple[str, datetime]:
    """Return a path that plays *recording* without a key, and until when. It says that *maker* asked for it.

    One that is on its way is played by whichever attempt brings it: the link outlives the one that runs.
    """
    expires_at = services.clock.now() + services.settings.playback_ttl
    expires_at = datetime.fromtimestamp(int(expires_at.timestamp()), UTC)
    attempt = recording.attempt if recording.state is State.READY else ANY_ATTEMPT
    grant = Grant(recording.tenant_id, recording.id, attempt, expires_at, maker)
    token = services.links.now.sign(grant)
    return f"/api/recordings/{recording.id}/audio?token={token}", expires_at
